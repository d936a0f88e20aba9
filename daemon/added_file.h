// The text of /etc/fwctl/rules.yaml, which fwctl writes, and people may.
#pragma once

#include <sys/stat.h>

#include <filesystem>
#include <optional>
#include <string_view>

#include "daemon/result.h"
#include "rules/policy/append.h"

namespace fwctl {

// Remembers as what the file system knew the file when its text was known: while that is so, it
// need not be read to know that nobody has changed it, and some bytes more need not be a new file.
class AddedFile {
 public:
  // Behind an insertion, so many bytes may have to move.
  static constexpr std::size_t most_moved = 4096;

  explicit AddedFile(std::filesystem::path path) : path_(std::move(path)) {}

  // Whether that is all there is in it; one that is not there is empty.
  Result<bool> holds(std::string_view text);

  // fwctl itself has just put a file with that text there.
  void replaced(std::string_view text);

  // Whether insert() can do that to the file: holds() was true of `text`, the file is one that
  // nothing else refers to, and little stands behind the place.
  bool takes(const policy::Insertion& insertion, std::string_view text) const;
  // In one write, unsynced; `text` has the insertion already. After an error nothing has changed,
  // or it says that also failed.
  Result<void> insert(const policy::Insertion& insertion, std::string_view text);
  // The other way; `text` has the insertion still.
  Result<void> take_out(const policy::Insertion& insertion, std::string_view text);

 private:
  // From byte `at` on there is `rest` and nothing more.
  Result<void> end_with(std::size_t at, std::string_view rest);

  std::filesystem::path path_;
  std::optional<struct stat> known_;
};

}  // namespace fwctl
