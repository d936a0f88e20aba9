#include "daemon/listen.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <system_error>

namespace fwctl {
namespace {

int new_socket() {
  return ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

bool is_served(const sockaddr* address, socklen_t length) {
  const int probe = new_socket();
  if (probe < 0) return false;
  const bool connected = ::connect(probe, address, length) == 0;
  ::close(probe);
  return connected;
}

Result<int> bind_socket(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return failed("listen on", path, ENAMETOOLONG);
  std::copy(path.begin(), path.end(), static_cast<char*>(address.sun_path));
  const auto* generic = reinterpret_cast<const sockaddr*>(&address);
  if (is_served(generic, sizeof address))
    return failed("listen on", path, EADDRINUSE, "another fwctld serves it");
  std::error_code ignored;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), ignored);
  if (std::filesystem::is_socket(path, ignored)) std::filesystem::remove(path, ignored);
  const int fd = new_socket();
  if (fd < 0) return failed("create a socket for", path);
  if (::bind(fd, generic, sizeof address) == 0 && ::chmod(path.c_str(), 0666) == 0 &&
      ::listen(fd, SOMAXCONN) == 0)
    return fd;
  const int code = errno;
  ::close(fd);
  return failed("listen on", path, code);
}

}  // namespace

Result<int> listening_socket(const std::string& path) {
  const int handed = ::sd_listen_fds(1);
  if (handed < 0) return failed("take the socket from systemd", path, -handed);
  if (handed > 1) return failed("take the socket from systemd", path, 0, "there is more than one");
  if (handed == 0) return bind_socket(path);
  const int fd = SD_LISTEN_FDS_START;
  if (::sd_is_socket(fd, AF_UNIX, SOCK_STREAM, 1) <= 0)
    return failed("take the socket from systemd", path, 0, "it is no listening Unix stream socket");
  return fd;
}

}  // namespace fwctl
