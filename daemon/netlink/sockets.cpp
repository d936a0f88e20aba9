#include "daemon/sockets.h"

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <tuple>

#include "daemon/netlink/attributes.h"
#include "daemon/netlink/dump.h"
#include "daemon/netlink/socket.h"

namespace fwctl {
namespace {

using netlink::Attributes;
using netlink::Socket;

constexpr std::array<std::uint8_t, 2> protocols{IPPROTO_TCP, IPPROTO_UDP};
constexpr std::array<std::uint8_t, 2> families{AF_INET, AF_INET6};

// UDP sockets have the states of TCP: TCP_CLOSE is one without a peer.
int waiting_state(std::uint8_t protocol) {
  return protocol == IPPROTO_TCP ? TCP_LISTEN : TCP_CLOSE;
}

std::uint8_t family_of(const Address& address) {
  return address.family() == Family::ipv4 ? AF_INET : AF_INET6;
}

inet_diag_req_v2 request(std::uint8_t family, std::uint8_t protocol) {
  inet_diag_req_v2 body{};
  body.sdiag_family = family;
  body.sdiag_protocol = protocol;
  body.idiag_states = 1U << waiting_state(protocol);
  return body;
}

ListeningSocket decode(const nlmsghdr& message, std::uint8_t protocol) {
  inet_diag_msg found{};
  std::memcpy(&found, mnl_nlmsg_get_payload(&message), sizeof(found));
  const Attributes attributes(message, sizeof(found));
  ListeningSocket socket;
  socket.protocol = protocol;
  socket.ipv6 = found.idiag_family == AF_INET6;
  socket.ipv6_only = attributes.u8(INET_DIAG_SKV6ONLY).value_or(0) != 0;
  std::memcpy(socket.address.data(), found.id.idiag_src, socket.ipv6 ? 16 : 4);
  socket.port = ntohs(found.id.idiag_sport);
  socket.inode = found.idiag_inode;
  socket.uid = found.idiag_uid;
  socket.interface = static_cast<int>(found.id.idiag_if);
  return socket;
}

auto order(const ListeningSocket& socket) {
  return std::tie(socket.protocol, socket.port, socket.ipv6, socket.address, socket.inode,
                  socket.interface);
}

}  // namespace

Result<std::vector<ListeningSocket>> listening_sockets() {
  auto diagnostics = Socket::open(NETLINK_SOCK_DIAG);
  if (!diagnostics) return tl::unexpected(diagnostics.error());
  std::vector<ListeningSocket> sockets;
  std::uint32_t sequence = 0;
  for (const std::uint8_t protocol : protocols) {
    for (const std::uint8_t family : families) {
      ++sequence;
      auto dumped = netlink::dump(*diagnostics, SOCK_DIAG_BY_FAMILY, request(family, protocol),
                                  sequence, [&](const nlmsghdr& message) -> Result<void> {
                                    if (mnl_nlmsg_get_payload_len(&message) < sizeof(inet_diag_msg))
                                      return failed("list", "listening sockets", EBADMSG);
                                    const ListeningSocket socket = decode(message, protocol);
                                    if (socket.port != 0) sockets.push_back(socket);
                                    return {};
                                  });
      if (!dumped) return tl::unexpected(dumped.error());
    }
  }
  const auto before = [](const ListeningSocket& a, const ListeningSocket& b) {
    return order(a) < order(b);
  };
  const auto same = [](const ListeningSocket& a, const ListeningSocket& b) {
    return order(a) == order(b);
  };
  std::ranges::sort(sockets, before);
  const auto repeated = std::ranges::unique(sockets, same);
  sockets.erase(repeated.begin(), repeated.end());
  return sockets;
}

namespace {

inet_diag_req_v2 request(const TcpConnection& connection) {
  inet_diag_req_v2 body{};
  body.sdiag_family = family_of(connection.own);
  body.sdiag_protocol = IPPROTO_TCP;
  body.idiag_states = ~0U;
  body.id.idiag_sport = htons(connection.own_port);
  body.id.idiag_dport = htons(connection.peer_port);
  std::memcpy(body.id.idiag_src, connection.own.bytes().data(), connection.own.size());
  std::memcpy(body.id.idiag_dst, connection.peer.bytes().data(), connection.peer.size());
  body.id.idiag_if = connection.interface;
  std::ranges::fill(body.id.idiag_cookie, INET_DIAG_NOCOOKIE);
  return body;
}

// Where there is no such connection, the kernel answers with the socket that would take it; that is
// none.
Result<std::optional<inet_diag_msg>> find(Socket& diagnostics, const TcpConnection& connection) {
  const auto body = request(connection);
  std::optional<inet_diag_msg> found;
  const auto answered = netlink::ask(
      diagnostics, SOCK_DIAG_BY_FAMILY, body, 1, [&](const nlmsghdr& message) -> Result<void> {
        if (mnl_nlmsg_get_payload_len(&message) < sizeof(inet_diag_msg)) return {};
        inet_diag_msg socket{};
        std::memcpy(&socket, mnl_nlmsg_get_payload(&message), sizeof(socket));
        if (socket.idiag_state != TCP_LISTEN && socket.id.idiag_dport == body.id.idiag_dport)
          found = socket;
        return {};
      });
  if (!answered && answered.error().code != ENOENT) return tl::unexpected(answered.error());
  return found;
}

}  // namespace

Result<bool> is_established(const TcpConnection& connection) {
  auto diagnostics = Socket::open(NETLINK_SOCK_DIAG);
  if (!diagnostics) return tl::unexpected(diagnostics.error());
  const auto found = find(*diagnostics, connection);
  if (!found) return tl::unexpected(found.error());
  return *found && (*found)->idiag_state == TCP_ESTABLISHED;
}

Result<bool> reset(const TcpConnection& connection) {
  auto diagnostics = Socket::open(NETLINK_SOCK_DIAG);
  if (!diagnostics) return tl::unexpected(diagnostics.error());
  const auto found = find(*diagnostics, connection);
  if (!found) return tl::unexpected(found.error());
  if (!*found) return false;
  // The cookie makes sure that it is this socket: never the one that listens.
  auto body = request(connection);
  std::ranges::copy((*found)->id.idiag_cookie, body.id.idiag_cookie);
  const auto sent =
      diagnostics->dump(netlink::question(SOCK_DESTROY, NLM_F_REQUEST | NLM_F_ACK, body, 2), 2,
                        [](const nlmsghdr&) -> Result<void> { return {}; });
  if (sent) return true;
  if (sent.error().code == ENOENT || sent.error().code == EOPNOTSUPP) return false;
  return tl::unexpected(sent.error());
}

}  // namespace fwctl
