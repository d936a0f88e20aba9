#include "tests/unit/random_policy.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "rules/policy/baseline.h"
#include "rules/policy/trust.h"
#include "tests/unit/policies.h"

namespace fwctl::testing {
namespace {

using policy::AddressItem;
using policy::PortItem;
using policy::ServiceName;
using policy::SetName;
using policy::Verdict;

constexpr Protocol sctp{132};
constexpr std::array known_ports{1,    22,   53,   80,   443,   1023, 1024,
                                 3000, 8080, 9000, 9010, 65534, 65535};
constexpr std::array with_ports{tcp, tcp, tcp, udp, udp, sctp, Protocol{33}, Protocol{136}};
constexpr std::array all_protocols{tcp,  udp,          icmp,         icmpv6,
                                   sctp, Protocol{50}, Protocol{47}, Protocol{200}};
// "null" is a word of YAML's own.
constexpr std::array<std::string_view, 4> set_names{"office", "drop", "null", "nobody"};
constexpr std::array<std::string_view, 2> pair_set_names{"partners", "apis"};
constexpr std::array<std::string_view, 3> service_names{"myapp", "game", "Null"};
constexpr std::array<std::string_view, 12> devices{"eth0",
                                                   "eth1",
                                                   "wg0",
                                                   "wg1",
                                                   "wg10",
                                                   "lo",
                                                   "br-lan",
                                                   "null",
                                                   "en.7",
                                                   "docker0",
                                                   "br-0123456789ab",
                                                   "abcdefghijklmno"};
// The last has no address.
constexpr std::array<std::string_view, 3> hosts{"home.example.org", "nas", "gone.example.org"};
// No rule names them, but with some of them one begins alike.
constexpr std::array<std::string_view, 4> other_devices{"unknown0", "lo0", "eth0.5",
                                                        "br-0123456789AB"};
constexpr std::array<std::string_view, 7> patterns{
    "eth*", "wg*", "e*", "wg1*", "abcdefghijklmn*", "br-????????????", "wan"};
constexpr std::array<std::string_view, 22> fragments{
    "nginx", " ", "'", "\"", "\\", "#", ": ", "- ",  "{}",   "[",  "ü",
    "日本",  "~", "%", "&",  "*",  "!", "|",  "\\n", "null", ", ", "@"};

constexpr std::array<std::uint8_t, 5> icmp_types{0, 3, 8, 128, 135};
// By the packets of a test: what a limit does then is a test of its own.
constexpr policy::Rate never_reached{.count = 1'000'000, .seconds = 1, .burst = 1'000'000};

// A known service and a protocol it is known for.
constexpr std::array<std::pair<std::string_view, Protocol>, 7> known_services{{{"ssh", tcp},
                                                                               {"domain", tcp},
                                                                               {"domain", udp},
                                                                               {"ntp", udp},
                                                                               {"www", tcp},
                                                                               {"https", udp},
                                                                               {"imaps", tcp}}};

}  // namespace

Address RandomPolicy::address(Family family) {
  std::array<std::uint8_t, 16> bytes{};
  constexpr std::array<std::uint8_t, 5> values{0, 1, 127, 128, 255};
  if (family == Family::ipv4) {
    bytes = {10, pick(values), pick(values), pick(values)};
    if (one_in(20))
      for (std::size_t index = 0; index < 4; ++index) bytes[index] = pick(values);
  } else {
    bytes = {0x20, 0x01, 0x0d, 0xb8, 0, pick(values), 0, pick(values)};
    bytes[15] = pick(values);
    if (one_in(20)) std::fill(bytes.begin(), bytes.end(), pick(values));
  }
  return {family, bytes};
}

AddressRange RandomPolicy::range(Family family) {
  auto first = address(family);
  if (one_in(4)) {
    auto last = address(family);
    if (last < first) std::swap(first, last);
    return {first, last};
  }
  constexpr std::array v4{0, 8, 9, 16, 24, 31, 32, 32};
  constexpr std::array v6{0, 32, 48, 64, 65, 127, 128, 128};
  return prefix(first, family == Family::ipv4 ? pick(v4) : pick(v6));
}

AddressSuffix RandomPolicy::suffix() {
  return fwctl::suffix(address(Family::ipv6), pick(std::array{1, 8, 64, 64, 64, 65, 120, 127}));
}

AddressPort RandomPolicy::pair() {
  return {.address = address(one_in(3) ? Family::ipv6 : Family::ipv4),
          .protocol = pick(with_ports),
          .port = port()};
}

std::uint16_t RandomPolicy::port() {
  if (one_in(8)) return static_cast<std::uint16_t>(1 + below(65535));
  return static_cast<std::uint16_t>(pick(known_ports));
}

PortRange RandomPolicy::ports() {
  auto first = port();
  auto last = one_in(2) ? first : port();
  if (last < first) std::swap(first, last);
  return {first, last};
}

Verdict RandomPolicy::verdict() {
  return pick(std::array{Verdict::allow, Verdict::deny, Verdict::reject});
}

MacAddress RandomPolicy::mac() {
  return {{0x02, 0, 0, 0, 0, static_cast<std::uint8_t>(1 + below(4))}};
}

std::uint32_t RandomPolicy::mark() {
  return pick(std::array<std::uint32_t, 6>{0, 1, 2, 0x10, 0x11, 0x80000001});
}

std::uint32_t RandomPolicy::account() {
  return one_in(4) ? 0 : pick(accounts).second;
}

std::vector<std::string> RandomPolicy::sender_units() {
  if (one_in(4)) return {};
  auto unit = std::string(pick(named_units));
  while (!units().contains(unit)) unit = pick(named_units);
  return policy::with_slices(unit, units());
}

Time RandomPolicy::end() {
  constexpr std::array<std::int64_t, 3> ends{1'000'000'000, 1'000'000'001, 4'102'444'800};
  return Time(std::chrono::seconds(pick(ends)));
}

std::string RandomPolicy::interface() {
  return std::string(pick(devices));
}

std::vector<std::string> RandomPolicy::interfaces() {
  std::vector<std::string> all(devices.begin(), devices.end());
  all.insert(all.end(), other_devices.begin(), other_devices.end());
  return all;
}

std::string RandomPolicy::comment() {
  std::string out;
  for (std::size_t count = 1 + below(12); count != 0; --count) out += pick(fragments);
  return out;
}

PortItem RandomPolicy::port_item() {
  if (one_in(5)) {
    const auto& [name, protocol] = pick(known_services);
    PortItem item{.what = ServiceName{std::string(name)}};
    if (one_in(2)) item.protocol = protocol;
    return item;
  }
  if (one_in(6)) return {.what = ServiceName{std::string(pick(service_names))}};
  PortItem item{.what = ports()};
  if (!one_in(3)) item.protocol = pick(with_ports);
  return item;
}

std::vector<PortItem> RandomPolicy::port_items(std::size_t most) {
  std::vector<PortItem> items;
  const std::size_t count = 1 + below(most);
  // Often of one protocol, which has a form of its own in print.
  const bool uniform = one_in(2);
  const Protocol protocol = pick(with_ports);
  while (items.size() < count)
    items.push_back(uniform ? PortItem{.what = ports(), .protocol = protocol} : port_item());
  return items;
}

void RandomPolicy::add_flow(policy::Rule& rule) {
  if (one_in(8)) return;
  if (one_in(6)) {
    rule.protocol = pick(all_protocols);
    while ((rule.protocol == icmp || rule.protocol == icmpv6) && one_in(2))
      rule.icmp_types.push_back(pick(icmp_types));
    return;
  }
  if (!one_in(5)) rule.ports = port_items(4);
  if (!one_in(5)) return;
  rule.from_ports = port_items(2);
  if (rule.ports.empty()) return;
  // Both sides must share a protocol.
  if (one_in(2)) {
    rule.ports.front() = {.what = ports(), .protocol = tcp};
    rule.from_ports.front() = {.what = ports()};
  } else {
    const auto protocol = one_in(2) ? std::nullopt : std::optional(pick(with_ports));
    for (auto* items : {&rule.ports, &rule.from_ports})
      for (auto& item : *items) item = {.what = ports(), .protocol = protocol};
  }
}

AddressItem RandomPolicy::address_item(Family family) {
  if (one_in(5)) return {.what = SetName{std::string(pick(set_names))}};
  if (family == Family::ipv6 && one_in(4)) return {.what = suffix()};
  if (one_in(6)) return {.what = policy::HostName{std::string(pick(hosts))}};
  return {.what = range(family)};
}

// All but a set or a suffix, or all but a few prefixes, which leaves some of each family.
void RandomPolicy::negate(std::vector<AddressItem>& items) {
  if (one_in(3)) {
    items = {{.what = SetName{std::string(pick(set_names))}}};
  } else if (one_in(4)) {
    items = {{.what = suffix()}};
  } else {
    items.clear();
    do {
      const auto family = one_in(2) ? Family::ipv4 : Family::ipv6;
      items.push_back({.what = prefix(address(family), pick(std::array{9, 16, 24, 31, 32}))});
    } while (one_in(2));
  }
  for (auto& item : items) item.negated = true;
}

void RandomPolicy::add_addresses(policy::Rule& rule) {
  const auto mode = below(3);  // IPv4, IPv6, both
  const auto family = [&] {
    if (mode == 2) return one_in(2) ? Family::ipv4 : Family::ipv6;
    return mode == 0 ? Family::ipv4 : Family::ipv6;
  };
  const Family shared = family();
  for (auto* items : {&rule.from, &rule.to}) {
    if (one_in(2)) continue;
    items->push_back(address_item(shared));
    while (one_in(2)) items->push_back(address_item(family()));
    if (one_in(6)) negate(*items);
  }
}

// The set says the ports, and is alone on its side.
void RandomPolicy::name_pairs(policy::Rule& rule) {
  rule.protocol.reset();
  rule.icmp_types.clear();
  rule.ports.clear();
  rule.from_ports.clear();
  auto& side = one_in(2) ? rule.from : rule.to;
  side.clear();
  side.push_back({.what = SetName{std::string(pick(pair_set_names))}});
}

void RandomPolicy::add_interfaces(std::vector<std::string>& into) {
  do into.emplace_back(one_in(2) ? pick(devices) : pick(patterns));
  while (one_in(3));
}

void RandomPolicy::add_accounts(std::vector<policy::Account>& into) {
  do {
    auto& wanted = into.emplace_back();
    if (one_in(3))
      wanted.what = account();
    else
      wanted.what = std::string(pick(accounts).first);
  } while (one_in(2));
}

void RandomPolicy::add_units(std::vector<std::string>& into) {
  do into.emplace_back(pick(named_units));
  while (one_in(2));
}

policy::Rule RandomPolicy::rule() {
  policy::Rule rule{.verdict = verdict()};
  if (one_in(6)) {
    rule.verdict = Verdict::limit;
    rule.rate = never_reached;
  }
  if (one_in(3)) rule.direction = one_in(2) ? policy::Direction::out : policy::Direction::routed;
  if (one_in(6)) rule.log = one_in(2) ? policy::Log::fresh : policy::Log::all;
  if (one_in(4)) add_interfaces(rule.interfaces);
  if (rule.direction == policy::Direction::routed && one_in(2)) add_interfaces(rule.out_interfaces);
  if (rule.direction != policy::Direction::out && one_in(6)) do
      rule.macs.push_back(mac());
    while (one_in(2));
  if (rule.direction == policy::Direction::out) {
    if (one_in(3)) add_accounts(rule.users);
    if (one_in(4)) add_accounts(rule.groups);
    if (one_in(3)) add_units(rule.units);
  }
  if (one_in(8)) {
    rule.mark = policy::Mark{.mask = pick(std::array{0xffffffffU, 0xffU, 0xf0U, 0x80000001U})};
    rule.mark->value = mark() & rule.mark->mask;
  }
  add_flow(rule);
  if (one_in(2)) add_addresses(rule);
  if (one_in(8)) name_pairs(rule);
  if (one_in(6)) rule.until = end();
  if (one_in(3)) rule.comment = comment();
  return rule;
}

// Of one kind, as one lookup may decide: they ask the same of everything but addresses, ports and
// interfaces, and overlap.
std::vector<policy::Rule> RandomPolicy::run() {
  auto rule = this->rule();
  rule.rate = {};
  rule.log = policy::Log::off;
  rule.comment.clear();
  std::vector<policy::Rule> out;
  for (std::size_t count = 4 + below(8); count != 0; --count) {
    rule.verdict = verdict();
    for (auto* items : {&rule.from, &rule.to})
      for (auto& item : *items)
        if (const auto* old = std::get_if<AddressRange>(&item.what);
            old != nullptr && !item.negated)
          item.what = range(old->family());
    for (auto* items : {&rule.from_ports, &rule.ports})
      for (auto& item : *items)
        if (std::holds_alternative<PortRange>(item.what)) item.what = ports();
    for (auto* names : {&rule.interfaces, &rule.out_interfaces})
      for (auto& name : *names)
        if (!name.ends_with('*')) name = interface();
    out.push_back(rule);
  }
  return out;
}

policy::Forward RandomPolicy::forward() {
  const auto family = one_in(2) ? Family::ipv4 : Family::ipv6;
  const auto protocol = [&] { return pick(std::array{tcp, udp}); };
  policy::Forward forward{.to = address(family)};
  while (forward.to.is_loopback() || forward.to.is_any()) forward.to = address(family);
  if (one_in(2)) {
    const auto one = port();
    forward.ports = {{.what = PortRange{one, one}}};
    if (one_in(2)) forward.ports.front().protocol = protocol();
    if (!one_in(3)) forward.to_port = port();
  } else {
    do forward.ports.push_back({.what = ports(), .protocol = protocol()});
    while (one_in(3));
  }
  if (one_in(3)) forward.from.push_back(address_item(family));
  if (one_in(3)) add_interfaces(forward.interfaces);
  if (one_in(3)) forward.comment = comment();
  return forward;
}

policy::Masquerade RandomPolicy::masquerade() {
  policy::Masquerade masquerade;
  add_interfaces(masquerade.out_interfaces);
  if (one_in(2)) masquerade.from.push_back(address_item(one_in(2) ? Family::ipv4 : Family::ipv6));
  return masquerade;
}

// Of what is there without a rule.
void RandomPolicy::add_switches(policy::Policy& policy) {
  for (const auto item : policy::baseline_items())
    if (policy::can_be_switched_off(item) && one_in(8))
      policy.switched_off.push_back({.item = std::string(item)});
  policy.containers = !one_in(4);
  for (const auto name : policy::trust_names())
    if (one_in(8)) policy.trusts.push_back({.name = std::string(name)});
  for (const auto& trust : policy.trusts)
    for (auto& rule : policy::rules_of(trust)) policy.rules.push_back(std::move(rule));
}

policy::Policy RandomPolicy::policy(std::size_t most) {
  policy::Policy policy;
  for (auto& wanted : policy.defaults) wanted = verdict();
  using policy::Logging;
  policy.logging = pick(std::array{Logging::off, Logging::low, Logging::low, Logging::medium,
                                   Logging::high, Logging::full});
  for (const auto name : set_names) {
    policy::AddressSet set{.name = std::string(name)};
    if (name != "nobody")
      for (std::size_t count = 1 + below(6); count != 0; --count)
        set.ranges.push_back(range(one_in(2) ? Family::ipv4 : Family::ipv6));
    if (name != "nobody" && one_in(2))
      for (std::size_t count = 1 + below(4); count != 0; --count)
        set.temporary.push_back({range(one_in(2) ? Family::ipv4 : Family::ipv6), end()});
    policy.sets.push_back(std::move(set));
  }
  for (const auto name : pair_set_names) {
    policy::AddressSet set{.name = std::string(name)};
    for (std::size_t count = 1 + below(8); count != 0; --count) set.pairs.push_back(pair());
    policy.sets.push_back(std::move(set));
  }
  for (const auto name : service_names) {
    policy::Service service{.name = std::string(name)};
    for (std::size_t count = 1 + below(3); count != 0; --count) {
      PortItem item{.what = ports()};
      if (one_in(2)) item.protocol = pick(std::array{tcp, udp});
      service.ports.push_back(std::move(item));
    }
    if (one_in(3)) service.protocols.push_back(pick(std::array{Protocol{47}, Protocol{50}}));
    if (one_in(2)) service.description = comment();
    policy.services.push_back(std::move(service));
  }
  const std::size_t wanted = below(most + 1);
  while (policy.rules.size() < wanted) {
    if (one_in(10) && policy.rules.size() + 12 <= wanted) {
      for (auto& rule : run()) policy.rules.push_back(std::move(rule));
    } else {
      policy.rules.push_back(rule());
    }
  }
  for (std::size_t count = below(4); count != 0; --count) policy.forwards.push_back(forward());
  for (std::size_t count = below(3); count != 0; --count)
    policy.masquerades.push_back(masquerade());
  add_switches(policy);
  return policy;
}

}  // namespace fwctl::testing
