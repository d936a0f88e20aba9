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
// The file grows by as much as file systems mostly give it anyway.
constexpr std::size_t block = 4096;

std::size_t whole_blocks(std::size_t size) {
  return (size + block - 1) / block * block;
}

std::string_view without_zeros_behind(std::string_view text) {
  return text.substr(0, text.find_last_not_of('\0') + 1);
}

// Whether a power loss can have left what stands behind the last line that counts, so that it was
// never stored: a line that was being written, and at most one before it that was not synced. Of
// these any sectors may be missing, and are zeros then.
bool is_torn(std::string_view rest) {
  const auto ends = std::ranges::count(rest, '\n');
  return ends == 0 || (ends <= 2 && rest.find('\0') != std::string_view::npos);
}

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
  const auto rest = without_zeros_behind(log.take_lines(**text));
  if (!is_torn(rest)) log.lost_ = static_cast<std::size_t>(std::ranges::count(rest, '\n'));
  log.writable_ = log.lost_ == 0;
  log.file_size_ = (*text)->size();
  if (log.writable_ && !rest.empty()) {
    log.file_size_ = log.size_;
    if (auto whole = log.cut(log.size_, log.size_, log.size_); !whole)
      return tl::unexpected(whole.error());
  }
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
  Descriptor file(::open(path_.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  if (file.get() < 0) return failed("open", path_.string(), errno == ENOENT ? ESTALE : errno);
  return file;
}

// A copy of another day has mostly the same size; but here a line ends, and nothing follows.
Result<void> ChangeLog::expect_end(const Descriptor& file) const {
  struct stat status{};
  if (::fstat(file.get(), &status) != 0) return failed("examine", path_.string());
  const std::string expected = size_ == 0 ? std::string(1, '\0') : std::string("\n\0", 2);
  std::string there(expected.size(), '\0');  // and so it stays where the file ends
  const std::size_t from = size_ == 0 ? 0 : size_ - 1;
  if (::pread(file.get(), there.data(), there.size(), static_cast<off_t>(from)) < 0)
    return failed("read", path_.string());
  if (status.st_size != static_cast<off_t>(file_size_) || there != expected)
    return failed("append to", path_.string(), ESTALE);
  return {};
}

Result<void> ChangeLog::append(std::string_view text, bool synced) {
  const std::uint64_t sum = digest(text, sum_);
  std::string line = hex(sum) + " " + std::string(text) + "\n";
  const std::size_t end = size_ + line.size();
  const auto file = writing();
  if (!file) return tl::unexpected(file.error());
  if (const auto same = expect_end(*file); !same) return same;
  if (end > file_size_) line.append(whole_blocks(end) - end, '\0');
  const std::size_t end_of_file = size_ + line.size();
  auto written = write_at(file->get(), size_, line, path_.native());
  if (written && synced && ::fdatasync(file->get()) != 0) written = failed("sync", path_.string());
  if (!written) {
    // Where that fails too nobody knows what stands there.
    writable_ = cut(size_, file_size_, end).has_value();
    return written;
  }
  size_before_ = std::exchange(size_, end);
  file_size_before_ = std::exchange(file_size_, std::max(file_size_, end_of_file));
  sum_before_ = std::exchange(sum_, sum);
  return {};
}

Result<void> ChangeLog::take_back() {
  auto done = cut(size_before_, file_size_before_, size_);
  if (!done) return done;
  size_ = size_before_;
  file_size_ = file_size_before_;
  sum_ = sum_before_;
  return {};
}

// What stands from `size` to `end` becomes zeros, in a file of `file_size` bytes.
Result<void> ChangeLog::cut(std::size_t size, std::size_t file_size, std::size_t end) const {
  const auto file = writing();
  if (!file) return tl::unexpected(file.error());
  const std::string zeros(std::min(end, file_size) - size, '\0');
  if (const auto done = write_at(file->get(), size, zeros, path_.native()); !done) return done;
  if (::ftruncate(file->get(), static_cast<off_t>(file_size)) != 0)
    return failed("shorten", path_.string());
  if (::fdatasync(file->get()) != 0) return failed("sync", path_.string());
  return {};
}

}  // namespace fwctl
