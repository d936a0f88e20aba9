// Packets aimed at the edges of a policy. One function for each field of a packet.
#include <algorithm>
#include <array>
#include <iterator>
#include <optional>

#include "tests/unit/policies.h"
#include "tests/unit/random_policy.h"

namespace fwctl::testing {
namespace {

using policy::AddressMatch;
using policy::CheckedPolicy;
using policy::Conditions;
using policy::State;
using policy::Traffic;

constexpr std::array protocols{tcp,           tcp,          udp,           udp,
                               icmp,          icmpv6,       Protocol{132}, Protocol{33},
                               Protocol{136}, Protocol{2},  Protocol{47},  Protocol{50},
                               Protocol{51},  Protocol{200}};
// Those a host meets, and those behind the ones that mean something to it.
constexpr std::array<std::uint8_t, 22> icmp_types{
    0, 1, 2, 3, 4, 5, 8, 11, 12, 13, 14, 18, 128, 129, 130, 133, 137, 140, 143, 148, 149, 255};

std::vector<AddressRange> ranges(const CheckedPolicy& policy, const AddressMatch& match) {
  if (const auto* range = std::get_if<AddressRange>(&match)) return {*range};
  // Anything that ends so: the smallest such address, and one with a prefix as packets have it.
  if (const auto* ending = std::get_if<policy::SuffixMatch>(&match)) {
    std::vector<AddressRange> out{{ending->suffix.bits, ending->suffix.bits}};
    auto bytes = ending->suffix.bits.bytes();
    constexpr std::array<std::uint8_t, 4> global{0x20, 0x01, 0x0d, 0xb8};
    if (ending->suffix.length <= 96) std::copy(global.begin(), global.end(), bytes.begin());
    out.push_back({Address(Family::ipv6, bytes), Address(Family::ipv6, bytes)});
    return out;
  }
  const auto& set = policy.sets()[std::get<policy::SetIndex>(match).index];
  std::vector<AddressRange> all;
  set.lasting.each([&](const AddressRange& range) { all.push_back(range); });
  for (const auto* entries : {&set.temporary_ipv4, &set.temporary_ipv6})
    for (const auto& entry : *entries) all.push_back(entry.range);
  set.pairs.each([&](const AddressPort& pair) { all.push_back({pair.address, pair.address}); });
  return all;
}

}  // namespace

std::uint16_t RandomPolicy::near(PortRange ports) {
  if (ports == all_ports || one_in(8)) return port();
  const auto edge = one_in(2) ? ports.first : ports.last;
  if (one_in(2)) return edge;
  return static_cast<std::uint16_t>(edge + below(3) - 1);
}

Address RandomPolicy::near(const CheckedPolicy& policy, const std::vector<AddressMatch>& matches,
                           Family family) {
  std::vector<AddressRange> usable;
  if (!matches.empty())
    for (const auto& one : ranges(policy, pick(matches)))
      if (one.family() == family && one != everything(family)) usable.push_back(one);
  if (usable.empty() || one_in(8)) return address(family);
  const auto chosen = pick(usable);
  const auto edge = one_in(2) ? chosen.first : chosen.last;
  switch (below(6)) {
    case 0:
      return successor(edge).value_or(edge);
    case 1:
      return predecessor(edge).value_or(edge);
    default:
      return edge;
  }
}

std::string RandomPolicy::near(const std::vector<std::string>& patterns) {
  auto all = interfaces();
  if (!patterns.empty() && !one_in(5)) {
    auto stem = pick(patterns);
    if (stem.ends_with('*')) stem.pop_back();
    // Those that match, and those that merely begin like a name.
    std::vector<std::string> fitting;
    std::copy_if(all.begin(), all.end(), std::back_inserter(fitting),
                 [&](const std::string& name) { return name.starts_with(stem); });
    if (!fitting.empty()) return pick(fitting);
  }
  return pick(all);
}

void RandomPolicy::aim_flow(Packet& packet, const std::vector<policy::Flow>& flows) {
  policy::Flow flow{.protocol = pick(protocols)};
  if (!flows.empty() && !one_in(8)) {
    flow = pick(flows);
  } else if (!flow.protocol.has_ports()) {
    flow.icmp_type = one_in(2) ? pick(icmp_types) : static_cast<std::uint8_t>(below(256));
  }
  packet.protocol = flow.protocol;
  if (flow.protocol.has_ports()) {
    packet.from_port = near(flow.from);
    packet.to_port = near(flow.to);
  } else if (flow.icmp_type) {
    const auto step = one_in(2) ? 1 : below(3);
    packet.icmp_type = static_cast<std::uint8_t>(*flow.icmp_type + step - 1);
  } else {
    packet.icmp_type = pick(icmp_types);
  }
}

Family RandomPolicy::family_for(const Packet& packet, const CheckedPolicy& policy,
                                const Conditions& aim) {
  std::vector<Family> candidates;
  for (const auto* matches : {&aim.from, &aim.to})
    for (const auto& match : *matches)
      for (const auto& range : ranges(policy, match)) candidates.push_back(range.family());
  if (candidates.empty() && packet.protocol == icmp) candidates.push_back(Family::ipv4);
  if (candidates.empty() && packet.protocol == icmpv6) candidates.push_back(Family::ipv6);
  if (candidates.empty() || one_in(8)) return one_in(2) ? Family::ipv4 : Family::ipv6;
  return pick(candidates);
}

void RandomPolicy::aim_pair(Packet& packet, const CheckedPolicy& policy, const Conditions& at) {
  for (const auto* side : {&at.from, &at.to})
    for (const auto& match : *side) {
      const auto* set = std::get_if<policy::SetIndex>(&match);
      if (set == nullptr) continue;
      const auto& pairs = policy.sets()[set->index].pairs.of(packet.from.family());
      if (pairs.empty()) continue;
      const auto pair = pairs[below(pairs.size())];
      if (!one_in(6)) (side == &at.from ? packet.from : packet.to) = pair.address;
      if (one_in(6)) continue;
      packet.protocol = pair.protocol;
      packet.icmp_type = 0;
      packet.from_port = port();
      packet.to_port = near(PortRange{pair.port, pair.port});
    }
}

Packet RandomPolicy::packet(const CheckedPolicy& policy) {
  Packet packet{.traffic = pick(std::array{Traffic::incoming, Traffic::incoming, Traffic::incoming,
                                           Traffic::outgoing, Traffic::outgoing, Traffic::routed})};
  const auto& rules = policy.rules(packet.traffic);
  packet.state = one_in(8) ? pick(std::array{State::invalid, State::established, State::related})
                           : State::fresh;
  if (packet.traffic == Traffic::routed && one_in(2))
    redirect(packet, policy);
  else
    aim(packet, policy, one_in(8) || rules.empty() ? Conditions{} : pick(rules).conditions);
  return packet;
}

void RandomPolicy::aim(Packet& packet, const CheckedPolicy& policy, const Conditions& at) {
  aim_flow(packet, at.flows);
  const Family family = family_for(packet, policy, at);
  packet.from = near(policy, at.from, family);
  packet.to = near(policy, at.to, family);
  aim_pair(packet, policy, at);
  do packet.interface = near(at.interfaces);
  while (packet.traffic == Traffic::routed && packet.interface == "lo");
  if (packet.traffic == Traffic::routed) do
      packet.out_interface = near(at.out_interfaces);
    while (packet.out_interface == "lo" || packet.out_interface == packet.interface);
  if (packet.traffic != Traffic::outgoing && packet.interface != "lo") {
    packet.mac = mac();
    if (!at.macs.empty() && one_in(2)) packet.mac = pick(at.macs);
  }
  packet.mark = at.mark && one_in(2) ? at.mark->value : mark();
  if (packet.traffic == Traffic::outgoing && !one_in(8)) {
    packet.user = !at.users.empty() && !one_in(4) ? pick(at.users) : account();
    packet.group = !at.groups.empty() && !one_in(4) ? pick(at.groups) : account();
    packet.units = sender_units();
    const auto runs = [](const std::string& unit) { return units().contains(unit); };
    if (std::ranges::any_of(at.units, runs) && !one_in(4)) {
      auto wanted = pick(at.units);
      while (!runs(wanted)) wanted = pick(at.units);
      packet.units = policy::with_slices(wanted, units());
    }
  }
  packet.time = at.until.value_or(end()) + std::chrono::seconds(below(3)) - std::chrono::seconds(1);
}

void RandomPolicy::redirect(Packet& packet, const CheckedPolicy& policy) {
  const auto& forwards = policy.forwards();
  const auto& rules = policy.rules(Traffic::incoming);
  if (!forwards.empty() && one_in(2)) {
    const auto forward = pick(forwards);
    auto conditions = forward.conditions;
    if (conditions.from.empty()) conditions.from = {everything(forward.to.family())};
    aim(packet, policy, conditions);
    packet.sent_to = {packet.to, packet.to_port};
    if (packet.from.family() == forward.to.family() && !one_in(8)) packet.to = forward.to;
    if (forward.to_port) packet.to_port = near({*forward.to_port, *forward.to_port});
  } else {
    aim(packet, policy, one_in(8) || rules.empty() ? Conditions{} : pick(rules).conditions);
    packet.sent_to = {packet.to, packet.to_port};
    packet.to = address(packet.from.family());
    if (packet.protocol.has_ports()) packet.to_port = port();
  }
}

}  // namespace fwctl::testing
