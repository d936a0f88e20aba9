#include "daemon/change_log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "rules/digest.h"

namespace fwctl {
namespace {

constexpr std::size_t digits = 16;  // of a digest

}  // namespace

Result<void> ChangeLog::create(const std::filesystem::path& path) {
  ::unlink(path.c_str());
  const Descriptor file(
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, for_root));
  if (file.get() < 0) return failed("create", path.string());
  return {};
}

Result<ChangeLog> ChangeLog::open(const std::filesystem::path& path, std::uint64_t seed) {
  const auto text = read_file(path);
  if (!text) return tl::unexpected(text.error());
  ChangeLog log(path, seed);
  if (!*text) return log;
  const auto rest = log.take_lines(**text);
  log.lost_ = static_cast<std::size_t>(std::ranges::count(rest, '\n'));
  log.writable_ = log.lost_ == 0;
  if (log.writable_ && !rest.empty())
    if (auto whole = log.cut(log.size_); !whole) return tl::unexpected(whole.error());
  return log;
}

// What is left behind the last line that counts.
std::string_view ChangeLog::take_lines(std::string_view text) {
  while (true) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos || end <= digits) return text;
    const auto line = text.substr(digits + 1, end - digits - 1);
    const std::uint64_t sum = digest(line, sum_);
    if (text.substr(0, digits) != hex(sum) || text[digits] != ' ') return text;
    sum_ = sum;
    size_ += end + 1;
    lines_.emplace_back(line);
    text.remove_prefix(end + 1);
  }
}

// Opened each time: what is at that path is what a start will find.
Result<Descriptor> ChangeLog::writing() const {
  Descriptor file(::open(path_.c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW));
  if (file.get() < 0) return failed("open", path_.string(), errno == ENOENT ? ESTALE : errno);
  return file;
}

Result<void> ChangeLog::append(std::string_view text, bool synced) {
  const std::uint64_t sum = digest(text, sum_);
  const std::string line = hex(sum) + " " + std::string(text) + "\n";
  const auto file = writing();
  if (!file) return tl::unexpected(file.error());
  struct stat status{};
  if (::fstat(file->get(), &status) != 0) return failed("examine", path_.string());
  if (status.st_size != static_cast<off_t>(size_))
    return failed("append to", path_.string(), ESTALE);
  auto written = write_at(file->get(), size_, line, path_.native());
  if (written && synced && ::fdatasync(file->get()) != 0) written = failed("sync", path_.string());
  if (!written) {
    static_cast<void>(cut(size_));
    return written;
  }
  size_before_ = std::exchange(size_, size_ + line.size());
  sum_before_ = std::exchange(sum_, sum);
  return {};
}

Result<void> ChangeLog::take_back() {
  auto done = cut(size_before_);
  if (!done) return done;
  size_ = size_before_;
  sum_ = sum_before_;
  return {};
}

Result<void> ChangeLog::cut(std::size_t size) {
  const auto file = writing();
  if (!file) return tl::unexpected(file.error());
  if (::ftruncate(file->get(), static_cast<off_t>(size)) != 0)
    return failed("shorten", path_.string());
  if (::fdatasync(file->get()) != 0) return failed("sync", path_.string());
  return {};
}

}  // namespace fwctl
