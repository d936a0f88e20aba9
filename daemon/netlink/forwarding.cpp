#include "daemon/forwarding.h"

#include <linux/netconf.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>

#include <array>
#include <cstring>
#include <memory>

#include "daemon/netlink/attributes.h"
#include "daemon/netlink/dump.h"
#include "daemon/netlink/socket.h"

namespace fwctl {
namespace {

constexpr std::array<std::uint8_t, 2> families{AF_INET, AF_INET6};

std::optional<std::int32_t> number(const netlink::Attributes& attributes, std::uint16_t type) {
  const auto bytes = attributes.bytes(type);
  std::int32_t value = 0;
  if (!bytes || bytes->size() != sizeof(value)) return {};
  std::memcpy(&value, bytes->data(), sizeof(value));
  return value;
}

std::vector<std::string> interfaces() {
  std::vector<std::string> out;
  const std::unique_ptr<struct if_nameindex, void (*)(struct if_nameindex*)> all(
      ::if_nameindex(), ::if_freenameindex);
  for (const auto* one = all.get(); one != nullptr && one->if_name != nullptr; ++one)
    out.emplace_back(one->if_name);
  return out;
}

}  // namespace

// Asked of the kernel, since /proc/sys is not there in the daemon's sandbox.
Result<Forwarding> forwarding() {
  auto socket = netlink::Socket::open(NETLINK_ROUTE);
  if (!socket) return tl::unexpected(socket.error());
  Forwarding out;
  std::uint32_t sequence = 0;
  for (const std::uint8_t family : families) {
    bool& on = family == AF_INET ? out.ipv4 : out.ipv6;
    ++sequence;
    const auto dumped =
        netlink::dump(*socket, RTM_GETNETCONF, netconfmsg{.ncm_family = family}, sequence,
                      [&](const nlmsghdr& message) -> Result<void> {
                        const netlink::Attributes attributes(message, sizeof(netconfmsg));
                        if (number(attributes, NETCONFA_IFINDEX) == NETCONFA_IFINDEX_ALL)
                          on = number(attributes, NETCONFA_FORWARDING).value_or(0) != 0;
                        return {};
                      });
    if (!dumped) return tl::unexpected(dumped.error());
  }
  out.interfaces = interfaces();
  return out;
}

}  // namespace fwctl
