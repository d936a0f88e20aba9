#include "daemon/flows.h"

#include <endian.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_tcp.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <tuple>
#include <utility>

#include "daemon/netlink/attributes.h"
#include "daemon/netlink/message.h"
#include "daemon/netlink/socket.h"

namespace fwctl {
namespace {

using netlink::Attributes;

constexpr std::uint16_t type(int message) {
  return static_cast<std::uint16_t>(NFNL_SUBSYS_CTNETLINK << 8 | message);
}

struct Tuple {
  std::uint8_t protocol = 0;
  Address from;
  Address to;
  std::uint16_t from_port = 0;
  std::uint16_t to_port = 0;
};

std::optional<Address> address(const Attributes& attributes, std::uint16_t v4, std::uint16_t v6) {
  for (const auto& [kind, family, size] : {std::tuple(v4, Family::ipv4, std::size_t{4}),
                                           std::tuple(v6, Family::ipv6, std::size_t{16})}) {
    const auto bytes = attributes.bytes(kind);
    if (!bytes || bytes->size() != size) continue;
    std::array<std::uint8_t, 16> out{};
    std::copy(bytes->begin(), bytes->end(), out.begin());
    return Address(family, out);
  }
  return {};
}

std::uint16_t port(const Attributes& attributes, std::uint16_t kind) {
  const auto bytes = attributes.bytes(kind);
  std::uint16_t out = 0;
  if (bytes && bytes->size() == sizeof(out)) std::memcpy(&out, bytes->data(), sizeof(out));
  return be16toh(out);
}

std::optional<Tuple> tuple(const nlattr* nest) {
  const Attributes parts(nest);
  const Attributes ip(parts.get(CTA_TUPLE_IP));
  const Attributes protocol(parts.get(CTA_TUPLE_PROTO));
  const auto from = address(ip, CTA_IP_V4_SRC, CTA_IP_V6_SRC);
  const auto to = address(ip, CTA_IP_V4_DST, CTA_IP_V6_DST);
  if (!from || !to) return {};
  return Tuple{.protocol = protocol.u8(CTA_PROTO_NUM).value_or(0),
               .from = *from,
               .to = *to,
               .from_port = port(protocol, CTA_PROTO_SRC_PORT),
               .to_port = port(protocol, CTA_PROTO_DST_PORT)};
}

bool is_over(const Attributes& attributes) {
  const Attributes info(attributes.get(CTA_PROTOINFO));
  const Attributes of_tcp(info.get(CTA_PROTOINFO_TCP));
  const auto state = of_tcp.u8(CTA_PROTOINFO_TCP_STATE);
  return state && (*state == TCP_CONNTRACK_LAST_ACK || *state == TCP_CONNTRACK_TIME_WAIT ||
                   *state == TCP_CONNTRACK_CLOSE);
}

std::optional<Flow> decode(const nlmsghdr& message) {
  if (mnl_nlmsg_get_payload_len(&message) < sizeof(nfgenmsg)) return {};
  const Attributes attributes(message, sizeof(nfgenmsg));
  const auto begun = tuple(attributes.get(CTA_TUPLE_ORIG));
  const auto answer = tuple(attributes.get(CTA_TUPLE_REPLY));
  if (!begun || !answer) return {};
  Flow out{.protocol = begun->protocol,
           .from = begun->from,
           .from_port = begun->from_port,
           .to = begun->to,
           .to_port = begun->to_port,
           .answers = answer->from,
           .answers_port = answer->from_port,
           .answered = (attributes.be32(CTA_STATUS).value_or(0) & IPS_SEEN_REPLY) != 0,
           .over = is_over(attributes),
           .identity = {}};
  // What the kernel finds it by; the id tells it from a later one of the same addresses and ports.
  netlink::MessageWriter identity;
  const auto family = out.from.family() == Family::ipv4 ? AF_INET : AF_INET6;
  identity.begin(type(IPCTNL_MSG_CT_DELETE), NLM_F_ACK, 1, static_cast<std::uint8_t>(family));
  for (const std::uint16_t kind : {CTA_TUPLE_ORIG, CTA_ID, CTA_ZONE})
    if (const auto bytes = attributes.bytes(kind))
      identity.put(static_cast<std::uint16_t>(kind == CTA_TUPLE_ORIG ? kind | NLA_F_NESTED : kind),
                   *bytes);
  out.identity = identity.finish();
  return out;
}

// To close a socket of netfilter's takes as long as the kernel takes to put away what the last
// transaction removed, of whomever: ten milliseconds and more right after a change, which is when
// connections are looked for. So one is kept, which nothing is left to be read from.
class KeptSocket {
 public:
  Result<netlink::Socket> take() {
    if (!kept_) return netlink::Socket::open(NETLINK_NETFILTER);
    auto socket = std::move(*kept_);
    kept_.reset();
    return socket;
  }
  void keep(netlink::Socket socket) { kept_.emplace(std::move(socket)); }

 private:
  std::optional<netlink::Socket> kept_;
};

KeptSocket kept_socket;

}  // namespace

Result<void> each_flow(const std::function<bool(const Flow&)>& visit) {
  auto socket = kept_socket.take();
  if (!socket) return tl::unexpected(socket.error());
  netlink::MessageWriter request;
  request.begin(type(IPCTNL_MSG_CT_GET), NLM_F_DUMP, 1, AF_UNSPEC);
  bool enough = false;
  const auto dumped =
      socket->dump_until_error(request.finish(), 1, [&](const nlmsghdr& message) -> Result<void> {
        const auto flow = decode(message);
        enough = flow && !visit(*flow);
        if (enough) return failed("list", "connections", ECANCELED);
        return {};
      });
  if (dumped) kept_socket.keep(std::move(*socket));
  if (dumped || enough || dumped.error().code == EINTR) return {};
  return failed("list", "connections", dumped.error().code);
}

Result<bool> end_tracking(const Flow& flow) {
  auto socket = kept_socket.take();
  if (!socket) return tl::unexpected(socket.error());
  const auto ended =
      socket->dump(flow.identity, 1, [](const nlmsghdr&) -> Result<void> { return {}; });
  const bool over = !ended && ended.error().code == ENOENT;
  if (ended || over) kept_socket.keep(std::move(*socket));
  if (ended) return true;
  if (over) return false;
  return failed("end", "a connection", ended.error().code);
}

}  // namespace fwctl
