// The sockets of this host that wait for peers: what an nmap from elsewhere would find.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <vector>

#include "daemon/result.h"

namespace fwctl {

struct ListeningSocket {
  std::uint8_t protocol = 0;  // IPPROTO_TCP or IPPROTO_UDP
  bool ipv6 = false;          // the socket's family
  bool ipv6_only = false;     // false on an IPv6 wildcard socket: it takes IPv4 as well
  std::array<std::uint8_t, 16> address{};  // network order; the first 4 bytes for IPv4
  std::uint16_t port = 0;                  // host order
  std::uint32_t inode = 0;
  uid_t uid = 0;
  int interface = 0;  // index of the interface it is bound to, 0 when not bound
};

// Of the network namespace we are in: TCP sockets in LISTEN, and UDP sockets bound to a port
// without a peer. Sorted by protocol (TCP first), port, family, address; no two equal entries.
Result<std::vector<ListeningSocket>> listening_sockets();

}  // namespace fwctl
