#include "rules/evaluate.h"

#include <algorithm>
#include <utility>

#include "rules/interface.h"

namespace fwctl {
namespace {

using policy::AddressMatch;
using policy::CheckedPolicy;
using policy::Conditions;
using policy::Flow;

// What every condition that a rule asks leaves of the packets.
class Narrowing {
 public:
  Narrowing& ask(Condition condition, Share share) {
    return ask(Match{.share = share, .unmet = condition});
  }
  Narrowing& ask(const Match& match) {
    if (match.share < result_.share) result_ = match;
    return *this;
  }
  const Match& result() const { return result_; }

 private:
  Match result_;
};

// One item of a list is enough, an empty list asks nothing.
template <typename List, typename Ask>
Match any_of(const List& list, Ask ask) {
  if (list.empty()) return {};
  Match best{.share = Share::none};
  for (const auto& item : list) {
    const Match match = ask(item);
    if (std::pair(match.share, match.unmet) > std::pair(best.share, best.unmet)) best = match;
    if (best.share == Share::all) break;
  }
  return best;
}

Share all_or_none(bool all) {
  return all ? Share::all : Share::none;
}

Share opposite(Share share) {
  if (share == Share::some) return share;
  return all_or_none(share == Share::none);
}

template <typename Range>
Share share_of(const Range& wanted, const Range& packets) {
  if (wanted.contains(packets)) return Share::all;
  return wanted.first <= packets.last && packets.first <= wanted.last ? Share::some : Share::none;
}

Share share_of(const PackedRanges& sorted, const AddressRange& packets) {
  const auto found = std::lower_bound(
      sorted.begin(), sorted.end(), packets.first,
      [](const AddressRange& range, const Address& first) { return range.last < first; });
  return found == sorted.end() ? Share::none : share_of(*found, packets);
}

Match match_state(std::uint8_t states, const Packets& packets) {
  const bool met = states == 0 || (states & static_cast<std::uint8_t>(packets.state)) != 0;
  return {.share = all_or_none(met), .unmet = Condition::state};
}

Match match_icmp_type(const Flow& flow, const Packets& packets) {
  const Family family = flow.protocol == icmp ? Family::ipv4 : Family::ipv6;
  if (packets.family() != family) return {.share = Share::none, .unmet = Condition::family};
  return {
      .share = packets.icmp_type ? all_or_none(*flow.icmp_type == *packets.icmp_type) : Share::some,
      .unmet = Condition::icmp_type};
}

Match match_flow(const Flow& flow, const Packets& packets) {
  if (flow.protocol != packets.protocol)
    return {.share = Share::none, .unmet = Condition::protocol};
  if (flow.icmp_type) return match_icmp_type(flow, packets);
  if (!flow.protocol.has_ports()) return {};
  return Narrowing()
      .ask(Condition::port, share_of(flow.to, packets.to_ports))
      .ask(Condition::source_port, share_of(flow.from, packets.from_ports))
      .result();
}

Match match_range(const AddressRange& wanted, const AddressRange& packets, Condition side) {
  if (wanted.family() != packets.family())
    return {.share = Share::none, .unmet = Condition::family};
  return {.share = share_of(wanted, packets), .unmet = side};
}

// Of entries that end; later ones than the first that meets the packets do not matter.
Match share_of(const std::vector<policy::TemporaryRange>& sorted, const AddressRange& packets,
               const TimeRange& times, Condition side) {
  Match out{.share = Share::none, .unmet = side};
  for (auto found = std::ranges::lower_bound(sorted, packets.first, {},
                                             [](const auto& entry) { return entry.range.last; });
       found != sorted.end() && found->range.first <= packets.last; ++found) {
    out.unmet = Condition::time;
    if (times.first >= found->until) continue;
    const bool all = found->range.contains(packets) && times.last < found->until;
    return {.share = all ? Share::all : Share::some, .unmet = side};
  }
  return out;
}

// A pair of the same address is nearer to a match than none.
Match match_pairs(const PackedPairs& sorted, const AddressRange& addresses, const Packets& packets,
                  Condition side) {
  Match out{.share = Share::none, .unmet = side};
  for (std::size_t index = sorted.first_from(addresses.first); index != sorted.size(); ++index) {
    const AddressPort pair = sorted[index];
    if (pair.address > addresses.last) break;
    out.unmet = Condition::port;
    if (pair.protocol != packets.protocol || !packets.to_ports.contains({pair.port, pair.port}))
      continue;
    const bool all = addresses.first == addresses.last && packets.to_ports.single();
    return {.share = all ? Share::all : Share::some, .unmet = side};
  }
  return out;
}

// `addresses`: on the side that the set is named for.
Match match_set(const policy::CheckedSet& set, const AddressRange& addresses,
                const Packets& packets, Condition side) {
  const Family family = addresses.family();
  const Family other = family == Family::ipv4 ? Family::ipv6 : Family::ipv4;
  if (!set.has(family) && set.has(other)) return {.share = Share::none, .unmet = Condition::family};
  if (!set.pairs.empty()) return match_pairs(set.pairs.of(family), addresses, packets, side);
  const Share lasting = share_of(set.ranges(family), addresses);
  if (lasting != Share::none) return {.share = lasting, .unmet = side};
  return share_of(set.temporary(family), addresses, packets.times, side);
}

// Of several addresses in a row, never all end alike.
Match match_suffix(const policy::SuffixMatch& wanted, const AddressRange& packets, Condition side) {
  Share share = Share::none;
  if (wanted.suffix.overlaps(packets))
    share = packets.first == packets.last ? Share::all : Share::some;
  if (wanted.negated) return {.share = opposite(share), .unmet = side};
  return {.share = share, .unmet = packets.family() == Family::ipv4 ? Condition::family : side};
}

Match match_address(const CheckedPolicy& policy, const AddressMatch& wanted, const Packets& packets,
                    Condition side) {
  const auto& addresses = side == Condition::source ? packets.from : packets.to;
  if (const auto* range = std::get_if<AddressRange>(&wanted))
    return match_range(*range, addresses, side);
  if (const auto* suffix = std::get_if<policy::SuffixMatch>(&wanted))
    return match_suffix(*suffix, addresses, side);
  const auto& set = std::get<policy::SetIndex>(wanted);
  const Match inside = match_set(policy.sets()[set.index], addresses, packets, side);
  return set.negated ? Match{.share = opposite(inside.share), .unmet = side} : inside;
}

Match match_interface(const std::string& pattern, const std::optional<std::string>& interface,
                      Condition condition) {
  if (interface)
    return {.share = all_or_none(matches_interface(pattern, *interface)), .unmet = condition};
  return {.share = pattern == "lo" ? Share::none : Share::some, .unmet = condition};
}

Match match_mac(const MacAddress& wanted, const Packets& packets) {
  Share share = Share::some;
  if (packets.mac)
    share = all_or_none(*packets.mac == wanted);
  else if (packets.interface == "lo")
    share = Share::none;
  return {.share = share, .unmet = Condition::mac};
}

Match match_mark(const std::optional<policy::Mark>& wanted, const Packets& packets) {
  if (!wanted) return {};
  const bool met = packets.mark && (*packets.mark & wanted->mask) == wanted->value;
  return {.share = packets.mark ? all_or_none(met) : Share::some, .unmet = Condition::mark};
}

Match match_account(std::uint32_t wanted,
                    const std::optional<std::optional<std::uint32_t>>& account,
                    Condition condition) {
  return {.share = account ? all_or_none(*account == wanted) : Share::some, .unmet = condition};
}

Match match_unit(const std::string& wanted, const std::optional<std::vector<std::string>>& units) {
  if (!units) return {.share = Share::some, .unmet = Condition::unit};
  return {.share = all_or_none(std::ranges::find(*units, wanted) != units->end()),
          .unmet = Condition::unit};
}

// As it arrived, before its destination was exchanged.
Packet as_sent(Packet packet) {
  packet.traffic = policy::Traffic::incoming;
  packet.to = packet.sent_to->address;
  packet.to_port = packet.sent_to->port;
  packet.out_interface.clear();
  packet.sent_to.reset();
  return packet;
}

// Whether it goes where the forward leads, and was sent where the forward begins.
bool redirects(const CheckedPolicy& policy, const policy::CheckedForward& forward,
               const Packet& packet) {
  if (packet.to != forward.to) return false;
  const Packets sent = only(as_sent(packet));
  Conditions conditions = forward.conditions;
  return std::ranges::any_of(forward.conditions.flows, [&](const Flow& flow) {
    const PortRange leads_to =
        forward.to_port ? PortRange{*forward.to_port, *forward.to_port} : flow.to;
    conditions.flows = {flow};
    return leads_to.contains({packet.to_port, packet.to_port}) &&
           match(policy, conditions, sent).share == Share::all;
  });
}

Match match_time(const std::optional<Time>& until, const TimeRange& times) {
  if (!until || times.last < *until) return {};
  return {.share = times.first < *until ? Share::some : Share::none, .unmet = Condition::time};
}

}  // namespace

Packets only(const Packet& packet) {
  return {.traffic = packet.traffic,
          .from = {packet.from, packet.from},
          .to = {packet.to, packet.to},
          .protocol = packet.protocol,
          .from_ports = {packet.from_port, packet.from_port},
          .to_ports = {packet.to_port, packet.to_port},
          .icmp_type = packet.icmp_type,
          .interface = packet.interface,
          .out_interface = packet.out_interface,
          .mac = packet.mac,
          .mark = packet.mark,
          .user = packet.user,
          .group = packet.group,
          .units = packet.units,
          .state = packet.state,
          .times = {packet.time, packet.time}};
}

Match match(const CheckedPolicy& policy, const Conditions& conditions, const Packets& packets) {
  Narrowing packets_left;
  packets_left.ask(match_state(conditions.states, packets));
  packets_left.ask(
      any_of(conditions.flows, [&](const Flow& flow) { return match_flow(flow, packets); }));
  packets_left.ask(any_of(conditions.from, [&](const AddressMatch& wanted) {
    return match_address(policy, wanted, packets, Condition::source);
  }));
  packets_left.ask(any_of(conditions.to, [&](const AddressMatch& wanted) {
    return match_address(policy, wanted, packets, Condition::destination);
  }));
  packets_left.ask(any_of(conditions.interfaces, [&](const std::string& pattern) {
    return match_interface(pattern, packets.interface, Condition::interface);
  }));
  packets_left.ask(any_of(conditions.out_interfaces, [&](const std::string& pattern) {
    return match_interface(pattern, packets.out_interface, Condition::out_interface);
  }));
  packets_left.ask(any_of(conditions.macs,
                          [&](const MacAddress& wanted) { return match_mac(wanted, packets); }));
  packets_left.ask(match_mark(conditions.mark, packets));
  packets_left.ask(any_of(conditions.users, [&](std::uint32_t wanted) {
    return match_account(wanted, packets.user, Condition::user);
  }));
  packets_left.ask(any_of(conditions.groups, [&](std::uint32_t wanted) {
    return match_account(wanted, packets.group, Condition::group);
  }));
  packets_left.ask(any_of(conditions.units, [&](const std::string& wanted) {
    return match_unit(wanted, packets.units);
  }));
  packets_left.ask(match_time(conditions.until, packets.times));
  return packets_left.result();
}

Match match(const CheckedPolicy& policy, const policy::CheckedForward& forward,
            const Packets& packets) {
  if (packets.family() != forward.to.family())
    return {.share = Share::none, .unmet = Condition::family};
  if (packets.interface == "lo") return {.share = Share::none, .unmet = Condition::interface};
  return match(policy, forward.conditions, packets);
}

Decision evaluate(const CheckedPolicy& policy, const Packet& packet) {
  const Packets packets = only(packet);
  for (const auto& rule : policy.rules(packet.traffic)) {
    if (packet.sent_to && !rule.always_first()) break;
    if (match(policy, rule.conditions, packets).share == Share::all)
      return {.verdict = rule.verdict, .rule = &rule};
  }
  if (!packet.sent_to) return {.verdict = policy.default_for(packet.traffic)};
  for (const auto& forward : policy.forwards())
    if (redirects(policy, forward, packet))
      return {.verdict = policy::Verdict::allow, .forward = &forward};
  return evaluate(policy, as_sent(packet));
}

std::vector<Step> trail(const CheckedPolicy& policy, const Packets& packets) {
  std::vector<Step> steps;
  for (const auto& rule : policy.rules(packets.traffic)) {
    steps.push_back({.rule = &rule, .match = match(policy, rule.conditions, packets)});
    if (steps.back().match.share == Share::all) break;
  }
  return steps;
}

}  // namespace fwctl
