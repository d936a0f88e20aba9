#include "cli/client.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <string_view>
#include <system_error>

#include "daemon/protocol/message_buffer.h"

namespace fwctl::cli {
namespace {

using Clock = std::chrono::steady_clock;
using Kind = ClientError::Kind;
using Failure = std::optional<ClientError>;
using protocol::MessageBuffer;

// A daemon that is busy with another's change takes no new connections meanwhile; beyond its
// backlog connecting waits.
constexpr timeval connect_timeout{.tv_sec = 60, .tv_usec = 0};

std::string text_of(int code) {
  return std::generic_category().message(code);
}

ClientError broken(const std::string& what) {
  return {Kind::failed, what};
}

ClientError not_connected(const std::string& path, int code) {
  const std::string message = "cannot connect to " + path + ": " + text_of(code);
  switch (code) {
    case ENOENT:
    case ENOTDIR:
    case ECONNREFUSED:
      return {Kind::no_daemon, "fwctld is not running (" + message + ")"};
    case EACCES:
    case EPERM:
      return {Kind::no_permission, message};
    case EAGAIN:
      return {Kind::failed, "cannot connect to " + path + ": fwctld takes no connections"};
    default:
      return {Kind::failed, message};
  }
}

// Nothing when the socket is ready for `events`, or broken, which the next call on it will say.
Failure wait_for(int socket, short events, Clock::time_point deadline) {
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    if (left.count() <= 0) return broken("fwctld did not answer in time");
    pollfd waiting{.fd = socket, .events = events, .revents = 0};
    const int longest = 1 << 30;
    const int ready =
        poll(&waiting, 1, static_cast<int>(std::min<std::int64_t>(left.count(), longest)));
    if (ready > 0) return {};
    if (ready < 0 && errno != EINTR) return broken("cannot wait for fwctld: " + text_of(errno));
  }
}

// A daemon that refuses a request in the middle of it says why and hangs up: then there is a reply
// to be read although not all could be sent.
Failure send_all(int socket, std::string_view text, Clock::time_point deadline) {
  while (!text.empty()) {
    const ssize_t sent = send(socket, text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0) {
      text.remove_prefix(static_cast<std::size_t>(sent));
    } else if (errno == EPIPE || errno == ECONNRESET) {
      return {};
    } else if (errno == EAGAIN) {
      if (Failure failure = wait_for(socket, POLLOUT, deadline)) return failure;
    } else if (errno != EINTR) {
      return broken("cannot send to fwctld: " + text_of(errno));
    }
  }
  return {};
}

tl::expected<std::string, ClientError> receive_message(int socket, Clock::time_point deadline) {
  MessageBuffer buffer(Client::largest_reply);
  std::array<char, 64UL << 10> piece;  // NOLINT(*-member-init): recv fills it
  while (buffer.state() != MessageBuffer::State::complete) {
    if (buffer.state() == MessageBuffer::State::overlong)
      return tl::unexpected(broken("the reply of fwctld is too large"));
    const ssize_t size = recv(socket, piece.data(), piece.size(), MSG_DONTWAIT);
    if (size > 0) {
      buffer.append({piece.data(), static_cast<std::size_t>(size)});
    } else if (size == 0) {
      return tl::unexpected(broken("fwctld closed the connection without a reply"));
    } else if (errno == EAGAIN) {
      if (Failure failure = wait_for(socket, POLLIN, deadline)) return tl::unexpected(*failure);
    } else if (errno != EINTR) {
      return tl::unexpected(broken("cannot receive from fwctld: " + text_of(errno)));
    }
  }
  return buffer.take();
}

}  // namespace

tl::expected<Client, ClientError> Client::connect(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    return tl::unexpected(not_connected(path, ENAMETOOLONG));
  path.copy(static_cast<char*>(address.sun_path), path.size());

  Client client(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (client.socket_ < 0) return tl::unexpected(not_connected(path, errno));
  setsockopt(client.socket_, SOL_SOCKET, SO_SNDTIMEO, &connect_timeout, sizeof connect_timeout);
  int result = 0;
  do {
    result = ::connect(client.socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  } while (result < 0 && errno == EINTR);
  if (result < 0) return tl::unexpected(not_connected(path, errno));
  return client;
}

Client& Client::operator=(Client&& other) noexcept {
  std::swap(socket_, other.socket_);
  return *this;
}

Client::~Client() {
  if (socket_ >= 0) close(socket_);
}

// It changes what the connection is good for.
// NOLINTNEXTLINE(readability-make-member-function-const)
tl::expected<protocol::Reply, ClientError> Client::call(const std::string& method,
                                                        protocol::Json parameters,
                                                        std::chrono::milliseconds timeout) {
  const Clock::time_point deadline = Clock::now() + timeout;
  protocol::Call call;
  call.method = method.find('.') == std::string::npos
                    ? std::string(protocol::interface_name) + "." + method
                    : method;
  call.parameters = std::move(parameters);
  if (Failure failure = send_all(socket_, encode(call), deadline))
    return tl::unexpected(std::move(*failure));
  const auto text = receive_message(socket_, deadline);
  if (!text) return tl::unexpected(text.error());
  auto reply = protocol::decode_reply(*text);
  if (!reply) return tl::unexpected(broken("fwctld answered nonsense: " + reply.error()));
  return std::move(*reply);
}

}  // namespace fwctl::cli
