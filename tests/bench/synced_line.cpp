// The least that a command costs whose change is kept: it starts, writes one line over what is in a
// file, syncs it and ends.
//
//   synced_line FILE NUMBER
//
// The line is the NUMBER-th, from 0 on. It has as many bytes as fwctl's own for a rule has.
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

namespace {

constexpr std::size_t length = 160;
constexpr std::size_t block = 4096;  // the file grows by so much

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return EXIT_FAILURE;
  const int file = ::open(argv[1], O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  const auto at = static_cast<std::size_t>(std::strtoul(argv[2], nullptr, 10)) * length;
  std::array<char, block> bytes{};
  const auto end = static_cast<std::size_t>(::lseek(file, 0, SEEK_END));
  const std::size_t size = at + length > end ? block : length;
  for (std::size_t byte = 0; byte < length; ++byte) bytes.at(byte) = 'x';
  const bool written =
      ::pwrite(file, bytes.data(), size, static_cast<off_t>(at)) == static_cast<ssize_t>(size);
  return written && ::fdatasync(file) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
