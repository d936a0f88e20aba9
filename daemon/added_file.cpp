#include "daemon/added_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <string>
#include <tuple>

#include "daemon/files.h"

namespace fwctl {
namespace {

// The kernel's clock for files ticks up to every 10 ms: who writes twice within one leaves no trace
// of the second time.
constexpr auto tick = std::chrono::milliseconds(10);

std::chrono::nanoseconds nanoseconds(const timespec& time) {
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

auto identity(const struct stat& status) {
  return std::tuple(status.st_dev, status.st_ino, status.st_nlink, status.st_mode, status.st_size,
                    nanoseconds(status.st_mtim), nanoseconds(status.st_ctim));
}

std::optional<struct stat> examine(const std::filesystem::path& path) {
  struct stat status{};
  if (::lstat(path.c_str(), &status) != 0) return {};
  return status;
}

bool is_settled(const struct stat& status) {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return nanoseconds(now) - nanoseconds(status.st_ctim) > tick;
}

}  // namespace

Result<bool> AddedFile::holds(std::string_view text) {
  const auto before = examine(path_);
  if (before && known_ && identity(*before) == identity(*known_) &&
      static_cast<std::size_t>(before->st_size) == text.size())
    return true;
  known_.reset();
  const auto read = read_file(path_);
  if (!read) return tl::unexpected(read.error());
  if (std::string_view(read->value_or("")) != text) return false;
  // It may have been changed while it was read; and through a link, that is not the file.
  const auto after = examine(path_);
  if (before && after && identity(*before) == identity(*after) && is_settled(*before) &&
      S_ISREG(before->st_mode))
    known_ = before;
  return true;
}

void AddedFile::replaced(std::string_view text) {
  known_ = examine(path_);
  if (known_ &&
      (!S_ISREG(known_->st_mode) || static_cast<std::size_t>(known_->st_size) != text.size()))
    known_.reset();
}

bool AddedFile::takes(const policy::Insertion& insertion, std::string_view text) const {
  return known_ && known_->st_nlink == 1 && insertion.at <= text.size() &&
         text.size() - insertion.at <= most_moved;
}

Result<void> AddedFile::insert(const policy::Insertion& insertion, std::string_view text) {
  return end_with(insertion.at, text.substr(insertion.at));
}

Result<void> AddedFile::take_out(const policy::Insertion& insertion, std::string_view text) {
  return end_with(insertion.at, text.substr(insertion.at + insertion.text.size()));
}

Result<void> AddedFile::end_with(std::size_t at, std::string_view rest) {
  const Descriptor file(::open(path_.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  if (file.get() < 0) return failed("open", path_.string());
  struct stat status{};
  if (::fstat(file.get(), &status) != 0) return failed("examine", path_.string());
  if (!known_ || identity(status) != identity(*known_))
    return failed("change", path_.string(), 0, "another program changes it");
  const auto size = static_cast<std::size_t>(status.st_size);
  std::string before(size - at, '\0');
  if (::pread(file.get(), before.data(), before.size(), static_cast<off_t>(at)) !=
      static_cast<ssize_t>(before.size()))
    return failed("read", path_.string());
  known_.reset();
  auto done = write_at(file.get(), at, rest, path_.native());
  if (done && at + rest.size() < size &&
      ::ftruncate(file.get(), static_cast<off_t>(at + rest.size())) != 0)
    done = failed("shorten", path_.string());
  if (!done) {
    const auto back = write_at(file.get(), at, before, path_.native());
    if (!back || ::ftruncate(file.get(), static_cast<off_t>(size)) != 0)
      return failed("put back", path_.string());
    return done;
  }
  if (::fstat(file.get(), &status) == 0) known_ = status;
  return {};
}

}  // namespace fwctl
