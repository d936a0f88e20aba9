// Files that are there whole or not at all, also after a power loss.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/result.h"

namespace fwctl {

// nullopt when there is no such file. A file larger than `limit` bytes is an error (EFBIG).
Result<std::optional<std::string>> read_file(const std::filesystem::path& path,
                                             std::size_t limit = 256UL << 20);

// Who may read a file that is new.
constexpr mode_t for_everyone = 0644;
constexpr mode_t for_root = 0600;

// Replaces what is at `path`, synced, with exactly that mode. Not whole after a crash in the
// middle; the folder is not synced.
Result<void> write_synced(const std::filesystem::path& path, std::string_view text, mode_t mode);

// The new content of a file, on disk beside it (PATH.new, synced) but not yet in its place.
// Destroyed without publish(): removed, and the file is as it was. Owner and mode of a file that is
// there are kept; a new one is for everyone to read. Through a symbolic link its target is meant.
class StagedFile {
 public:
  static Result<StagedFile> write(std::filesystem::path path, std::string_view text);
  // What a program that is gone staged for `path` and did not publish; nullopt when there is none.
  static Result<std::optional<std::string>> left_behind(const std::filesystem::path& path);
  // Takes over what was left behind, to publish or to drop it.
  static StagedFile take_over(std::filesystem::path path) { return StagedFile(std::move(path)); }
  StagedFile(StagedFile&& other) noexcept;
  StagedFile& operator=(StagedFile&&) = delete;
  StagedFile(const StagedFile&) = delete;
  StagedFile& operator=(const StagedFile&) = delete;
  ~StagedFile();

  // Takes the file's place and syncs the folder. After an error the old file may still be there, or
  // the new one not yet be safe from a power loss.
  Result<void> publish();

 private:
  explicit StagedFile(std::filesystem::path path) : path_(std::move(path)) {}
  static constexpr std::string_view staged_suffix = ".new";
  std::filesystem::path staged() const { return path_.string() + std::string(staged_suffix); }

  std::filesystem::path path_;
  bool pending_ = true;
};

// Renames within one folder and syncs it.
Result<void> rename_durably(const std::filesystem::path& from, const std::filesystem::path& to);

}  // namespace fwctl
