// A file that gets one line more for each change: what a change costs on disk does not depend on
// what was there before. It grows by whole blocks, so that most lines are written over zeros that
// are there: then syncing them takes the file system no change of its own records. docs/storage.md
// has the format.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/files.h"
#include "daemon/result.h"

namespace fwctl {

// Each line begins with a digest of all before it and itself, so that none counts where another is
// missing, damaged or of another file.
class ChangeLog {
 public:
  // An empty one; the folder is not synced.
  static Result<void> create(const std::filesystem::path& path);
  // `seed` is a digest of what the lines build upon. A missing file is an empty one that cannot be
  // appended to. What a crash cut off at the end is cut off for good.
  static Result<ChangeLog> open(const std::filesystem::path& path, std::uint64_t seed);

  // Those that opening it found, without their digests.
  const std::vector<std::string>& lines() const { return lines_; }
  // Of very many of them, the memory.
  void forget_lines() { lines_ = {}; }
  // Whole lines behind, or in the place of, one that does not count: then nothing more is appended.
  std::size_t lost() const { return lost_; }
  bool writable() const { return writable_; }
  // Bytes of all lines.
  std::size_t size() const { return size_; }

  // `text` has no newline. Not there after an error; where taking it away failed as well nothing
  // more is appended. ESTALE: the file is not as it was left; another folder may be mounted there
  // now.
  Result<void> append(std::string_view text, bool synced);
  // Takes away, synced, the line that was appended last; once.
  Result<void> take_back();

 private:
  ChangeLog(std::filesystem::path path, std::uint64_t seed) : path_(std::move(path)), sum_(seed) {}
  std::string_view take_lines(std::string_view text);
  Result<Descriptor> writing() const;
  Result<void> expect_end(const Descriptor& file) const;
  Result<void> cut(std::size_t size, std::size_t file_size, std::size_t end) const;

  std::filesystem::path path_;
  std::vector<std::string> lines_;
  std::size_t lost_ = 0;
  bool writable_ = false;
  std::size_t size_ = 0;
  std::size_t file_size_ = 0;  // with the zeros behind the lines
  std::uint64_t sum_ = 0;
  std::size_t size_before_ = 0;
  std::size_t file_size_before_ = 0;
  std::uint64_t sum_before_ = 0;
};

}  // namespace fwctl
