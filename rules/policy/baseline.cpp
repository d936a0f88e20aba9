#include "rules/policy/baseline.h"

#include <array>
#include <initializer_list>
#include <utility>

namespace fwctl::policy {
namespace {

constexpr std::array<std::pair<std::string_view, std::string_view>, 8> descriptions{{
    {"loopback", "this host talking to itself"},
    {"established", "packets of connections already allowed"},
    {"invalid", "packets of no known connection"},
    {"dhcp-client", "answers to this host's DHCP client"},
    {"icmp-errors", "ICMP errors"},
    {"echo", "ping"},
    {"neighbour-discovery", "IPv6 neighbour and router discovery"},
    {"mld", "IPv6 multicast listener discovery"},
}};

constexpr std::uint8_t bit(State state) {
  return static_cast<std::uint8_t>(state);
}

CheckedRule rule(std::string_view name, Verdict verdict, Conditions conditions) {
  return {.id = std::string(name), .verdict = verdict, .conditions = std::move(conditions)};
}

CheckedRule icmp_rule(std::string_view name, std::initializer_list<std::uint8_t> v4,
                      std::initializer_list<std::uint8_t> v6) {
  Conditions conditions;
  for (const auto type : v4) conditions.flows.push_back({.protocol = icmp, .icmp_type = type});
  for (const auto type : v6) conditions.flows.push_back({.protocol = icmpv6, .icmp_type = type});
  return rule(name, Verdict::allow, std::move(conditions));
}

CheckedRule flow_rule(std::string_view name, std::uint16_t from, std::uint16_t to,
                      const AddressRange& source) {
  return rule(
      name, Verdict::allow,
      {.flows = {{.protocol = udp, .from = {from, from}, .to = {to, to}}}, .from = {source}});
}

// Types by IANA's registries "ICMP Type Numbers" and "ICMPv6 type Numbers".
CheckedRule icmp_errors() {
  return icmp_rule("icmp-errors", {3, 11, 12}, {1, 2, 3, 4});
}
CheckedRule echo() {
  return icmp_rule("echo", {8}, {128});
}
CheckedRule neighbour_discovery() {
  // Solicitations and advertisements of routers and neighbours, inverse discovery, SEND. Not 137,
  // redirect. The kernel itself drops those that came from beyond the link (hop limit below 255).
  return icmp_rule("neighbour-discovery", {}, {133, 134, 135, 136, 141, 142, 148, 149});
}
CheckedRule mld() {
  return icmp_rule("mld", {}, {130, 131, 132, 143});
}

}  // namespace

std::vector<CheckedRule> baseline(Traffic traffic) {
  std::vector<CheckedRule> rules;
  if (traffic != Traffic::routed)
    rules.push_back(rule("loopback", Verdict::allow, {.interfaces = {"lo"}}));
  rules.push_back(
      rule("established", Verdict::allow,
           {.states = static_cast<std::uint8_t>(bit(State::established) | bit(State::related))}));
  if (traffic != Traffic::outgoing)
    rules.push_back(rule("invalid", Verdict::deny, {.states = bit(State::invalid)}));
  if (traffic == Traffic::incoming) {
    rules.push_back(flow_rule("dhcp-client", 67, 68, everything(Family::ipv4)));
    rules.push_back(flow_rule("dhcp-client", 547, 546, prefix(*Address::parse("fe80::"), 10)));
  } else if (traffic == Traffic::outgoing) {
    rules.push_back(flow_rule("dhcp-client", 68, 67, everything(Family::ipv4)));
    rules.push_back(flow_rule("dhcp-client", 546, 547, prefix(*Address::parse("fe80::"), 10)));
  }
  rules.push_back(icmp_errors());
  if (traffic == Traffic::incoming) rules.push_back(echo());
  if (traffic != Traffic::routed) {
    rules.push_back(neighbour_discovery());
    rules.push_back(mld());
  }
  return rules;
}

std::string_view baseline_description(std::string_view id) {
  for (const auto& [name, description] : descriptions)
    if (name == id) return description;
  return {};
}

}  // namespace fwctl::policy
