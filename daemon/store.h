// The generations of the policy on disk, /var/lib/fwctl. docs/storage.md has the format.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

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

  // What the kernel's table says is in it: number, and a digest of what was put there.
  std::string marker() const;
};

class Store {
 public:
  // A missing folder is made when something is to be kept, and is empty until then.
  explicit Store(std::filesystem::path folder) : folder_(std::move(folder)) {}

  // Kept generations, the newest first; damaged files are left out and named in damaged().
  Result<std::vector<Generation>> kept();
  // The one prepared and neither promoted nor discarded; a damaged one counts as none.
  Result<std::optional<Generation>> pending();
  // Of any kept file, damaged or not; 0 when there is none.
  Result<std::uint64_t> highest() const;
  const std::vector<std::string>& damaged() const { return damaged_; }

  // On disk and synced, but not current.
  Result<void> prepare(const Generation& generation);
  // The prepared one becomes the newest kept. Older ones beyond `most_kept` are removed.
  Result<void> promote(const Generation& generation);
  // Forgets the prepared one; nothing to forget is fine.
  Result<void> discard();
  // Takes back a promotion just made, when a later step failed.
  Result<void> demote(const Generation& generation);

  static constexpr std::size_t most_kept = 20;

 private:
  std::filesystem::path pending_file() const { return folder_ / "pending"; }
  std::filesystem::path file_of(std::uint64_t number) const;
  Result<std::vector<std::uint64_t>> numbers() const;
  Result<std::optional<Generation>> load(const std::filesystem::path& path);

  std::filesystem::path folder_;
  std::vector<std::string> damaged_;
};

}  // namespace fwctl
