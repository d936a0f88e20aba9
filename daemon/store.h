// The generations of the policy on disk, /var/lib/fwctl. docs/storage.md has the format.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "daemon/change_log.h"
#include "daemon/result.h"
#include "rules/policy/parse.h"

namespace fwctl {

// One state of the firewall, whole: it can be put in force without looking at any other file.
struct Generation {
  std::uint64_t number = 0;  // counts from 1
  bool enabled = false;
  policy::Sources sources;
  std::string created;     // UTC, "2026-11-22T10:00:00Z"
  std::string reason;      // what was asked for, and by which uid
  bool refreshed = false;  // the policy before it, with what names mean now

  // What the kernel's table says is in it: number, and a digest of what was put there. The text of
  // rules.yaml comes last in it.
  std::string marker() const { return marker(number, sum()); }
  static std::string marker(std::uint64_t number, std::uint64_t sum);
  std::uint64_t sum() const;
};

// What is appended is decided: a start finds it the newest, whether or not the kernel got it. So an
// append comes before the kernel, and is taken back where that refuses.
class Store {
 public:
  // A missing folder is made when something is to be kept, and is empty until then.
  explicit Store(std::filesystem::path folder) : folder_(std::move(folder)) {}

  // The newest generations, at most `most_kept`, the newest first; damaged files are left out and
  // named in damaged(). To be called before anything is appended.
  Result<std::vector<Generation>> kept();
  // Of any kept one, damaged or not; 0 when there is none.
  std::uint64_t highest() const { return highest_; }
  const std::vector<std::string>& damaged() const { return damaged_; }

  // On disk and synced, and the newest from then on; older ones go. `before`: the newest until now,
  // if any. Where only rules.yaml differs, it costs one line of a log; else a file.
  // After an error nothing has changed.
  Result<void> append(const Generation& next, const Generation& before);
  // The one appended last never was; once.
  Result<void> take_back();
  // Forgets `number`, which stands in a file of its own and has no successor in its log.
  Result<void> forget(std::uint64_t number);

  // The files that the newest generation changed are safe on disk. Not synced: where it is lost, a
  // start looks at them once more.
  void settle();
  // Whether that was said of the newest.
  bool settled() const { return settled_; }

  static constexpr std::size_t most_kept = 20;

 private:
  // Where lines are appended: the log beside the newest file.
  struct Tail {
    std::uint64_t base = 0;    // number of the file
    std::uint64_t newest = 0;  // number of the last line
    std::size_t lines = 0;
    std::optional<ChangeLog> log;
  };

  std::filesystem::path pending_file() const { return folder_ / "pending"; }
  std::filesystem::path file_of(std::uint64_t number) const;
  std::filesystem::path log_of(std::uint64_t number) const;
  Result<std::vector<std::uint64_t>> numbers() const;
  Result<std::vector<Generation>> load(std::uint64_t base);
  Result<void> append_line(const Generation& next, const Generation& before);
  Result<void> append_file(const Generation& next);
  void remove_old(std::uint64_t newest) const;

  std::filesystem::path folder_;
  std::vector<std::string> damaged_;
  std::uint64_t highest_ = 0;
  bool settled_ = false;
  std::optional<Tail> tail_;
  // To take back an append: the tail before it, and whether that had settled.
  std::optional<Tail> tail_before_;
  bool was_file_ = false;
  std::uint64_t newest_before_ = 0;
  bool settled_before_ = false;
};

}  // namespace fwctl
