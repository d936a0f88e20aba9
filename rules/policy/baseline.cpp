#include "rules/policy/baseline.h"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <utility>

namespace fwctl::policy {
namespace {

struct Item {
  std::string_view name;
  std::string_view description;
  std::string_view missed;  // as missed_without() has it
};

constexpr std::array items{
    Item{"loopback", "this host talking to itself",
         "programs of this host reach each other only where rules allow it, in and out"},
    Item{"established", "packets of connections already allowed", {}},
    Item{"invalid", "packets of no known connection", {}},
    Item{"dhcp-client", "answers to this host's DHCP client", {}},
    Item{"icmp-errors", "ICMP errors", {}},
    Item{"echo", "ping", {}},
    Item{"neighbour-discovery", "IPv6 neighbour and router discovery",
         "IPv6 works only where rules allow ICMPv6 types 133 to 136, in and out"},
    Item{"mld", "IPv6 multicast listener discovery", {}},
};

constexpr std::string_view containers_description = "what begins in a container's network";

// docker0, docker_gwbridge and what `docker network create` makes; podman0, podman1, ... of
// netavark; cni0 and cni-podman0 of CNI plugins.
constexpr std::array container_interfaces{"docker*", "br-????????????", "podman*", "cni*"};

const Item* find(std::string_view name) {
  const auto* found =
      std::find_if(items.begin(), items.end(), [&](const Item& item) { return item.name == name; });
  return found == items.end() ? nullptr : found;
}

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

std::vector<CheckedRule> baseline(Traffic traffic, const std::vector<SwitchedOff>& without) {
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
  std::erase_if(rules, [&](const CheckedRule& rule) {
    return std::any_of(without.begin(), without.end(),
                       [&](const SwitchedOff& off) { return off.item == rule.id; });
  });
  return rules;
}

CheckedRule container_networks() {
  return rule(containers_id, Verdict::allow,
              {.interfaces = {container_interfaces.begin(), container_interfaces.end()}});
}

std::vector<std::string_view> baseline_items() {
  std::vector<std::string_view> names;
  names.reserve(items.size());
  for (const auto& item : items) names.push_back(item.name);
  return names;
}

bool can_be_switched_off(std::string_view item) {
  return item != "established";
}

std::string_view missed_without(std::string_view item) {
  const auto* found = find(item);
  return found == nullptr ? std::string_view() : found->missed;
}

std::string_view baseline_description(std::string_view id) {
  if (id == containers_id) return containers_description;
  const auto* found = find(id);
  return found == nullptr ? std::string_view() : found->description;
}

}  // namespace fwctl::policy
