// Calls the daemon over its socket and waits for the answer.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <tl/expected.hpp>
#include <utility>

#include "daemon/protocol/message.h"
#include "daemon/protocol/message_buffer.h"

namespace fwctl::cli {

// Why there is no reply. A reply that is an error is not one of these.
struct ClientError {
  enum class Kind {
    no_daemon,      // nothing listens there
    no_permission,  // the socket may not be opened
    failed,         // the connection broke, time ran out, what came is not a reply
  };
  Kind kind = Kind::failed;
  std::string message;  // a sentence
};

class Client {
 public:
  static constexpr std::size_t largest_reply = 256UL << 20;

  static tl::expected<Client, ClientError> connect(const std::string& path);
  Client(Client&& other) noexcept
      : socket_(std::exchange(other.socket_, -1)), input_(std::move(other.input_)) {}
  Client& operator=(Client&& other) noexcept;
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  ~Client();

  // Calls with `more`: hands each reply to `visit` until it is the last of them, or an error, or
  // `visit` says false; that reply is returned. The first must come within `timeout`.
  tl::expected<protocol::Reply, ClientError> stream(
      const std::string& method, protocol::Json parameters,
      const std::function<bool(const protocol::Reply&)>& visit,
      std::chrono::milliseconds timeout = std::chrono::minutes(5));

  // `method` without a dot is one of org.fwctl.Firewall. `timeout` is for the whole call; a large
  // change may take minutes. Any number of calls may follow each other until one fails here: then
  // the connection is of no more use.
  tl::expected<protocol::Reply, ClientError> call(
      const std::string& method, protocol::Json parameters,
      std::chrono::milliseconds timeout = std::chrono::minutes(5));

 private:
  using Time = std::chrono::steady_clock::time_point;

  explicit Client(int socket) : socket_(socket) {}
  tl::expected<void, ClientError> send(const std::string& method, protocol::Json parameters,
                                       bool more, Time deadline);
  tl::expected<protocol::Reply, ClientError> receive(Time deadline);

  int socket_;
  protocol::MessageBuffer input_{largest_reply};
};

}  // namespace fwctl::cli
