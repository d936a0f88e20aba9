#include "daemon/forwarding.h"

#include <linux/netconf.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>

#include <array>
#include <cstring>

#include "daemon/netlink/attributes.h"
#include "daemon/netlink/socket.h"

namespace fwctl {
namespace {

constexpr std::array<std::uint8_t, 2> families{AF_INET, AF_INET6};

// Asked of the kernel, since /proc/sys is not there in the daemon's sandbox.
std::string request(std::uint8_t family, std::uint32_t sequence) {
  struct {
    nlmsghdr header;
    netconfmsg body;
  } message{};
  message.header.nlmsg_len = NLMSG_LENGTH(sizeof(netconfmsg));
  message.header.nlmsg_type = RTM_GETNETCONF;
  message.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  message.header.nlmsg_seq = sequence;
  message.body.ncm_family = family;
  return {reinterpret_cast<const char*>(&message), sizeof(message)};
}

std::optional<std::int32_t> number(const netlink::Attributes& attributes, std::uint16_t type) {
  const auto bytes = attributes.bytes(type);
  std::int32_t value = 0;
  if (!bytes || bytes->size() != sizeof(value)) return {};
  std::memcpy(&value, bytes->data(), sizeof(value));
  return value;
}

}  // namespace

Result<Forwarding> forwarding() {
  auto socket = netlink::Socket::open(NETLINK_ROUTE);
  if (!socket) return tl::unexpected(socket.error());
  Forwarding out;
  std::uint32_t sequence = 0;
  for (const std::uint8_t family : families) {
    bool& on = family == AF_INET ? out.ipv4 : out.ipv6;
    ++sequence;
    const auto dumped = socket->dump(
        request(family, sequence), sequence, [&](const nlmsghdr& message) -> Result<void> {
          const netlink::Attributes attributes(message, sizeof(netconfmsg));
          if (number(attributes, NETCONFA_IFINDEX) == NETCONFA_IFINDEX_ALL)
            on = number(attributes, NETCONFA_FORWARDING).value_or(0) != 0;
          return {};
        });
    // Interfaces that come and go meanwhile do not matter here.
    if (!dumped && dumped.error().code != EINTR) return tl::unexpected(dumped.error());
  }
  return out;
}

}  // namespace fwctl
