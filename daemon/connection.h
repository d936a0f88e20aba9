// One peer: its bytes, its messages, its time. Never blocks; knows nothing of the event loop or of
// what a message means. Time is passed in.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>

#include "daemon/peer.h"
#include "daemon/protocol/message_buffer.h"

namespace fwctl {

class Connection {
 public:
  using Time = std::chrono::steady_clock::time_point;
  using Input = protocol::MessageBuffer::State;

  // Takes ownership of `socket`, which does not block. `request`: bytes of the largest request.
  Connection(int socket, Peer peer, std::size_t request, Time now);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection();

  int socket() const { return socket_; }
  const Peer& peer() const { return peer_; }

  // Takes a piece of what is there; only while no request is. False: the connection is broken.
  [[nodiscard]] bool receive(Time now);
  Input input() const { return input_.state(); }
  // Complete or overlong.
  bool has_request() const;
  std::string take_request(Time now);

  // Sends what the peer takes at once and keeps the rest for flush(). Only while nothing is kept:
  // the next request is not looked at before, so that what a peer makes us hold is one reply.
  // False: the connection is broken.
  [[nodiscard]] bool send(std::string reply, Time now);
  [[nodiscard]] bool flush(Time now);
  std::size_t unsent() const { return output_.size() - sent_; }

  // What has to happen first: there is room to send, for the rest of a reply or for the reply to a
  // request that is here. Otherwise something has to arrive.
  bool awaits_room() const { return unsent() > 0 || has_request(); }

  // No request is taken from now on.
  void finish() { finished_ = true; }
  // Nothing more will come of it: the peer has ended, or we have, and all is sent.
  bool done() const;

  Time last_active() const { return active_; }
  // When it will have been silent, or a request on its way, for too long.
  Time deadline(std::chrono::milliseconds idle, std::chrono::milliseconds request) const;
  // Whether it has been. A peer is not silent when it did something that we have yet to look at.
  bool expired(Time now, std::chrono::milliseconds idle, std::chrono::milliseconds request) const;

 private:
  bool is_ready() const;
  bool request_is_late(Time now, std::chrono::milliseconds request) const;

  int socket_;
  Peer peer_;
  protocol::MessageBuffer input_;
  std::string output_;
  std::size_t sent_ = 0;
  bool ended_ = false;  // the peer sends no more
  bool finished_ = false;
  Time active_;
  Time request_began_;  // while one is partial
};

}  // namespace fwctl
