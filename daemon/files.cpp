#include "daemon/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace fwctl {
namespace {

Result<void> write_new(const std::filesystem::path& path, std::string_view text, mode_t mode,
                       Safety safety) {
  const std::string& name = path.native();
  ::unlink(name.c_str());
  const Descriptor file(
      ::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, for_root));
  if (file.get() < 0) return failed("create", name);
  if (::fchmod(file.get(), mode) != 0) return failed("set the mode of", name);
  if (auto written = write_at(file.get(), 0, text, name); !written) return written;
  if (safety == Safety::synced && ::fsync(file.get()) != 0) return failed("sync", name);
  return {};
}

}  // namespace

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

Descriptor::~Descriptor() {
  if (fd_ >= 0) ::close(fd_);
}

Result<void> sync_folder(const std::filesystem::path& folder) {
  const Descriptor directory(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.get() < 0) return failed("open", folder.string());
  if (::fsync(directory.get()) != 0) return failed("sync", folder.string());
  return {};
}

Result<void> sync_file(const std::filesystem::path& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) return failed("open", path.string());
  if (::fsync(file.get()) != 0) return failed("sync", path.string());
  return sync_folder(path.parent_path());
}

Result<void> write_at(int fd, std::size_t offset, std::string_view text, const std::string& name) {
  while (!text.empty()) {
    const ssize_t written = ::pwrite(fd, text.data(), text.size(), static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return failed("write", name);
    offset += static_cast<std::size_t>(written);
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

Result<std::optional<std::string>> read_file(const std::filesystem::path& path, std::size_t limit) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.get() < 0) {
    if (errno == ENOENT) return std::nullopt;
    return failed("open", path.string());
  }
  struct stat status{};
  if (::fstat(file.get(), &status) != 0) return failed("examine", path.string());
  if (!S_ISREG(status.st_mode)) return failed("read", path.string(), 0, "not a regular file");
  const auto size = static_cast<std::size_t>(status.st_size);
  if (size > limit) return failed("read", path.string(), EFBIG);
  std::string text(size + 1, '\0');  // room to see the end
  std::size_t have = 0;
  while (true) {
    if (have == text.size()) text.resize(text.size() + 1);  // it grows
    if (text.size() > limit + 1) return failed("read", path.string(), EFBIG);
    const ssize_t got = ::read(file.get(), text.data() + have, text.size() - have);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failed("read", path.string());
    if (got == 0) break;
    have += static_cast<std::size_t>(got);
  }
  text.resize(have);
  return text;
}

Result<void> write_synced(const std::filesystem::path& path, std::string_view text, mode_t mode) {
  return write_new(path, text, mode, Safety::synced);
}

Result<StagedFile> StagedFile::write(std::filesystem::path path, std::string_view text,
                                     Safety safety) {
  std::error_code unresolved;
  if (std::filesystem::is_symlink(path, unresolved)) {
    auto target = std::filesystem::weakly_canonical(path, unresolved);
    if (unresolved) return failed("resolve", path.string(), unresolved.value());
    path = std::move(target);
  }
  struct stat there{};
  const bool exists = ::stat(path.c_str(), &there) == 0;
  StagedFile staged(std::move(path), safety);
  const std::string name = staged.staged().string();
  if (auto written = write_new(name, text, exists ? there.st_mode & 07777U : for_everyone, safety);
      !written)
    return tl::unexpected(written.error());
  // Else a power loss could leave no trace of it while the store says that it is to take its place.
  if (safety == Safety::synced)
    if (auto named = sync_folder(staged.path_.parent_path()); !named)
      return tl::unexpected(named.error());
  // Without the right to give files away it becomes ours, as it would for any editor.
  if (exists && (there.st_uid != ::geteuid() || there.st_gid != ::getegid()))
    static_cast<void>(::lchown(name.c_str(), there.st_uid, there.st_gid) == 0);
  return staged;
}

Result<std::optional<std::string>> StagedFile::left_behind(const std::filesystem::path& path) {
  return read_file(path.string() + std::string(staged_suffix));
}

StagedFile::StagedFile(StagedFile&& other) noexcept
    : path_(std::move(other.path_)),
      safety_(other.safety_),
      pending_(std::exchange(other.pending_, false)) {}

StagedFile::~StagedFile() {
  if (pending_) ::unlink(staged().c_str());
}

Result<void> StagedFile::publish() {
  if (::rename(staged().c_str(), path_.c_str()) != 0) return failed("rename to", path_.string());
  pending_ = false;
  if (safety_ == Safety::unsynced) return {};
  return sync_folder(path_.parent_path());
}

Result<void> remove_durably(const std::filesystem::path& path) {
  if (::unlink(path.c_str()) != 0)
    return errno == ENOENT ? Result<void>() : failed("remove", path.string());
  return sync_folder(path.parent_path());
}

Result<void> rename_durably(const std::filesystem::path& from, const std::filesystem::path& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) return failed("rename to", to.string());
  return sync_folder(to.parent_path());
}

}  // namespace fwctl
