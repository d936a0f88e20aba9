// A policy whose names are resolved and whose rules make sense: what evaluate() answers from and
// compile() turns into a ruleset. Only check() makes one.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "rules/address.h"
#include "rules/policy/model.h"
#include "rules/policy/parse.h"
#include "rules/policy/services.h"

namespace fwctl::policy {

// Bits of connection tracking's verdict on a packet.
enum class State : std::uint8_t { invalid = 1, established = 2, related = 4, fresh = 8 };

// One kind of packet a rule is about: a protocol with its ports, or an ICMP type.
struct Flow {
  Protocol protocol;
  PortRange from = all_ports;
  PortRange to = all_ports;
  std::optional<std::uint8_t> icmp_type;  // of ICMP and ICMPv6

  // A type of ICMP is of IPv4, one of ICMPv6 of IPv6.
  bool possible_in(Family family) const {
    return !icmp_type || (protocol == icmp) == (family == Family::ipv4);
  }
  bool operator==(const Flow&) const = default;
};

// Index into CheckedPolicy::sets; negated: every address, of either family, that is not in it.
struct SetIndex {
  std::size_t index = 0;
  bool negated = false;
  bool operator==(const SetIndex&) const = default;
};
// Negated: every address, of either family, that ends otherwise.
struct SuffixMatch {
  AddressSuffix suffix;
  bool negated = false;
  bool operator==(const SuffixMatch&) const = default;
};
using AddressMatch = std::variant<AddressRange, SetIndex, SuffixMatch>;

// Whether it may match addresses of that family; `of_set(SetIndex)` says so of a set, if not
// negated.
template <typename OfSet>
bool possible_in(Family family, const AddressMatch& match, const OfSet& of_set) {
  if (const auto* range = std::get_if<AddressRange>(&match)) return range->family() == family;
  if (const auto* suffix = std::get_if<SuffixMatch>(&match))
    return suffix->negated || family == Family::ipv6;
  const auto& index = std::get<SetIndex>(match);
  return index.negated || of_set(index);
}

// What a packet must be for a rule to match: one of each list; an empty list asks nothing. At least
// one pair of `from` and `to` shares a family.
struct Conditions {
  std::uint8_t states = 0;  // bits of State; 0 asks nothing
  std::vector<Flow> flows;
  std::vector<AddressMatch> from;
  std::vector<AddressMatch> to;
  std::vector<std::string> interfaces;      // it comes in on; of outgoing packets, goes out on
  std::vector<std::string> out_interfaces;  // of routed packets: goes out on
  std::vector<MacAddress> macs;             // its Ethernet source; one without any has none of them
  std::optional<Mark> mark;
  std::vector<std::uint32_t> users;   // who owns the socket that sends it; what none sends has none
  std::vector<std::uint32_t> groups;  // likewise
  std::vector<std::string> units;     // of systemd, of which that socket's process was then
  std::optional<Time> until;          // before that
};

// The id of what lets container networks out, behind the rules for routed traffic.
constexpr std::string_view containers_id = "containers";

struct CheckedRule {
  std::string id;  // "r" and 8 hexadecimal digits, or the name of a baseline item
  Verdict verdict = Verdict::deny;
  Log log = Log::off;
  Rate rate;  // with Verdict::limit
  Conditions conditions;
  // Index into CheckedPolicy::policy().rules; nullopt for the baseline, which no one wrote.
  std::optional<std::size_t> written;

  // Of the baseline that stands before all rules.
  bool always_first() const { return !written && id != containers_id; }
};

// Addresses of one family each, sorted and disjoint; those of a set merged where they touch, those
// of a host each alone. Or pairs instead, sorted, each once: a rule that names such a set asks for
// the address on its side and the port that a packet goes to.
struct CheckedSet {
  std::string name;
  bool host = false;  // of a host name, not of a set that the policy defines
  AddressRanges lasting;
  // Which none of those above contains: each address with the last of its ends.
  std::vector<TemporaryRange> temporary_ipv4;
  std::vector<TemporaryRange> temporary_ipv6;
  AddressPorts pairs;

