#include "daemon/connection.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cerrno>
#include <string_view>
#include <utility>

namespace fwctl {
namespace {

bool try_later() {
  return errno == EAGAIN || errno == EINTR;
}

}  // namespace

Connection::Connection(int socket, Peer peer, std::size_t request, Time now)
    : socket_(socket), peer_(std::move(peer)), input_(request), active_(now), request_began_(now) {}

Connection::~Connection() {
  close(socket_);
}

bool Connection::receive(Time now) {
  assert(!has_request());
  std::array<char, 64UL << 10> piece;  // NOLINT(*-member-init): recv fills it
  const ssize_t size = recv(socket_, piece.data(), piece.size(), 0);
  if (size < 0) return try_later();
  if (size == 0) {
    ended_ = true;
    return true;
  }
  if (input() == Input::empty) request_began_ = now;
  input_.append({piece.data(), static_cast<std::size_t>(size)});
  active_ = now;
  return true;
}

bool Connection::has_request() const {
  return input() == Input::complete || input() == Input::overlong;
}

std::string Connection::take_request(Time now) {
  std::string request = input_.take();
  request_began_ = now;  // of what follows it, if anything does
  return request;
}

bool Connection::send(std::string reply, Time now) {
  assert(unsent() == 0);
  output_ = std::move(reply);
  sent_ = 0;
  return flush(now);
}

// One piece at a time: a peer that reads as fast as we send must not keep us from the others.
bool Connection::flush(Time now) {
  const std::string_view rest = std::string_view(output_).substr(sent_);
  const ssize_t size = ::send(socket_, rest.data(), rest.size(), MSG_NOSIGNAL);
  if (size < 0) return try_later();
  active_ = now;
  sent_ += static_cast<std::size_t>(size);
  if (unsent() == 0) {
    std::string().swap(output_);  // gives the memory back
    sent_ = 0;
  }
  return true;
}

bool Connection::done() const {
  return (ended_ || finished_) && unsent() == 0;
}

// What it awaits has happened, and the event loop has not come round to it: another's request may
// have taken us longer than a peer may be silent.
bool Connection::is_ready() const {
  const short awaited = awaits_room() ? POLLOUT : POLLIN;
  pollfd waiting{.fd = socket_, .events = awaited, .revents = 0};
  return poll(&waiting, 1, 0) > 0;
}

bool Connection::request_is_late(Time now, std::chrono::milliseconds request) const {
  return input() == Input::partial && request_began_ + request <= now;
}

bool Connection::expired(Time now, std::chrono::milliseconds idle,
                         std::chrono::milliseconds request) const {
  if (request_is_late(now, request)) return true;
  return active_ + idle <= now && !is_ready();
}

Connection::Time Connection::deadline(std::chrono::milliseconds idle,
                                      std::chrono::milliseconds request) const {
  const Time silent = active_ + idle;
  return input() == Input::partial ? std::min(silent, request_began_ + request) : silent;
}

}  // namespace fwctl
