// Copies of files that are about to be replaced, beside them: PATH.20261122-180000.
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "daemon/result.h"
#include "rules/moment.h"

namespace fwctl {

// A path beside `path` that is free: with the time, and -2, -3, ... behind it where that is taken.
std::string free_copy_path(const std::filesystem::path& path, Time time);

// Those kept are removed again with the object, unless they are to stay.
class Copies {
 public:
  Copies() = default;
  Copies(const Copies&) = delete;
  Copies& operator=(const Copies&) = delete;
  ~Copies();

  // Synced, for everyone to read.
  Result<void> keep(const std::filesystem::path& path, std::string_view text, Time time);
  // Path and copy of each.
  const std::vector<std::pair<std::string, std::string>>& kept() const { return kept_; }
  void stay() { stay_ = true; }

 private:
  std::vector<std::pair<std::string, std::string>> kept_;
  bool stay_ = false;
};

}  // namespace fwctl
