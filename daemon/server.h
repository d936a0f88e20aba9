// Serves Varlink calls on a Unix stream socket from one thread. Knows connections, limits and
// credentials; knows nothing of what a method means.
//
// Requests of one connection are answered in order, one at a time, and none is taken from it before
// it has read the reply to the last, or to the last of a stream. A request that is not a Varlink
// call is answered with org.fwctl.Firewall.Refused, one that is too large or nested too deep with
// org.fwctl.Firewall.TooLarge; then the connection is closed.
#pragma once

#include <systemd/sd-event.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "daemon/connection.h"
#include "daemon/event_source.h"
#include "daemon/peer.h"
#include "daemon/protocol/message.h"
#include "daemon/result.h"
#include "daemon/stream.h"

namespace fwctl {

struct ServerLimits {
  // One more, and the peer that holds most of them loses the one that has been silent longest. A
  // connection of root only ever makes room for another of root, and only when there is no other.
  std::size_t connections = 128;
  // Bytes of one request: of a peer that is root, and of any other.
  std::size_t request_root = 64UL << 20;
  std::size_t request_other = 64UL << 10;
  // Bytes of one reply, and of all replies together that peers have yet to read. Beyond it the
  // connection that leaves most unread is closed.
  std::size_t unread = 128UL << 20;
  // A connection on which nothing arrives or leaves for this long is closed,
  std::chrono::milliseconds idle = std::chrono::seconds(60);
  // and so is one whose request takes longer than this to arrive.
  std::chrono::milliseconds request = std::chrono::seconds(120);
  // Streams of one user at once. A connection that has one may be silent for as long as it lasts;
  // it lasts until the peer sends no more, or ends by itself.
  std::size_t streams = 16;
};

// Answers one call. Runs to its end before anything else is served. An exception is our bug and
// ends the program.
using Handler = std::function<Answer(const Peer& peer, const protocol::Call& call)>;

class Server {
 public:
  // Takes ownership of `listener`, a bound and listening stream socket, also on failure. `event`
  // must outlive this.
  static Result<std::unique_ptr<Server>> create(sd_event* event, int listener, ServerLimits limits,
                                                Handler handler);
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  ~Server();

 private:
  // A connection and its place in the event loop.
  struct Session {
    Session(Server& its_server, int socket, Peer peer, std::size_t request);

    Server& server;
    Connection connection;
    EventSource io;
    std::shared_ptr<Stream> stream;  // while the last reply is not yet all of the answer
  };

  Server(int listener, ServerLimits limits, Handler handler);
  Result<void> start(sd_event* event);

  void accept_one();
  void admit(int socket);
  void pause_accepting();
  void close_expired();
  // Each of the following may close sessions, the one it is called with included.
  void on_io(Session& session, std::uint32_t events);
  void wait_for_next(Session& session);
  void limit_unread();
  void make_room(const Session* newcomer);
  void close(const Session& session);

  // False: the event loop has no memory for it.
  bool watch(Session& session);
  // False: the connection is broken.
  bool proceed(Session& session);
  bool serve(Session& session);
  static bool send_news(Session& session);
  Answer answer(Session& session, bool& oneway);
  void begin_stream(Session& session, Answer& answer);
  void watch_deadline(const Session& session);
  Session* victim(const Session* newcomer) const;

  int listener_;
  ServerLimits limits_;
  Handler handler_;
  sd_event* event_ = nullptr;
  EventSource accept_;
  EventSource resume_accepting_;
  EventSource deadline_;
  Connection::Time next_deadline_ = Connection::Time::max();
  std::vector<std::unique_ptr<Session>> sessions_;
};

}  // namespace fwctl
