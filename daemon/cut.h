// Connections that go on whatever a new policy says: how many, and their end.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <vector>

#include "daemon/firewall.h"
#include "daemon/result.h"
#include "daemon/sockets.h"
#include "rules/question.h"

namespace fwctl {

// Which connections are meant.
struct Selection {
  // Those that begin as one of these packets; nullopt: those that what is in force would not let
  // begin.
  std::optional<std::vector<Asked>> begin_as;
  std::vector<TcpConnection> spared;
};

struct Flowing {
  std::size_t count = 0;   // that were meant
  std::size_t spared = 0;  // of others, that were meant but for that
  bool more = false;       // there may be more: time was up
};

// Looks no longer than that.
Result<Flowing> count_flows(const Firewall& firewall, const Selection& selection,
                            std::chrono::milliseconds most);

// Ends them: a socket of this host is closed, with a reset to the other end; connection tracking
// forgets the connection, so that what still comes is judged as its beginning.
Result<Flowing> cut(const Firewall& firewall, const Selection& selection);

}  // namespace fwctl
