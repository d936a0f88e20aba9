#include "daemon/routes.h"

#include <linux/if_addr.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <set>

#include "daemon/netlink/attributes.h"
#include "daemon/netlink/dump.h"
#include "daemon/netlink/socket.h"

namespace fwctl {
namespace {

using netlink::Attributes;

constexpr std::array<std::uint8_t, 2> families{AF_INET, AF_INET6};

// Of several next hops, each its own interface.
void add_next_hops(std::string_view hops, std::set<std::uint32_t>& indices) {
  while (hops.size() >= sizeof(rtnexthop)) {
    rtnexthop hop{};
    std::memcpy(&hop, hops.data(), sizeof(hop));
    if (hop.rtnh_len < sizeof(hop)) return;
    indices.insert(static_cast<std::uint32_t>(hop.rtnh_ifindex));
    hops.remove_prefix(std::min<std::size_t>(RTNH_ALIGN(hop.rtnh_len), hops.size()));
  }
}

void add_default_route(const nlmsghdr& message, std::set<std::uint32_t>& indices) {
  if (message.nlmsg_type != RTM_NEWROUTE || mnl_nlmsg_get_payload_len(&message) < sizeof(rtmsg))
    return;
  rtmsg route{};
  std::memcpy(&route, mnl_nlmsg_get_payload(&message), sizeof(route));
  if (route.rtm_dst_len != 0 || route.rtm_type != RTN_UNICAST || (route.rtm_flags & RTM_F_CLONED))
    return;
  const Attributes attributes(message, sizeof(route));
  if (attributes.u32(RTA_TABLE).value_or(route.rtm_table) != RT_TABLE_MAIN) return;
  if (const auto index = attributes.u32(RTA_OIF)) indices.insert(*index);
  if (const auto hops = attributes.bytes(RTA_MULTIPATH)) add_next_hops(*hops, indices);
}

// Of addresses of `size` bytes.
template <std::size_t size>
struct AddressAttribute {
  rtattr header;
  std::array<std::uint8_t, size> address;
};
template <std::size_t size>
AddressAttribute<size> attribute(unsigned short type, const Address& address) {
  AddressAttribute<size> out{.header = {.rta_len = RTA_LENGTH(size), .rta_type = type},
                             .address = {}};
  std::copy_n(address.bytes().begin(), size, out.address.begin());
  return out;
}

template <std::size_t size>
struct RouteTo {
  rtmsg route;
  AddressAttribute<size> to;
};
template <std::size_t size>
struct RouteFrom {
  RouteTo<size> to;
  AddressAttribute<size> from;
};

template <std::size_t size, typename Visit>
Result<void> ask_route(netlink::Socket& socket, std::uint8_t family, const Address& to,
                       const std::optional<Address>& from, Visit visit) {
  RouteTo<size> question{.route = {}, .to = attribute<size>(RTA_DST, to)};
  question.route.rtm_family = family;
  question.route.rtm_dst_len = 8 * size;
  if (!from) return netlink::ask(socket, RTM_GETROUTE, question, 1, visit);
  question.route.rtm_src_len = 8 * size;
  return netlink::ask(socket, RTM_GETROUTE,
                      RouteFrom<size>{.to = question, .from = attribute<size>(RTA_SRC, *from)}, 1,
                      visit);
}

// Empty for one that is gone by now.
std::string interface_name(std::uint32_t index) {
  std::array<char, IF_NAMESIZE> name{};
  return if_indextoname(index, name.data()) == nullptr ? std::string() : std::string(name.data());
}

}  // namespace

Result<std::vector<std::string>> default_route_interfaces() {
  auto socket = netlink::Socket::open(NETLINK_ROUTE);
  if (!socket) return tl::unexpected(socket.error());
  std::set<std::uint32_t> indices;
  std::uint32_t sequence = 0;
  for (const std::uint8_t family : families) {
    ++sequence;
    const auto dumped = netlink::dump(*socket, RTM_GETROUTE, rtmsg{.rtm_family = family}, sequence,
                                      [&](const nlmsghdr& message) -> Result<void> {
                                        add_default_route(message, indices);
                                        return {};
                                      });
    if (!dumped) return tl::unexpected(dumped.error());
  }
  std::vector<std::string> out;
  for (const auto index : indices) {
    auto name = interface_name(index);
    if (!name.empty() && name != "lo") out.push_back(std::move(name));
  }
  std::sort(out.begin(), out.end());
  return out;
}

Result<std::string> interface_towards(const Address& peer, const std::optional<Address>& own) {
  auto socket = netlink::Socket::open(NETLINK_ROUTE);
  if (!socket) return tl::unexpected(socket.error());
  std::string out;
  const auto visit = [&](const nlmsghdr& message) -> Result<void> {
    const Attributes attributes(message, sizeof(rtmsg));
    out = interface_name(attributes.u32(RTA_OIF).value_or(0));
    return {};
  };
  const auto answered = peer.family() == Family::ipv4
                            ? ask_route<4>(*socket, AF_INET, peer, own, visit)
                            : ask_route<16>(*socket, AF_INET6, peer, own, visit);
  if (!answered) return tl::unexpected(answered.error());
  return out;
}

Result<std::vector<Address>> own_addresses() {
  auto socket = netlink::Socket::open(NETLINK_ROUTE);
  if (!socket) return tl::unexpected(socket.error());
  std::vector<Address> out;
  const auto dumped = netlink::dump(
      *socket, RTM_GETADDR, ifaddrmsg{}, 1, [&](const nlmsghdr& message) -> Result<void> {
        const Attributes attributes(message, sizeof(ifaddrmsg));
        auto bytes = attributes.bytes(IFA_LOCAL);  // of IPv6 there is only the other
        if (!bytes) bytes = attributes.bytes(IFA_ADDRESS);
        if (!bytes || (bytes->size() != 4 && bytes->size() != 16)) return {};
        std::array<std::uint8_t, 16> address{};
        std::copy(bytes->begin(), bytes->end(), address.begin());
        out.emplace_back(bytes->size() == 4 ? Family::ipv4 : Family::ipv6, address);
        return {};
      });
  if (!dumped) return tl::unexpected(dumped.error());
  return out;
}

bool interface_exists(const std::string& name) {
  return if_nametoindex(name.c_str()) != 0;
}

RouteWatch::RouteWatch(netlink::Socket socket)
    : socket_(std::make_unique<netlink::Socket>(std::move(socket))) {}
RouteWatch::RouteWatch(RouteWatch&& other) noexcept = default;
RouteWatch& RouteWatch::operator=(RouteWatch&& other) noexcept = default;
RouteWatch::~RouteWatch() = default;

Result<RouteWatch> RouteWatch::open() {
  auto socket = netlink::Socket::open(NETLINK_ROUTE);
  if (!socket) return tl::unexpected(socket.error());
  for (const auto group : {RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE, RTNLGRP_LINK})
    if (auto joined = socket->join(group); !joined) return tl::unexpected(joined.error());
  return RouteWatch(std::move(*socket));
}

int RouteWatch::fd() const {
  return socket_->fd();
}

bool RouteWatch::changed() {
  bool any = false;
  while (true) {
    const auto datagram = socket_->receive_queued();
    if (datagram && !*datagram) return any;
    any = true;
    if (!datagram && datagram.error().code != ENOBUFS) return any;
  }
}

}  // namespace fwctl
