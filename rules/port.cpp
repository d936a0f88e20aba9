#include "rules/port.h"

#include <array>
#include <utility>

#include "rules/number.h"

namespace fwctl {
namespace {

// Numbers assigned by IANA; the names are those of /etc/protocols and of ufw.
constexpr std::array<std::pair<std::string_view, std::uint8_t>, 14> names{{
    {"icmp", 1},
    {"igmp", 2},
    {"tcp", 6},
    {"udp", 17},
    {"dccp", 33},
    {"ipv6", 41},
    {"gre", 47},
    {"esp", 50},
    {"ah", 51},
    {"icmpv6", 58},
    {"ospf", 89},
    {"vrrp", 112},
    {"sctp", 132},
    {"udplite", 136},
}};

}  // namespace

std::optional<Protocol> Protocol::parse(std::string_view text) {
  for (const auto& [name, number] : names)
    if (name == text) return Protocol{number};
  if (const auto number = parse_number(text, 255))
    return Protocol{static_cast<std::uint8_t>(*number)};
  return {};
}

std::string Protocol::text() const {
  for (const auto& [name, known] : names)
    if (known == number) return std::string(name);
  return std::to_string(number);
}

bool Protocol::has_ports() const {
  return *this == tcp || *this == udp || number == 33 || number == 132 || number == 136;
}

std::string PortRange::text() const {
  if (single()) return std::to_string(first);
  return std::to_string(first) + "-" + std::to_string(last);
}

}  // namespace fwctl
