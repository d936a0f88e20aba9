#include "rules/reach.h"

#include <algorithm>
#include <cassert>
#include <iterator>

#include "rules/joined.h"
#include "rules/policy/items.h"

namespace fwctl {
namespace {

using policy::AddressMatch;
using policy::CheckedPolicy;
using policy::Conditions;
using policy::Flow;

using Asked = std::span<const Packets>;
using Words = std::vector<std::string>;

Share share(const CheckedPolicy& policy, const Conditions& conditions, Asked asked) {
  bool none = true;
  bool all = true;
  for (const auto& packets : asked) {
    const Share share = match(policy, conditions, packets).share;
    none = none && share == Share::none;
    all = all && share == Share::all;
  }
  if (none) return Share::none;
  return all ? Share::all : Share::some;
}

void add(Words& words, std::string word) {
  if (std::find(words.begin(), words.end(), word) == words.end()) words.push_back(std::move(word));
}

// Where all of these addresses are in the set until one moment: " until" that.
std::string end_of(const policy::CheckedSet& set, const AddressRange& addresses) {
  for (const auto& [range, until] : set.temporary(addresses.family()))
    if (range.contains(addresses)) return " until " + time_text(until);
  return {};
}

std::string text(const CheckedPolicy& policy, const AddressMatch& match) {
  if (const auto* range = std::get_if<AddressRange>(&match)) return range->text();
  if (const auto* suffix = std::get_if<policy::SuffixMatch>(&match))
    return (suffix->negated ? "!" : "") + suffix->suffix.text();
  const auto& set = std::get<policy::SetIndex>(match);
  const auto& its = policy.sets()[set.index];
  if (its.host) return "host:" + its.name;
  return (set.negated ? "!@" : "@") + its.name;
}

// The items of one side of a rule that are about some of the packets; none if they are about all.
std::string addresses(const CheckedPolicy& policy, const Conditions& conditions,
                      std::vector<AddressMatch> Conditions::* side, Asked asked) {
  const auto alone = [&](std::vector<AddressMatch> matches) {
    Conditions one;
    one.*side = std::move(matches);
    return share(policy, one, asked);
  };
  if (alone(conditions.*side) == Share::all) return {};
  Words words;
  for (const auto& match : conditions.*side) {
    if (alone({match}) == Share::none) continue;
    words.push_back(text(policy, match));
    const auto* set = std::get_if<policy::SetIndex>(&match);
    if (set != nullptr && asked.size() == 1)
      words.back() += end_of(policy.sets()[set->index],
                             side == &Conditions::from ? asked.front().from : asked.front().to);
  }
  return joined(words);
}

struct FlowWords {
  Words source_ports;
  Words ports;
  Words icmp_types;
};

// What the rule's flows ask of the packets that not all of them have.
FlowWords flow_words(const CheckedPolicy& policy, const std::vector<Flow>& flows, Asked asked) {
  FlowWords out;
  if (share(policy, {.flows = flows}, asked) == Share::all) return out;
  for (const auto& flow : flows) {
    if (share(policy, {.flows = {flow}}, asked) == Share::none) continue;
    if (flow.icmp_type) add(out.icmp_types, std::to_string(*flow.icmp_type));
    for (const auto& packets : asked) {
      if (!flow.from.contains(packets.from_ports)) add(out.source_ports, flow.from.text());
      if (!flow.to.contains(packets.to_ports)) add(out.ports, flow.to.text());
    }
  }
  return out;
}

// Before anything a rule says of it.
std::string everyone(Asked asked) {
  Words words;
  for (const auto& packets : asked)
    if (packets.from != everything(packets.family())) add(words, packets.from.text());
  if (!words.empty()) return joined(words);
  return asked.front().traffic == policy::Traffic::outgoing ? "this host" : "anyone";
}

// `written` is the rule as it was written, where it is one that names accounts.
std::string sources_text(const CheckedPolicy& policy, const Conditions& conditions,
                         const policy::Rule* written, Asked asked) {
  const auto from = addresses(policy, conditions, &Conditions::from, asked);
  const auto to = addresses(policy, conditions, &Conditions::to, asked);
  const auto flows = flow_words(policy, conditions.flows, asked);
  std::string out = from.empty() ? everyone(asked) : from;
  if (!flows.source_ports.empty()) out += " from port " + joined(flows.source_ports);
  if (!flows.icmp_types.empty()) out += " with type " + joined(flows.icmp_types);
  if (share(policy, {.macs = conditions.macs}, asked) == Share::some) {
    Words macs;
    for (const auto& mac : conditions.macs) add(macs, mac.text());
    out += " with MAC source " + joined(macs);
  }
  if (share(policy, {.mark = conditions.mark}, asked) == Share::some)
    out += " with mark " + policy::text(*conditions.mark);
  const auto of = [&](std::string_view kind, auto list, const Conditions& wanted) {
    if (share(policy, wanted, asked) != Share::some) return;
    Words words;
    for (const auto& account : written->*list) add(words, policy::text(account));
    out += " " + std::string(kind) + " " + joined(words);
  };
  of("as user", &policy::Rule::users, Conditions{.users = conditions.users});
  of("as group", &policy::Rule::groups, Conditions{.groups = conditions.groups});
  if (share(policy, {.units = conditions.units}, asked) == Share::some)
    out += " as unit " + joined(conditions.units);
  if (!to.empty() || !flows.ports.empty()) out += " to";
  if (!to.empty()) out += " " + to;
  if (!flows.ports.empty()) out += " port " + joined(flows.ports);
  if (share(policy, {.interfaces = conditions.interfaces}, asked) == Share::some)
    out += " on " + joined(conditions.interfaces);
  if (share(policy, {.out_interfaces = conditions.out_interfaces}, asked) == Share::some)
    out += " out on " + joined(conditions.out_interfaces);
  if (share(policy, {.until = conditions.until}, asked) == Share::some)
    out += " until " + time_text(*conditions.until);
  return out;
}

bool serves(const Listener& listener, Family family) {
  if (listener.address) return listener.address->family() == family;
  return family == Family::ipv4 ? listener.ipv4 : listener.ipv6;
}

std::vector<Packets> packets_to(const Listener& listener) {
  std::vector<Packets> out;
  for (const auto family : {Family::ipv4, Family::ipv6}) {
    if (!serves(listener, family)) continue;
    const auto& bound = listener.address;
    out.push_back({.from = everything(family),
                   .to = bound ? AddressRange{*bound, *bound} : everything(family),
                   .protocol = listener.protocol,
                   .to_ports = {listener.port, listener.port},
                   .times = listener.times});
  }
  return out;
}

// Whom a forward takes, of `left`; packets that it takes all of are left out there.
std::optional<Reachability> taken(const CheckedPolicy& policy,
                                  const policy::CheckedForward& forward,
                                  std::vector<Packets>& left) {
  std::vector<Packets> some;
  std::copy_if(left.begin(), left.end(), std::back_inserter(some), [&](const Packets& packets) {
    return match(policy, forward, packets).share != Share::none;
  });
  if (some.empty()) return {};
  const std::size_t before = left.size();
  std::erase_if(left, [&](const Packets& packets) {
    return match(policy, forward, packets).share == Share::all;
  });
  const bool all = left.size() + some.size() == before;
  Reachability out{
      .sources = all ? everyone(some) : sources_text(policy, forward.conditions, nullptr, some),
      .verdict = policy::Verdict::allow,
      .forward = &forward};
  if (some.size() != before)
    out.sources += forward.to.family() == Family::ipv4 ? " over IPv4" : " over IPv6";
  return out;
}

}  // namespace

std::vector<Reachability> reach(const CheckedPolicy& policy, Asked packets) {
  assert(!packets.empty());
  std::vector<Reachability> out;
  const auto traffic = packets.front().traffic;
  std::vector<Packets> left(packets.begin(), packets.end());
  if (traffic == policy::Traffic::incoming)
    for (const auto& forward : policy.forwards())
      if (auto entry = taken(policy, forward, left)) {
        out.push_back(std::move(*entry));
        if (left.empty()) return out;
      }
  for (const auto& rule : policy.rules(traffic)) {
    const Share matched = share(policy, rule.conditions, left);
    if (matched == Share::none) continue;
    const bool all = matched == Share::all;
    const auto* written = rule.written ? &policy.policy().rules[*rule.written] : nullptr;
    out.push_back(
        {.sources = all ? everyone(left) : sources_text(policy, rule.conditions, written, left),
         .verdict = rule.verdict,
         .rule = &rule});
    if (all) return out;
  }
  out.push_back({.sources = everyone(left), .verdict = policy.default_for(traffic)});
  return out;
}

std::vector<Reachability> redirected_alike(const CheckedPolicy& policy, const Packets& packets) {
  std::vector<Reachability> out;
  for (const auto& forward : policy.forwards()) {
    Conditions arriving = forward.conditions;
    arriving.to = {AddressRange{forward.to, forward.to}};
    if (forward.to_port)
      for (auto& flow : arriving.flows) flow.to = {*forward.to_port, *forward.to_port};
    const Asked asked(&packets, 1);
    if (share(policy, arriving, asked) == Share::none) continue;
    out.push_back({.sources = sources_text(policy, arriving, nullptr, asked),
                   .verdict = policy::Verdict::allow,
                   .forward = &forward});
  }
  return out;
}

std::vector<Reachability> reach(const CheckedPolicy& policy, const Listener& listener) {
  return reach(policy, packets_to(listener));
}

}  // namespace fwctl
