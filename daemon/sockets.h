// The sockets of this host: those that wait for peers, which an nmap from elsewhere would find, and
// connections.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <vector>

#include "daemon/result.h"
#include "rules/address.h"

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

// Ports are in host order.
struct TcpConnection {
  Address peer;
  std::uint16_t peer_port = 0;
  Address own;  // of the same family
  std::uint16_t own_port = 0;
  unsigned interface = 0;  // index of the interface that link-local addresses are of; else 0
  bool operator==(const TcpConnection&) const = default;
};

// Whether it is there and established, in the network namespace we are in.
Result<bool> is_established(const TcpConnection& connection);

// Its socket here is closed at once, with a reset to the other end. False: there is none, or the
// kernel cannot do this.
Result<bool> reset(const TcpConnection& connection);

}  // namespace fwctl
