#include "rules/evaluate.h"

#include <algorithm>
#include <string_view>

namespace fwctl {
namespace {

using policy::AddressMatch;
using policy::CheckedPolicy;
using policy::Conditions;
using policy::Flow;

bool matches(const Flow& flow, const Packet& packet) {
  if (flow.protocol != packet.protocol) return false;
  if (flow.icmp_type) {
    const Family family = flow.protocol == icmp ? Family::ipv4 : Family::ipv6;
    return packet.from.family() == family && *flow.icmp_type == packet.icmp_type;
  }
  if (!flow.protocol.has_ports()) return true;
  return flow.from.contains(packet.from_port) && flow.to.contains(packet.to_port);
}

bool matches(const CheckedPolicy& policy, const AddressMatch& match, const Address& address) {
  if (const auto* range = std::get_if<AddressRange>(&match)) return range->contains(address);
  const auto& set = std::get<policy::SetIndex>(match);
  return policy.sets()[set.index].contains(address) != set.negated;
}

template <typename List, typename Predicate>
bool none_or_any(const List& list, Predicate predicate) {
  return list.empty() || std::any_of(list.begin(), list.end(), predicate);
}

bool matches(const CheckedPolicy& policy, const Conditions& conditions, const Packet& packet) {
  if (conditions.states != 0 && (conditions.states & static_cast<std::uint8_t>(packet.state)) == 0)
    return false;
  return none_or_any(conditions.flows, [&](const Flow& flow) { return matches(flow, packet); }) &&
         none_or_any(conditions.from,
                     [&](const auto& match) { return matches(policy, match, packet.from); }) &&
         none_or_any(conditions.to,
                     [&](const auto& match) { return matches(policy, match, packet.to); }) &&
         none_or_any(conditions.interfaces,
                     [&](const std::string& pattern) {
                       return matches_interface(pattern, packet.interface);
                     }) &&
         none_or_any(conditions.out_interfaces, [&](const std::string& pattern) {
           return matches_interface(pattern, packet.out_interface);
         });
}

}  // namespace

bool matches_interface(const std::string& pattern, const std::string& name) {
  if (!pattern.ends_with('*')) return pattern == name;
  return name.starts_with(std::string_view(pattern).substr(0, pattern.size() - 1));
}

Decision evaluate(const policy::CheckedPolicy& policy, const Packet& packet) {
  for (const auto& rule : policy.rules(packet.traffic))
    if (matches(policy, rule.conditions, packet)) return {.verdict = rule.verdict, .rule = &rule};
  return {.verdict = policy.default_for(packet.traffic)};
}

}  // namespace fwctl
