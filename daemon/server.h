// Serves Varlink calls on a Unix stream socket from one thread. Knows connections, limits and
// credentials; knows nothing of what a method means.
#pragma once

#include <sys/types.h>
#include <systemd/sd-event.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

#include "daemon/protocol/message.h"
#include "daemon/result.h"

namespace fwctl {

// Who is at the other end, as the kernel says (SO_PEERCRED, SO_PEERGROUPS).
struct Peer {
  uid_t uid = 0;
  gid_t gid = 0;
  pid_t pid = 0;
  std::vector<gid_t> groups;  // supplementary
};

struct ServerLimits {
  std::size_t connections = 128;
  // Bytes of one request: of a peer that is root, and of any other.
  std::size_t request_root = 64UL << 20;
  std::size_t request_other = 64UL << 10;
  // A connection on which nothing arrives or leaves for this long is closed.
  std::chrono::seconds idle{60};
};

// Answers one call. Runs to its end before anything else is served.
using Handler = std::function<protocol::Reply(const Peer& peer, const protocol::Call& call)>;

class Server {
 public:
  // Takes ownership of `listener`, a bound and listening stream socket. `event` must outlive this.
  static Result<std::unique_ptr<Server>> create(sd_event* event, int listener, ServerLimits limits,
                                                Handler handler);
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  ~Server();

 private:
  class Connection;
  Server();
};

}  // namespace fwctl
