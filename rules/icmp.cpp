#include "rules/icmp.h"

#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include "rules/number.h"

namespace fwctl {
namespace {

using Name = std::pair<std::uint8_t, std::string_view>;

// IANA's registries "ICMP Type Numbers" and "ICMPv6 'type' Numbers".
constexpr std::array<Name, 9> ipv4_names{{{0, "echo-reply"},
                                          {3, "destination-unreachable"},
                                          {4, "source-quench"},
                                          {5, "redirect"},
                                          {8, "echo-request"},
                                          {9, "router-advertisement"},
                                          {10, "router-solicitation"},
                                          {11, "time-exceeded"},
                                          {12, "parameter-problem"}}};
constexpr std::array<Name, 15> ipv6_names{{{1, "destination-unreachable"},
                                           {2, "packet-too-big"},
                                           {3, "time-exceeded"},
                                           {4, "parameter-problem"},
                                           {128, "echo-request"},
                                           {129, "echo-reply"},
                                           {130, "mld-listener-query"},
                                           {131, "mld-listener-report"},
                                           {132, "mld-listener-done"},
                                           {133, "nd-router-solicit"},
                                           {134, "nd-router-advert"},
                                           {135, "nd-neighbor-solicit"},
                                           {136, "nd-neighbor-advert"},
                                           {137, "nd-redirect"},
                                           {143, "mld2-listener-report"}}};

std::span<const Name> names(Family family) {
  if (family == Family::ipv4) return ipv4_names;
  return ipv6_names;
}

}  // namespace

std::optional<std::uint8_t> parse_icmp_type(Family family, std::string_view text) {
  for (const auto& [number, name] : names(family))
    if (name == text) return number;
  if (const auto number = parse_number(text, 255)) return static_cast<std::uint8_t>(*number);
  return {};
}

std::string icmp_type_text(Family family, std::uint8_t type) {
  const auto all = names(family);
  const auto found = std::ranges::find(all, type, &Name::first);
  return found != all.end() ? std::string(found->second) : std::to_string(type);
}

std::vector<std::string_view> icmp_type_names(Family family) {
  std::vector<std::string_view> out;
  for (const auto& [number, name] : names(family)) out.push_back(name);
  return out;
}

}  // namespace fwctl
