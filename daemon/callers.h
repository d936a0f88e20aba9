// The connections over which those who ask for a change say they sit here.
#pragma once

#include <string>
#include <vector>

#include "daemon/protocol/message.h"
#include "daemon/sockets.h"

namespace fwctl {

// Those of `connections`, a list of Connection, that are established. What is none, and what comes
// after so many that nobody has them, is left out.
std::vector<TcpConnection> callers(const protocol::Json& connections);

// The interface on which packets of the connection come in, going by where those to its other end
// go; empty when that is not known.
std::string interface_of(const TcpConnection& connection);

}  // namespace fwctl
