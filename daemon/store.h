// The generations of the policy on disk, /var/lib/fwctl. docs/storage.md has the format.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "daemon/change_log.h"
#include "daemon/result.h"
#include "daemon/sockets.h"
#include "rules/moment.h"
#include "rules/policy/parse.h"

namespace fwctl {

// Who asked for a change.
struct Author {
  std::optional<std::uint32_t> uid;  // nullopt: nobody, fwctld did it by itself
  std::string user;                  // what that uid was called then; may be empty
  std::string from;  // other end of the connection over which he sat there; empty: not known

  auto operator<=>(const Author&) const = default;
};

// A generation on trial: unless it is confirmed in time, the one before it comes back.
struct Trial {
  std::uint64_t before = 0;              // number of the one that comes back
  std::chrono::milliseconds deadline{};  // of the uptime
  Time until;   // the same by the clock on the wall, for people: that clock may be set
  Time booted;  // when that uptime began, by the clock on the wall

  bool operator==(const Trial&) const = default;
};

// Nothing passes, whatever the policy says, but on loopback and these connections.
struct Panic {
  Time since;
  std::vector<TcpConnection> spared;

  bool operator==(const Panic&) const = default;
};

// One state of the firewall, whole: it can be put in force without looking at any other file.
struct Generation {
  std::uint64_t number = 0;  // counts from 1
  bool enabled = false;
  std::optional<Panic> panic;  // whether enabled or not
  policy::Sources sources;
  std::string created;     // UTC, "2026-11-22T10:00:00Z"
  std::string reason;      // what was asked for
  bool refreshed = false;  // the policy before it, with what names mean now
  bool restored = false;   // it put back all files, not only those that it has other texts of
  Author by;
  std::optional<Trial> trial;  // while it is not confirmed

  // What the kernel's table says is in it: number, and a digest of what was put there.
  std::string marker() const { return marker(sum_of_rest()); }
  // The same; `rest` is sum_of_rest(), of all but the number and the text of rules.yaml.
  std::string marker(std::uint64_t rest) const;
  std::uint64_t sum_of_rest() const;
};

// What a text has that it had not.
struct TextChange {
  std::size_t at = 0;       // bytes before it that are the same
  std::size_t removed = 0;  // bytes that stood there
  std::string added;        // instead of them
};

// How rules.yaml changed; nullopt where that is not all that the two differ in, besides what every
// generation has of its own.
std::optional<TextChange> change_of_rules(const Generation& next, const Generation& before);

// A generation without its texts.
struct Entry {
  std::uint64_t number = 0;
  bool enabled = false;
  std::string created;
  std::string reason;
  bool refreshed = false;
  Author by;
};

// What is appended is decided: a start finds it the newest, whether or not the kernel got it. So an
// append comes before the kernel, and is taken back where that refuses.
class Store {
 public:
  static constexpr std::size_t most_kept = 20;
  // Bytes of all files together. The newest two files, and that of a generation which a trial may
  // bring back, are kept in any case.
  static constexpr std::uintmax_t most_kept_bytes = std::uintmax_t{64} << 20;

  // A missing folder is made when something is to be kept, and is empty until then.
  explicit Store(std::filesystem::path folder, std::uintmax_t most_bytes = most_kept_bytes)
      : folder_(std::move(folder)), most_bytes_(most_bytes) {}

  // The newest generations, at most `most_kept`, the newest first; damaged files are left out and
  // named in damaged(). To be called before anything is appended.
  Result<std::vector<Generation>> kept();
  // Of any kept one, damaged or not; 0 when there is none.
  std::uint64_t highest() const { return highest_; }
  const std::vector<std::string>& damaged() const { return damaged_; }
  // What kept() found and append() added, the newest first.
  std::vector<Entry> entries() const;
  // One of entries(), whole; nullopt: it is not among them, or was damaged since.
  Result<std::optional<Generation>> find(std::uint64_t number) const;

  // On disk and synced, and the newest from then on; older ones go. `before`: number of the newest
  // until now, if any. Where `change` is all that differs from that one, it costs one line of a
  // log; else a file. After an error nothing has changed.
  Result<void> append(const Generation& next, std::uint64_t before,
                      const std::optional<TextChange>& change);
  Result<void> append(const Generation& next, const Generation& before) {
    return append(next, before.number, change_of_rules(next, before));
  }
  // The one appended last never was; once.
  Result<void> take_back();
  // The newest is no longer on trial: on disk and synced.
  Result<void> confirm();
  // Forgets `number`, which stands in a file of its own and has no successor in its log.
  Result<void> forget(std::uint64_t number);

  // The files that the newest generation changed are safe on disk. Not synced: where it is lost, a
  // start looks at them once more.
  void settle();
  // Whether that was said of the newest.
  bool settled() const { return settled_; }

 private:
  // Where lines are appended: the log beside the newest file.
  struct Tail {
    std::uint64_t base = 0;    // number of the file
    std::uint64_t newest = 0;  // number of the last line
    std::size_t lines = 0;
    std::optional<ChangeLog> log;
  };

  // A file and its log.
  struct Chapter {
    std::vector<Generation> generations;  // oldest first
    Tail tail;
    bool settled = false;
    std::uint64_t highest = 0;  // number that was in use, readable or not
    std::vector<std::string> damaged;
  };
  struct Kept {
    Entry entry;
    std::uint64_t base = 0;  // number of its file
  };

  std::filesystem::path pending_file() const { return folder_ / "pending"; }
  std::filesystem::path file_of(std::uint64_t number) const;
  std::filesystem::path log_of(std::uint64_t number) const;
  Result<std::vector<std::uint64_t>> numbers() const;
  Result<Chapter> read(std::uint64_t base) const;
  Result<void> append_line(const Generation& next, std::uint64_t before, const TextChange& change);
  Result<void> append_file(const Generation& next);
  void remember(const Generation& generation, std::uint64_t base);
  std::uint64_t base_of(std::uint64_t number) const;
  void remove_old(const Generation& newest);

  std::filesystem::path folder_;
  std::uintmax_t most_bytes_;
  std::vector<std::string> damaged_;
  std::uint64_t highest_ = 0;
  bool settled_ = false;
  std::optional<Tail> tail_;
  std::vector<Kept> kept_;  // oldest first
  // To take back an append: the tail before it, and whether that had settled.
  std::optional<Tail> tail_before_;
  bool was_file_ = false;
  std::uint64_t newest_before_ = 0;
  bool settled_before_ = false;
};

}  // namespace fwctl
