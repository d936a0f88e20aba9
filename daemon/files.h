// Files that are there whole or not at all, also after a power loss.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "daemon/result.h"

namespace fwctl {

// An open file, closed with it.
class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept;
  ~Descriptor();
  int get() const { return fd_; }

 private:
  int fd_;
};

// Writes all of it, whatever signals come.
Result<void> write_at(int fd, std::size_t offset, std::string_view text, const std::string& name);

// nullopt when there is no such file. A file larger than `limit` bytes is an error (EFBIG).
Result<std::optional<std::string>> read_file(const std::filesystem::path& path,
                                             std::size_t limit = 256UL << 20);

// Who may read a file that is new.
constexpr mode_t for_everyone = 0644;
constexpr mode_t for_root = 0600;

// Replaces what is at `path`, synced, with exactly that mode. Not whole after a crash in the
// middle; the folder is not synced.
Result<void> write_synced(const std::filesystem::path& path, std::string_view text, mode_t mode);

// Whether it survives a power loss from then on, or some seconds later.
enum class Safety { synced, unsynced };

// The new content of a file, beside it (PATH.new) but not yet in its place.
// Destroyed without publish(): removed, and the file is as it was. Owner and mode of a file that is
// there are kept; a new one is for everyone to read. Through a symbolic link its target is meant.
class StagedFile {
 public:
  static Result<StagedFile> write(std::filesystem::path path, std::string_view text,
                                  Safety safety = Safety::synced);
  // What a program that is gone staged for `path` and did not publish; nullopt when there is none.
  static Result<std::optional<std::string>> left_behind(const std::filesystem::path& path);
  // Takes over what was left behind, to publish or to drop it.
  static StagedFile take_over(std::filesystem::path path) {
    return {std::move(path), Safety::synced};
  }
  StagedFile(StagedFile&& other) noexcept;
  StagedFile& operator=(StagedFile&&) = delete;
  StagedFile(const StagedFile&) = delete;
  StagedFile& operator=(const StagedFile&) = delete;
  ~StagedFile();

  // Takes the file's place, and syncs the folder where it is to be safe. After an error the old
  // file may still be there, or the new one not yet be safe from a power loss.
  Result<void> publish();

 private:
  StagedFile(std::filesystem::path path, Safety safety) : path_(std::move(path)), safety_(safety) {}
  static constexpr std::string_view staged_suffix = ".new";
  std::filesystem::path staged() const { return path_.string() + std::string(staged_suffix); }

  std::filesystem::path path_;
  Safety safety_;
  bool pending_ = true;
};

// What is there, and its name, survive a power loss from then on.
Result<void> sync_file(const std::filesystem::path& path);
Result<void> sync_folder(const std::filesystem::path& folder);

// One that is not there is removed already.
Result<void> remove_durably(const std::filesystem::path& path);

// Renames within one folder and syncs it.
Result<void> rename_durably(const std::filesystem::path& from, const std::filesystem::path& to);

}  // namespace fwctl
