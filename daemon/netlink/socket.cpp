#include "daemon/netlink/socket.h"

#include <linux/netlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <utility>

namespace fwctl::netlink {
namespace {

constexpr std::string_view object = "netlink socket";

// 20,000 refused rules give 20 MB of replies; the memory is used only while they are queued.
constexpr int receive_limit = 64 << 20;
// What the kernel fills at most in one datagram of a dump is 32 KiB.
constexpr std::size_t datagram_limit = std::size_t{64} << 10;

void set_limit(int fd, int privileged, int capped, int bytes) {
  if (setsockopt(fd, SOL_SOCKET, privileged, &bytes, sizeof(bytes)) == 0) return;
  // Without CAP_NET_ADMIN, as far as net.core.[rw]mem_max allows. A batch that is too long then is
  // refused by send().
  (void)setsockopt(fd, SOL_SOCKET, capped, &bytes, sizeof(bytes));
}

}  // namespace

Socket::Socket(int fd) : fd_(fd), received_(datagram_limit) {}

Socket::Socket(Socket&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      send_limit_(other.send_limit_),
      received_(std::move(other.received_)) {}

Socket& Socket::operator=(Socket&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(send_limit_, other.send_limit_);
  std::swap(received_, other.received_);
  return *this;
}

Socket::~Socket() {
  if (fd_ >= 0) close(fd_);
}

Result<Socket> Socket::open(int protocol) {
  Socket made(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol));
  if (made.fd_ < 0) return failed("open", std::string(object));
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  if (bind(made.fd_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0)
    return failed("bind", std::string(object));
  // An error needs no copy of the message it is about.
  const int on = 1;
  if (setsockopt(made.fd_, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on)) != 0 ||
      setsockopt(made.fd_, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on)) != 0)
    return failed("configure", std::string(object));
  set_limit(made.fd_, SO_RCVBUFFORCE, SO_RCVBUF, receive_limit);
  return made;
}

Result<void> Socket::join(int group) const {
  if (setsockopt(fd_, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) != 0)
    return failed("join a group of", std::string(object));
  return {};
}

Result<void> Socket::leave(int group) const {
  if (setsockopt(fd_, SOL_NETLINK, NETLINK_DROP_MEMBERSHIP, &group, sizeof(group)) != 0)
    return failed("leave a group of", std::string(object));
  return {};
}

Result<std::uint32_t> Socket::port() const {
  sockaddr_nl address{};
  socklen_t length = sizeof(address);
  if (getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &length) != 0)
    return failed("ask for the address of", std::string(object));
  return address.nl_pid;
}

void Socket::limit_queue(int bytes) const {
  set_limit(fd_, SO_RCVBUFFORCE, SO_RCVBUF, bytes);
}

Result<void> Socket::send(std::string_view messages) {
  if (messages.size() > send_limit_) {
    // The kernel keeps 32 bytes of the limit for itself, and doubles what it is told.
    set_limit(fd_, SO_SNDBUFFORCE, SO_SNDBUF, static_cast<int>(messages.size() + 1024));
    send_limit_ = messages.size();
  }
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  const ssize_t sent = sendto(fd_, messages.data(), messages.size(), 0,
                              reinterpret_cast<const sockaddr*>(&kernel), sizeof(kernel));
  if (sent < 0) return failed("send to", std::string(object));
  return {};
}

Result<std::optional<std::string_view>> Socket::receive_queued() {
  return receive_with(MSG_DONTWAIT);
}

Result<std::string_view> Socket::receive() {
  const auto datagram = receive_with(0);
  if (!datagram) return tl::unexpected(datagram.error());
  return datagram->value_or(std::string_view());
}

Result<std::optional<std::string_view>> Socket::receive_with(int flags) {
  for (;;) {
    sockaddr_nl sender{};
    iovec part{.iov_base = received_.data(), .iov_len = received_.size()};
    msghdr header{};
    header.msg_name = &sender;
    header.msg_namelen = sizeof(sender);
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    const ssize_t length = recvmsg(fd_, &header, flags);
    if (length < 0) {
      if (errno == EINTR) continue;
      if ((flags & MSG_DONTWAIT) != 0 && errno == EAGAIN) return std::nullopt;
      return failed("receive from", std::string(object));
    }
    if (sender.nl_pid != 0) continue;  // another process, not the kernel
    if ((header.msg_flags & MSG_TRUNC) != 0)
      return failed("receive from", std::string(object), EMSGSIZE);
    return std::string_view(received_.data(), static_cast<std::size_t>(length));
  }
}

Result<void> Socket::dump(std::string_view request, std::uint32_t sequence, const Visit& visit) {
  return dump(request, sequence, visit, true);
}

Result<void> Socket::dump_until_error(std::string_view request, std::uint32_t sequence,
                                      const Visit& visit) {
  return dump(request, sequence, visit, false);
}

Result<void> Socket::dump(std::string_view request, std::uint32_t sequence, const Visit& visit,
                          bool to_the_end) {
  if (auto sent = send(request); !sent) return sent;
  Result<void> outcome;
  bool interrupted = false;
  for (bool done = false; !done;) {
    const auto datagram = receive();
    if (!datagram) return tl::unexpected(datagram.error());
    for_each_message(*datagram, [&](const nlmsghdr& message) {
      if (message.nlmsg_seq != sequence || done) return;
      if ((message.nlmsg_flags & NLM_F_DUMP_INTR) != 0) interrupted = true;
      if (message.nlmsg_type == NLMSG_ERROR || message.nlmsg_type == NLMSG_DONE) {
        done = true;
        if (const int code = error_in(message); code != 0 && outcome)
          outcome = failed("receive from", std::string(object), code);
        return;
      }
      if ((message.nlmsg_flags & NLM_F_MULTI) == 0) done = true;  // an answer of one message
      if (outcome) outcome = visit(message);
    });
    if (!outcome && !to_the_end) return outcome;
  }
  if (interrupted) return failed("receive from", std::string(object), EINTR);
  return outcome;
}

int error_in(const nlmsghdr& message) {
  if (mnl_nlmsg_get_payload_len(&message) < sizeof(int)) return 0;
  int code = 0;
  std::memcpy(&code, mnl_nlmsg_get_payload(&message), sizeof(code));
  return code < 0 ? -code : code;
}

}  // namespace fwctl::netlink
