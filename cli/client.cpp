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

Failure receive_message(int socket, MessageBuffer& buffer, Clock::time_point deadline) {
  std::array<char, 64UL << 10> piece;  // NOLINT(*-member-init): recv fills it
  while (buffer.state() != MessageBuffer::State::complete) {
    if (buffer.state() == MessageBuffer::State::overlong)
      return broken("the reply of fwctld is too large");
    const ssize_t size = recv(socket, piece.data(), piece.size(), MSG_DONTWAIT);
    if (size > 0) {
      buffer.append({piece.data(), static_cast<std::size_t>(size)});
    } else if (size == 0) {
      return broken("fwctld closed the connection without a reply");
    } else if (errno == EAGAIN) {
      if (Failure failure = wait_for(socket, POLLIN, deadline)) return failure;
    } else if (errno != EINTR) {
      return broken("cannot receive from fwctld: " + text_of(errno));
    }
  }
  return {};
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
  std::swap(input_, other.input_);
  return *this;
}

Client::~Client() {
  if (socket_ >= 0) close(socket_);
}

// It changes what the connection is good for.
// NOLINTNEXTLINE(readability-make-member-function-const)
tl::expected<void, ClientError> Client::send(const std::string& method, protocol::Json parameters,
                                             bool more, Time deadline) {
  protocol::Call call;
  call.method = method.find('.') == std::string::npos
                    ? std::string(protocol::interface_name) + "." + method
                    : method;
  call.parameters = std::move(parameters);
  call.more = more;
  if (Failure failure = send_all(socket_, encode(call), deadline))
    return tl::unexpected(std::move(*failure));
  return {};
}

tl::expected<protocol::Reply, ClientError> Client::receive(Time deadline) {
  if (Failure failure = receive_message(socket_, input_, deadline))
    return tl::unexpected(std::move(*failure));
  auto reply = protocol::decode_reply(input_.take());
  if (!reply) return tl::unexpected(broken("fwctld answered nonsense: " + reply.error()));
  return std::move(*reply);
}

tl::expected<protocol::Reply, ClientError> Client::call(const std::string& method,
                                                        protocol::Json parameters,
                                                        std::chrono::milliseconds timeout) {
  const Time deadline = Clock::now() + timeout;
  if (auto sent = send(method, std::move(parameters), false, deadline); !sent)
    return tl::unexpected(std::move(sent.error()));
  return receive(deadline);
}

tl::expected<protocol::Reply, ClientError> Client::stream(
    const std::string& method, protocol::Json parameters,
    const std::function<bool(const protocol::Reply&)>& visit, std::chrono::milliseconds timeout) {
  Time deadline = Clock::now() + timeout;
  if (auto sent = send(method, std::move(parameters), true, deadline); !sent)
    return tl::unexpected(std::move(sent.error()));
  while (true) {
    auto reply = receive(deadline);
    if (!reply || !visit(*reply) || !reply->continues) return reply;
    deadline = Time::max();
  }
}

}  // namespace fwctl::cli
