#include "rules/reach.h"

#include <algorithm>

namespace fwctl {
namespace {

using policy::AddressMatch;
using policy::CheckedPolicy;
using policy::CheckedRule;
using policy::Flow;

// How much of what a rule asks in one respect the listener's packets fulfil.
enum class Share : std::uint8_t { none, some, all };

Share share(bool any, bool every) {
  if (!any) return Share::none;
  return every ? Share::all : Share::some;
}

bool has_family(const CheckedPolicy& policy, const AddressMatch& match, Family family) {
  if (const auto* range = std::get_if<AddressRange>(&match)) return range->family() == family;
  const auto& index = std::get<policy::SetIndex>(match);
  const auto& set = policy.sets()[index.index];
  return index.negated || !(family == Family::ipv4 ? set.ipv4 : set.ipv6).empty();
}

bool serves(const Listener& listener, Family family) {
  if (listener.address) return listener.address->family() == family;
  return family == Family::ipv4 ? listener.ipv4 : listener.ipv6;
}

Share flow_share(const std::vector<Flow>& flows, const Listener& listener) {
  if (flows.empty()) return Share::all;
  bool any = false;
  bool every = false;
  for (const auto& flow : flows) {
    if (flow.protocol != listener.protocol || flow.icmp_type || !flow.to.contains(listener.port))
      continue;
    any = true;
    every = every || flow.from == all_ports;
  }
  return share(any, every);
}

bool is_everything(const CheckedPolicy& policy, const AddressMatch& match, Family family) {
  if (const auto* range = std::get_if<AddressRange>(&match)) return *range == everything(family);
  const auto& index = std::get<policy::SetIndex>(match);
  const auto& set = policy.sets()[index.index];
  return index.negated && (family == Family::ipv4 ? set.ipv4 : set.ipv6).empty();
}

bool contains(const CheckedPolicy& policy, const AddressMatch& match, const Address& address) {
  if (const auto* range = std::get_if<AddressRange>(&match)) return range->contains(address);
  const auto& index = std::get<policy::SetIndex>(match);
  return policy.sets()[index.index].contains(address) != index.negated;
}

// Of the addresses a packet may bear on this side: any source, or the listener's own addresses.
Share address_share(const CheckedPolicy& policy, const std::vector<AddressMatch>& matches,
                    const Listener& listener, const std::optional<Address>& fixed) {
  if (matches.empty()) return Share::all;
  bool any = false;
  bool every = true;
  for (const auto family : {Family::ipv4, Family::ipv6}) {
    if (!serves(listener, family)) continue;
    bool family_any = false;
    bool family_every = false;
    for (const auto& match : matches) {
      if (!has_family(policy, match, family)) continue;
      if (!fixed) {
        family_any = true;
        family_every = family_every || is_everything(policy, match, family);
        continue;
      }
      const bool contained = contains(policy, match, *fixed);
      family_any = family_any || contained;
      family_every = family_every || contained;
    }
    any = any || family_any;
    every = every && family_every;
  }
  return share(any, every);
}

std::string list_text(const CheckedPolicy& policy, const std::vector<AddressMatch>& matches,
                      const Listener& listener) {
  std::string out;
  for (const auto& match : matches) {
    if (!(serves(listener, Family::ipv4) && has_family(policy, match, Family::ipv4)) &&
        !(serves(listener, Family::ipv6) && has_family(policy, match, Family::ipv6)))
      continue;
    if (!out.empty()) out += ", ";
    if (const auto* range = std::get_if<AddressRange>(&match)) {
      out += range->text();
      continue;
    }
    const auto& index = std::get<policy::SetIndex>(match);
    out += (index.negated ? "all but @" : "@") + policy.sets()[index.index].name;
  }
  return out;
}

std::string source_ports(const std::vector<Flow>& flows, const Listener& listener) {
  std::string out;
  for (const auto& flow : flows)
    if (flow.protocol == listener.protocol && flow.to.contains(listener.port) &&
        flow.from != all_ports)
      out += (out.empty() ? "" : ", ") + flow.from.text();
  return out;
}

std::string sources_text(const CheckedPolicy& policy, const CheckedRule& rule,
                         const Listener& listener) {
  const auto& conditions = rule.conditions;
  std::string out = list_text(policy, conditions.from, listener);
  if (out.empty()) out = "anyone";
  if (flow_share(conditions.flows, listener) == Share::some)
    out += " from port " + source_ports(conditions.flows, listener);
  if (address_share(policy, conditions.to, listener, listener.address) == Share::some)
    out += " to " + list_text(policy, conditions.to, listener);
  for (const auto& interface : conditions.interfaces)
    out += (&interface == &conditions.interfaces.front() ? " on " : ", ") + interface;
  return out;
}

}  // namespace

std::vector<Reachability> reach(const policy::CheckedPolicy& policy, const Listener& listener) {
  std::vector<Reachability> out;
  for (const auto& rule : policy.rules(policy::Traffic::incoming)) {
    const auto& conditions = rule.conditions;
    if (conditions.states != 0) continue;                                   // new connections only
    if (conditions.interfaces == std::vector<std::string>{"lo"}) continue;  // other hosts only
    const Share flows = flow_share(conditions.flows, listener);
    const Share from = address_share(policy, conditions.from, listener, std::nullopt);
    const Share to = address_share(policy, conditions.to, listener, listener.address);
    if (flows == Share::none || from == Share::none || to == Share::none) continue;
    const bool everyone = flows == Share::all && from == Share::all && to == Share::all &&
                          conditions.interfaces.empty();
    out.push_back({.sources = everyone ? "anyone" : sources_text(policy, rule, listener),
                   .verdict = rule.verdict,
                   .rule = &rule});
    if (everyone) return out;
  }
  out.push_back({.sources = "anyone", .verdict = policy.default_for(policy::Traffic::incoming)});
  return out;
}

}  // namespace fwctl