  const PackedRanges& ranges(Family family) const { return lasting.of(family); }
  const std::vector<TemporaryRange>& temporary(Family family) const {
    return family == Family::ipv4 ? temporary_ipv4 : temporary_ipv6;
  }
  // Whether there may be addresses of that family in it.
  bool has(Family family) const {
    return !ranges(family).empty() || !temporary(family).empty() || !pairs.of(family).empty();
  }
  bool contains(const Address& address, Time time) const;
};

struct CheckedForward {
  std::string id;         // "f" and 8 hexadecimal digits
  Conditions conditions;  // of what arrives; clauses of another family than `to` mean nothing
  Address to;
  std::optional<std::uint16_t> to_port;  // only where all flows are of one port
  std::size_t written = 0;               // index into CheckedPolicy::policy().forwards
};

struct CheckedMasquerade {
  std::string id;         // "m" and 8 hexadecimal digits
  Conditions conditions;  // of what goes out
  std::size_t written = 0;
};

// Whoever is kept stays at its address when more come at the end.
using CheckedRules = std::deque<CheckedRule>;

class CheckedPolicy {
 public:
  const Policy& policy() const { return policy_; }
  const std::vector<CheckedSet>& sets() const { return sets_; }
  // In the order of evaluation: the baseline, the rules, and what lets container networks out.
  const CheckedRules& rules(Traffic traffic) const {
    return rules_[static_cast<std::size_t>(traffic)];
  }
  Verdict default_for(Traffic traffic) const { return policy_.default_for(traffic); }
  Logging logging() const { return policy_.logging; }

  // In the policy's order.
  const std::vector<CheckedForward>& forwards() const { return forwards_; }
  const std::vector<CheckedMasquerade>& masquerades() const { return masquerades_; }

  // Ids by index into policy().rules.
  const std::vector<std::string>& ids() const { return ids_; }
  std::optional<std::size_t> find(std::string_view id) const;

  // One rule more behind all others, as append.h makes them; and takes it back.
  void append(Rule rule, CheckedRule checked);
  void take_back();
  // `entries` more in a set, with room around each of them; and takes these back.
  void extend(std::size_t set, const std::vector<AddressRange>& entries);
  void take_back(std::size_t set, const std::vector<AddressRange>& entries);

 private:
  friend class Checker;
  CheckedPolicy() = default;

  Policy policy_;
  std::vector<CheckedSet> sets_;
  std::array<CheckedRules, 3> rules_;
  std::vector<std::string> ids_;
  std::vector<CheckedForward> forwards_;
  std::vector<CheckedMasquerade> masquerades_;
};

// nullopt exactly when something in `diagnostics` is an error afterwards. Warnings (a rule that can
// never match, and the rule that hides it) leave a result.
std::optional<CheckedPolicy> check(ParsedPolicy parsed, const Sources& sources,
                                   ServiceTable services, Diagnostics& diagnostics);

// The same of the rules alone: without the baseline and what lets container networks out, without
// forwards and masquerades, and without a word on rules that others hide.
std::optional<CheckedPolicy> check_rules(const ParsedPolicy& parsed, const Sources& sources,
                                         ServiceTable services, Diagnostics& diagnostics);

// parse() and check() in one.
std::optional<CheckedPolicy> load(const Sources& sources, ServiceTable services,
                                  Diagnostics& diagnostics);
std::optional<CheckedPolicy> load(const Sources& sources, std::string_view etc_services,
                                  Diagnostics& diagnostics);

// What the policy itself says of names goes into `services`.
void define_services(const Policy& policy, const Sources& sources, ServiceTable& services);

// Whether what `policy` has depends on what services are.
bool names_services(const Policy& policy);

// What `typed` has with the sets (of which names and kinds are enough) and services that `policy`
// defines, to be checked by itself.
ParsedPolicy alone(const CheckedPolicy& policy, Policy typed);

// kept_text() for every service that rules name and the policy itself does not define, under the
// name that the rule has.
std::string used_services(const Policy& policy, const ServiceTable& services);

// What is said of a name that no set of the policy has.
std::string unknown_set(const Policy& policy, const std::string& name);

// A warning for each rule, and each set with entries, of a file that people own that has ended by
// `now`.
Diagnostics ended(const Policy& policy, const Sources& sources, Time now);

// "r" and 8 hexadecimal digits that stay for as long as the rule means the same, whenever it ends.
std::string rule_id(const Rule& rule);

}  // namespace fwctl::policy
