// A netlink socket.
#pragma once

#include <libmnl/libmnl.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "daemon/result.h"

namespace fwctl::netlink {

class Socket {
 public:
  static Result<Socket> open(int protocol);
  Socket(Socket&& other) noexcept;
  Socket& operator=(Socket&& other) noexcept;
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  ~Socket();

  // From now on, what the kernel tells that multicast group is received too.
  Result<void> join(int group) const;
  // Not any more; what is queued stays.
  Result<void> leave(int group) const;
  // By which the kernel calls this socket.
  Result<std::uint32_t> port() const;
  // To wait for input on.
  int fd() const { return fd_; }

  // Datagrams beyond so many bytes are lost, which the next receive says (ENOBUFS).
  void limit_queue(int bytes) const;

  // All of it as one sendmsg, however long: the kernel has dealt with it, and queued its replies,
  // when this returns.
  Result<void> send(std::string_view messages);

  // The next datagram, nullopt when none is queued. Valid until the next call.
  Result<std::optional<std::string_view>> receive_queued();

  // Waits for one.
  Result<std::string_view> receive();

  // Sends one request, numbered `sequence`, and hands every message of the answer to `visit`. The
  // first error of `visit` is returned, after the rest of the answer has been read away. EINTR:
  // something changed while the kernel was answering, and what was visited is worth nothing.
  using Visit = std::function<Result<void>(const nlmsghdr&)>;
  Result<void> dump(std::string_view request, std::uint32_t sequence, const Visit& visit);
  // The same, but the first error of `visit` ends it at once. What is left of the answer stays in
  // the socket, which is good for nothing any more then.
  Result<void> dump_until_error(std::string_view request, std::uint32_t sequence,
                                const Visit& visit);

 private:
  explicit Socket(int fd);
  Result<std::optional<std::string_view>> receive_with(int flags);
  Result<void> dump(std::string_view request, std::uint32_t sequence, const Visit& visit,
                    bool to_the_end);

  int fd_ = -1;
  std::size_t send_limit_ = 0;
  std::vector<char> received_;
};

// Calls visit(const nlmsghdr&) for each whole message of a datagram.
template <typename Visit>
void for_each_message(std::string_view datagram, Visit visit) {
  const auto* message = reinterpret_cast<const nlmsghdr*>(datagram.data());
  int left = static_cast<int>(datagram.size());
  while (mnl_nlmsg_ok(message, left)) {
    visit(*message);
    message = mnl_nlmsg_next(message, &left);
  }
}

// The same for each message of at most `most` datagrams that are queued; the rest stays.
template <typename Visit>
Result<void> for_each_queued(Socket& socket, int most, const Visit& visit) {
  for (; most > 0; --most) {
    const auto datagram = socket.receive_queued();
    if (!datagram) return tl::unexpected(datagram.error());
    const auto& queued = *datagram;
    if (!queued) break;
    for_each_message(*queued, visit);
  }
  return {};
}

// The errno in a message of type NLMSG_ERROR or NLMSG_DONE, positive; 0 for success.
int error_in(const nlmsghdr& message);

}  // namespace fwctl::netlink
