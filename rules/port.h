// Ports and IP protocols as strong types.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace fwctl {

// An IP protocol number, as in the IPv4 header's protocol field.
struct Protocol {
  std::uint8_t number = 0;
  auto operator<=>(const Protocol&) const = default;

  // A name of the table below, lower case, or a number 0 to 255 without leading zeros.
  static std::optional<Protocol> parse(std::string_view text);
  // The name where there is one, else the number.
  std::string text() const;
  // The number, where other tools may not know the name.
  bool has_ports() const;
};

constexpr Protocol icmp{1};
constexpr Protocol igmp{2};
constexpr Protocol tcp{6};
constexpr Protocol udp{17};
constexpr Protocol ipv6_in_ipv4{41};
constexpr Protocol icmpv6{58};

// 1 <= first <= last, except for `all_ports`, which also takes in port 0.
struct PortRange {
  std::uint16_t first = 0;
  std::uint16_t last = 0;
  auto operator<=>(const PortRange&) const = default;

  bool contains(std::uint16_t port) const { return first <= port && port <= last; }
  bool contains(const PortRange& other) const { return first <= other.first && other.last <= last; }
  bool single() const { return first == last; }
  // "22" or "9000-9010".
  std::string text() const;
};

constexpr PortRange all_ports{0, 65535};

}  // namespace fwctl
