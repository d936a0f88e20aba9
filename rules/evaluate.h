// The meaning of a policy, stated plainly: the first rule that matches decides, a default the rest.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "rules/policy/check.h"

namespace fwctl {

struct Endpoint {
  Address address;
  std::uint16_t port = 0;  // of protocols that have ports
};

struct Packet {
  policy::Traffic traffic = policy::Traffic::incoming;
  Address from;
  Address to;  // of the same family
  Protocol protocol = tcp;
  std::uint16_t from_port = 0;
  std::uint16_t to_port = 0;
  std::uint8_t icmp_type = 0;
  std::string interface;          // it came in on (incoming, routed) or goes out on (outgoing)
  std::string out_interface;      // a routed packet goes out on
  std::optional<MacAddress> mac;  // Ethernet source, where there is one
  std::uint32_t mark = 0;
  // Who owns the socket that sends it; what no process's socket sends has neither.
  std::optional<std::uint32_t> user;
  std::optional<std::uint32_t> group;
  // Whose process made that socket: the slices it is in, from the outermost, and then the unit.
  std::vector<std::string> units;
  policy::State state = policy::State::fresh;
  // Where a routed packet's connection was sent, if another destination took the place of that one
  // (DNAT) before `to` and `to_port`: by a forward of the policy's, or by another program, as for
  // the published port of a container.
  std::optional<Endpoint> sent_to;
  Time time;  // when the firewall meets it
};

struct Decision {
  // `limit`: allowed for as long as the source stays within the rate, else rejected.
  policy::Verdict verdict = policy::Verdict::deny;
  const policy::CheckedRule* rule = nullptr;        // in the policy; null: the default decided,
  const policy::CheckedForward* forward = nullptr;  // or this forward of the policy's did
};

// What another program redirected is judged as incoming: as what it was sent to this host as.
Decision evaluate(const policy::CheckedPolicy& policy, const Packet& packet);

// first <= last.
struct TimeRange {
  Time first;
  Time last;
  auto operator<=>(const TimeRange&) const = default;
};
constexpr TimeRange always{.first = Time::min(), .last = Time::max()};

// All packets that have this in common; what it leaves open may be anything.
struct Packets {
  policy::Traffic traffic = policy::Traffic::incoming;
  AddressRange from = everything(Family::ipv4);
  AddressRange to = everything(Family::ipv4);  // of the same family
  Protocol protocol = tcp;
  PortRange from_ports = all_ports;
  PortRange to_ports = all_ports;
  std::optional<std::uint8_t> icmp_type;
  // As of a packet; nullopt: any but lo.
  std::optional<std::string> interface;
  std::optional<std::string> out_interface;
  // nullopt: any source, or none; on lo none.
  std::optional<std::optional<MacAddress>> mac;
  std::optional<std::uint32_t> mark;
  // nullopt: of anybody's socket, or of none.
  std::optional<std::optional<std::uint32_t>> user;
  std::optional<std::optional<std::uint32_t>> group;
  std::optional<std::vector<std::string>> units;  // as of a packet; nullopt: of any, or of none
  policy::State state = policy::State::fresh;
  TimeRange times = always;

  Family family() const { return from.family(); }
};

// Just this one, but for what `sent_to` says.
Packets only(const Packet& packet);

// How many of some packets a rule matches. `some` may turn out to be all of them where several
// items of one list cover them only together.
enum class Share : std::uint8_t { none, some, all };

// What a rule asks of a packet. Within one list of a rule, later is nearer to a match.
enum class Condition : std::uint8_t {
  state,
  protocol,
  family,
  icmp_type,
  port,
  source_port,
  source,
  destination,
  interface,
  out_interface,
  mac,
  mark,
  user,
  group,
  unit,
  time,
};
constexpr std::size_t condition_count = static_cast<std::size_t>(Condition::time) + 1;

struct Match {
  Share share = Share::all;
  // With Share::none: the first condition that no packet meets; of several items, for the nearest.
  Condition unmet = Condition::state;
};

// Every question of what a rule matches is answered here: evaluate() asks about one packet.
Match match(const policy::CheckedPolicy& policy, const policy::Conditions& conditions,
            const Packets& packets);
// How many of some incoming packets a forward sends on: what comes in on lo is this host's own, and
// no forward redirects it.
Match match(const policy::CheckedPolicy& policy, const policy::CheckedForward& forward,
            const Packets& packets);

struct Step {
  const policy::CheckedRule* rule = nullptr;  // in the policy
  Match match;
};

// The rules that are asked about `packets`, in their order. Only the last may match all of them; if
// it doesn't, the default decides for those that no rule matches.
std::vector<Step> trail(const policy::CheckedPolicy& policy, const Packets& packets);

}  // namespace fwctl
