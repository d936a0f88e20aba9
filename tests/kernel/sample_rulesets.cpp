#include "tests/kernel/sample_rulesets.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <ostream>

namespace fwctl::testing {
namespace {

using nft::Element;
using nft::Field;
using nft::Match;
using nft::RangeMatch;
using nft::Rule;
using nft::Set;
using nft::VerdictKind;

Match match(Field field, nft::Bytes value) {
  return {field, false, std::move(value), {}};
}
Match differs(Field field, nft::Bytes value) {
  return {field, true, std::move(value), {}};
}

Element single(nft::Bytes key, std::string comment = {}) {
  return {std::move(key), {}, std::nullopt, std::move(comment), {}};
}
Element interval(nft::Bytes low, nft::Bytes high, std::string comment = {}) {
  return {std::move(low), std::move(high), std::nullopt, std::move(comment), {}};
}
Element mapped(Element element, nft::Verdict verdict) {
  element.verdict = std::move(verdict);
  return element;
}

const Match is_ipv4 = match(Field::nfproto, byte(2));
const Match is_ipv6 = match(Field::nfproto, byte(10));
const Match is_tcp = match(Field::l4proto, byte(6));
const Match is_udp = match(Field::l4proto, byte(17));

nft::Ruleset of_chains(std::vector<nft::Chain> chains) {
  return {{}, std::move(chains)};
}

nft::Ruleset metadata() {
  return of_chains({input_chain({
      rule({match(Field::iif, host(1)), accept()}, "loopback"),
      rule({differs(Field::iif, host(1)), drop()}),
      rule({match(Field::oif, host(77)), accept()}),
      rule({match(Field::iifname, interface("eth0")), accept()}),
      rule({differs(Field::iifname, interface("eth0")), accept()}),
      rule({match(Field::iifname, "wg"), accept()}, "pattern"),
      rule({differs(Field::oifname, "veth"), accept()}),
      rule({match(Field::oifname, interface("abcdefghijklmno")), accept()}),
      rule({is_ipv4, accept()}),
      rule({is_ipv6, drop()}),
      rule({is_tcp, accept()}),
      rule({differs(Field::l4proto, byte(17)), accept()}),
      rule({RangeMatch{Field::l4proto, byte(6), byte(17)}, accept()}),
      rule({match(Field::mark, host(5)), accept()}),
      rule({Match{Field::mark, false, host(0x10), host(0xff)}, accept()}),
      rule({Match{Field::mark, true, host(0x10), host(0xf0)}, accept()}),
      rule({RangeMatch{Field::mark, host(5), host(0x1009)}, accept()}),
      rule({Match{Field::ct_state, true, host(0), host(nft::ct_established | nft::ct_related)},
            accept()},
           "established"),
      rule({Match{Field::ct_state, true, host(0), host(nft::ct_invalid)}, drop()}),
      rule({match(Field::ct_state, host(nft::ct_new)), accept()}),
      rule({differs(Field::ct_state, host(nft::ct_new)), accept()}),
  })});
}

nft::Ruleset addresses() {
  return of_chains({input_chain({
      rule({is_ipv4, match(Field::ip_saddr, ip("192.0.2.1")), accept()}),
      rule({is_ipv4, differs(Field::ip_daddr, ip("192.0.2.1")), accept()}),
      rule({is_ipv4, Match{Field::ip_saddr, false, ip("10.0.0.0"), ip("255.128.0.0")}, accept()}),
      rule({is_ipv4, Match{Field::ip_saddr, true, ip("10.128.0.0"), ip("255.128.0.0")}, accept()}),
      rule({is_ipv4, match(Field::ip_saddr, ip("10.0.0.0").substr(0, 1)), accept()}, "short"),
      rule({is_ipv4, Match{Field::ip_daddr, false, ip("10.0.5.0"), ip("255.0.255.0")}, accept()}),
      rule({is_ipv4, RangeMatch{Field::ip_saddr, ip("10.0.0.7"), ip("10.0.2.3")}, accept()}),
      rule({is_ipv6, match(Field::ip6_saddr, ip("2001:db8::1")), accept()}),
      rule({is_ipv6, Match{Field::ip6_saddr, false, ip("fe80::"), ip("ffc0::")}, accept()}),
      rule({is_ipv6, match(Field::ip6_daddr, ip("2001:db8::").substr(0, 4)), accept()}),
      rule({is_ipv6, RangeMatch{Field::ip6_daddr, ip("2001:db8::5"), ip("2001:db8::9")}, accept()}),
      rule({is_ipv6, match(Field::ip6_hoplimit, byte(255)), accept()}),
      rule({is_ipv4, match(Field::ip_saddr, ip("192.0.2.1")),
            match(Field::ip_daddr, ip("192.0.2.2")), accept()}),
  })});
}

nft::Ruleset transports() {
  return of_chains({input_chain({
      rule({is_tcp, match(Field::th_dport, port(22)), accept()}, "ssh"),
      rule({is_tcp, match(Field::th_sport, port(1)), match(Field::th_dport, port(2)), accept()}),
      rule({is_udp, RangeMatch{Field::th_dport, port(9000), port(9010)}, accept()}),
      rule({is_tcp, differs(Field::th_dport, port(443)), drop()}),
      rule({is_ipv4, is_udp, match(Field::th_sport, port(67)), match(Field::th_dport, port(68)),
            accept()}),
      rule({is_ipv4, is_tcp, match(Field::ip_saddr, ip("192.0.2.1")),
            match(Field::th_dport, port(22)), accept()}),
      rule({is_ipv4, match(Field::l4proto, byte(1)), match(Field::icmp_type, byte(8)), accept()}),
      rule({is_ipv6, match(Field::l4proto, byte(58)), match(Field::icmpv6_type, byte(135)),
            match(Field::ip6_hoplimit, byte(255)), accept()}),
      rule({is_ipv6, match(Field::l4proto, byte(58)),
            RangeMatch{Field::icmpv6_type, byte(133), byte(136)}, accept()}),
      rule({is_ipv4, match(Field::l4proto, byte(50)), accept()}),
  })});
}

nft::Ruleset statements() {
  nft::Chain forward = chain("forward", {rule({nft::Verdict{VerdictKind::jump, "one"}}),
                                         rule({nft::Verdict{VerdictKind::go_to, "two"}})});
  forward.hook = nft::Hook{nft::HookPoint::forward, -10, false};
  nft::Chain output = chain("output");
  output.hook = nft::Hook{nft::HookPoint::output, 300, true};
  nft::Chain prerouting = chain("pre");
  prerouting.hook = nft::Hook{nft::HookPoint::prerouting, -300, false};
  nft::Chain commented = chain("two", {rule({accept()})});
  commented.comment = "what this chain is for";
  const nft::Chain one =
      chain("one", {rule({nft::Counter{}, nft::Log{"fwctl r1: "}, drop()}, std::string(127, 'c')),
                    rule({nft::Limit{3, 60, 10}, nft::Log{}, accept()}),
                    rule({nft::Log{"fwctl r2: ", 4}, nft::Log{{}, 0}, nft::Log{{}, 65535}}),
                    rule({nft::Limit{5, 1, 1}, accept()}), rule({nft::Limit{7, 3600, 9}, accept()}),
                    rule({nft::Limit{7, 86400, 5}, accept()}),
                    rule({is_tcp, nft::Reject{nft::RejectWith::tcp_reset}}),
                    rule({nft::Reject{nft::RejectWith::port_unreachable}}),
                    rule({is_ipv4, match(Field::ip_saddr, ip("192.0.2.1")), nft::Reject{}}),
                    rule({nft::Counter{}, nft::Verdict{VerdictKind::go_back, {}}}, "back"),
                    rule({nft::Counter{}})});
  return of_chains({forward, input_chain(), one, output, prerouting, commented});
}

nft::Ruleset hash_sets() {
  std::vector<Set> sets;
  sets.push_back({.name = "addresses", .key = {Field::ip_saddr}, .counters = true});
  sets.back().elements = {single(ip("10.0.0.1"), "first"), single(ip("192.0.2.9"))};
  sets.push_back({.name = "empty", .key = {Field::ip6_saddr, Field::ip6_daddr}});
  sets.push_back({.name = "hosts6", .key = {Field::ip6_saddr}});
  sets.back().elements = {single(ip("2001:db8::1"), "six")};
  sets.push_back({.name = "types", .key = {Field::icmp_type}});
  sets.back().elements = {single(byte(3)), single(byte(8))};
  sets.push_back({.name = "types6", .key = {Field::icmpv6_type}});
  sets.back().elements = {single(byte(1)), single(byte(135))};
  sets.push_back({.name = "indexes", .key = {Field::iif, Field::oif}});
  sets.back().elements = {single(host(1) + host(1))};
  sets.push_back({.name = "marks", .key = {Field::mark}});
  sets.back().elements = {single(host(1)), single(host(7))};
  sets.push_back({.name = "names", .key = {Field::iifname}});
  sets.back().elements = {single(interface("eth0")), single(interface("lo"))};
  sets.push_back(
      {.name = "ports", .key = {Field::l4proto, Field::th_dport}, .map = true, .counters = true});
  sets.back().elements = {mapped(single(byte(6) + port(22), "r1"), accept()),
                          mapped(single(byte(6) + port(80), "r2"), drop()),
                          mapped(single(byte(6) + port(443)), {VerdictKind::jump, "web"}),
                          mapped(single(byte(17) + port(53), "r3"), {VerdictKind::go_to, "web"}),
                          mapped(single(byte(17) + port(67)), {VerdictKind::go_back, {}})};
  sets.push_back(
      {.name = "wide",
       .key = {Field::nfproto, Field::ip6_saddr, Field::iifname, Field::th_sport, Field::l4proto}});
  sets.back().elements = {
      single(byte(10) + ip("2001:db8::1") + interface("eth0") + port(9) + byte(6))};
  return {
      sets,
      {input_chain({
           rule({is_ipv4, nft::SetLookup{{Field::ip_saddr}, "addresses", false}, drop()}),
           rule({is_ipv4, nft::SetLookup{{Field::ip_saddr}, "addresses", true}, accept()}),
           rule({is_ipv6, nft::SetLookup{{Field::ip6_saddr, Field::ip6_daddr}, "empty"}, drop()}),
           rule({is_ipv4, match(Field::l4proto, byte(1)),
                 nft::SetLookup{{Field::icmp_type}, "types"}, accept()}),
           rule({is_ipv6, match(Field::l4proto, byte(58)),
                 nft::SetLookup{{Field::icmpv6_type}, "types6"}, accept()}),
           rule({nft::SetLookup{{Field::iif, Field::oif}, "indexes"}, accept()}),
           rule({nft::SetLookup{{Field::mark}, "marks"}, accept()}),
           rule({nft::SetLookup{{Field::iifname}, "names"}, accept()}),
           rule({nft::SetLookup{{Field::oifname}, "names"}, accept()}),
           rule({nft::MapLookup{{Field::l4proto, Field::th_dport}, "ports"}}, "lookup"),
           rule({is_ipv6,
                 nft::SetLookup{{Field::nfproto, Field::ip6_saddr, Field::iifname, Field::th_sport,
                                 Field::l4proto},
                                "wide"},
                 accept()}),
       }),
       chain("web", {rule({accept()})})}};
}

// Prefixes of one length, and addresses, in sets of a declared size.
nft::Ruleset sized_sets() {
  std::vector<Set> sets;
  sets.push_back({.name = "full", .key = {Field::th_dport}, .size = 2});
  sets.back().elements = {single(port(22)), single(port(80))};
  sets.push_back({.name = "nets-ipv4/24", .key = {Field::ip_saddr}, .size = 8});
  sets.back().elements = {single(ip("10.0.0.0")), single(ip("192.0.2.0"))};
  sets.push_back({.name = "nets-ipv4/32", .key = {Field::ip_saddr}, .size = 4});
  sets.back().elements = {single(ip("10.0.1.1"))};
  sets.push_back({.name = "nets-ipv6/33", .key = {Field::ip6_saddr}, .size = 1024});
  sets.back().elements = {single(ip("2001:db8:8000::"))};
  const std::vector<Field> pair{Field::ip_saddr, Field::l4proto, Field::th_dport};
  const std::vector<Field> pair6{Field::ip6_saddr, Field::l4proto, Field::th_dport};
  sets.push_back({.name = "partners-ipv4", .key = pair, .size = 4});
  sets.back().elements = {single(ip("10.0.0.1") + byte(17) + port(53)),
                          single(ip("192.0.2.7") + byte(6) + port(443)),
                          single(ip("192.0.2.7") + byte(132) + port(65535))};
  sets.push_back({.name = "partners-ipv6", .key = pair6, .size = 2});
  sets.back().elements = {single(ip("2001:db8::7") + byte(6) + port(443))};
  for (auto& set : sets) nft::pack(set);
  const auto lookup = [](Field field, const std::string& set, bool negated,
                         const std::string& mask = {}) {
    return nft::SetLookup{{field}, set, negated, mask.empty() ? nft::Bytes() : ip(mask)};
  };
  const auto in_24 = [&](Field field, bool negated) {
    return lookup(field, "nets-ipv4/24", negated, "255.255.255.0");
  };
  return {sets,
          {input_chain({
              rule({is_ipv4, in_24(Field::ip_saddr, false), nft::Counter{}, drop()}, "r1"),
              rule({is_ipv4, lookup(Field::ip_saddr, "nets-ipv4/32", false), drop()}, "r1"),
              rule({is_ipv4, in_24(Field::ip_daddr, true),
                    lookup(Field::ip_daddr, "nets-ipv4/32", true), accept()}),
              rule({is_ipv6, lookup(Field::ip6_saddr, "nets-ipv6/33", true, "ffff:ffff:8000::"),
                    drop()}),
              rule({in_24(Field::ct_original_daddr4, false), accept()}),
              rule({is_tcp, lookup(Field::th_dport, "full", false), accept()}),
              rule({is_ipv4, nft::SetLookup{pair, "partners-ipv4"}, nft::Counter{}, accept()}),
              rule({is_ipv6, nft::SetLookup{pair6, "partners-ipv6"}, accept()}),
              rule({is_ipv4, is_tcp,
                    nft::SetLookup{{Field::ip_saddr, Field::l4proto, Field::ct_original_dport},
                                   "partners-ipv4"},
                    accept()}),
          })}};
}

nft::Ruleset interval_sets() {
  std::vector<Set> sets;
  sets.push_back({.name = "everyone", .key = {Field::ip_saddr}, .interval = true});
  sets.back().elements = {interval(ip("0.0.0.0"), ip("255.255.255.255"), "everything")};
  sets.push_back({.name = "interfaces", .key = {Field::iifname}, .interval = true});
  sets.back().elements = {
      single(interface("eth0")),
      interval(interface("wg"), nft::Bytes("wg") + nft::Bytes(14, '\xff'), "pattern")};
  sets.push_back({.name = "nets", .key = {Field::ip_saddr}, .interval = true, .counters = true});
  sets.back().elements = {interval(ip("0.0.0.0"), ip("0.255.255.255")),
                          interval(ip("10.0.0.0"), ip("10.255.255.255"), "private"),
                          interval(ip("11.0.0.0"), ip("11.0.0.4"), "beside it"),
                          single(ip("11.0.0.5"), "and one more"),
                          interval(ip("192.0.2.3"), ip("192.0.2.9")),
                          interval(ip("224.0.0.0"), ip("255.255.255.255"), "to the end")};
  sets.push_back({.name = "nets6", .key = {Field::ip6_saddr}, .interval = true});
  sets.back().elements = {interval(ip("2001:db8::"), ip("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff")),
                          single(ip("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"))};
  sets.push_back(
      {.name = "ports", .key = {Field::th_dport}, .map = true, .interval = true, .counters = true});
  sets.back().elements = {mapped(single(port(22), "r1"), accept()),
                          mapped(interval(port(23), port(1023), "r2"), drop()),
                          mapped(interval(port(60000), port(65535), "r3"), accept())};
  return {sets,
          {input_chain({
              rule({is_ipv4, nft::SetLookup{{Field::ip_saddr}, "everyone"}, accept()}),
              rule({nft::SetLookup{{Field::iifname}, "interfaces"}, accept()}),
              rule({is_ipv4, nft::SetLookup{{Field::ip_saddr}, "nets"}, drop()}),
              rule({is_ipv4, nft::SetLookup{{Field::ip_daddr}, "nets", true}, drop()}),
              rule({is_ipv6, nft::SetLookup{{Field::ip6_saddr}, "nets6"}, drop()}),
              rule({is_tcp, nft::MapLookup{{Field::th_dport}, "ports"}}),
          })}};
}

nft::Ruleset concatenated_intervals() {
  std::vector<Set> sets;
  sets.push_back({.name = "six",
                  .key = {Field::ip6_saddr, Field::iifname, Field::th_dport},
                  .interval = true});
  sets.back().elements = {
      interval(ip("2001:db8::") + interface("wg") + port(1),
               ip("2001:db8::ffff") + "wg" + nft::Bytes(14, '\xff') + port(65535), "all of it")};
  sets.push_back({.name = "v4",
                  .key = {Field::ip_saddr, Field::l4proto, Field::th_dport},
                  .map = true,
                  .interval = true,
                  .counters = true});
  sets.back().elements = {mapped(interval(ip("10.0.0.0") + byte(6) + port(22),
                                          ip("10.255.255.255") + byte(6) + port(23), "r1"),
                                 accept()),
                          mapped(interval(ip("10.0.0.0") + byte(17) + port(0),
                                          ip("10.255.255.255") + byte(17) + port(65535)),
                                 {VerdictKind::jump, "datagrams"}),
                          mapped(single(ip("192.0.2.1") + byte(6) + port(22), "r2"), drop())};
  return {sets,
          {input_chain(
               {rule({is_ipv6,
                      nft::SetLookup{{Field::ip6_saddr, Field::iifname, Field::th_dport}, "six"},
                      accept()}),
                rule({is_ipv4,
                      nft::MapLookup{{Field::ip_saddr, Field::l4proto, Field::th_dport}, "v4"}})}),
           chain("datagrams", {rule({drop()})})}};
}

nft::Ruleset links_and_sockets() {
  const Match is_ether = match(Field::iiftype, half(nft::iiftype_ether));
  const nft::Bytes mac = ethernet({0x00, 0x11, 0x22, 0xaa, 0xbb, 0xcc});
  std::vector<Set> sets;
  sets.push_back({.name = "cards", .key = {Field::ether_saddr}});
  sets.back().elements = {single(mac, "printer")};
  sets.push_back({.name = "groups", .key = {Field::skgid}});
  sets.back().elements = {single(host(0)), single(host(3))};
  sets.push_back({.name = "kinds", .key = {Field::iiftype}});
  sets.back().elements = {single(half(1)), single(half(4))};
  sets.push_back({.name = "pairs", .key = {Field::ether_saddr, Field::ip_saddr}});
  sets.back().elements = {single(mac + ip("192.0.2.1"))};
  // nft reads elements as paths: without any.
  sets.push_back({.name = "services", .key = {nft::cgroup_at(3)}});
  sets.push_back({.name = "users", .key = {Field::skuid}, .map = true});
  sets.back().elements = {mapped(single(host(5)), accept())};
  sets.push_back({.name = "who", .key = {Field::ether_saddr}, .timeout_seconds = 60, .size = 9});
  return {
      sets,
      {input_chain({
          rule({is_ether, accept()}),
          rule({differs(Field::iiftype, half(772)), accept()}),
          rule({RangeMatch{Field::iiftype, half(1), half(0x301)}, accept()}),
          rule({is_ether, match(Field::ether_saddr, mac), accept()}, "card"),
          rule({is_ether, differs(Field::ether_saddr, mac), accept()}),
          rule({is_ether,
                Match{Field::ether_saddr, false, ethernet({0, 0x11, 0x22, 0, 0, 0}),
                      ethernet({0xff, 0xff, 0xff, 0, 0, 0})},
                accept()}),
          rule({is_ether, match(Field::ether_saddr, mac), is_ipv4,
                match(Field::ip_saddr, ip("192.0.2.1")), accept()}),
          rule({is_ether, match(Field::ether_saddr, mac), is_ipv6, match(Field::l4proto, byte(58)),
                match(Field::icmpv6_type, byte(135)), accept()}),
          rule({is_ipv4, match(Field::ip_saddr, ip("192.0.2.1")), is_tcp,
                match(Field::th_dport, port(22)), is_ether, match(Field::ether_saddr, mac),
                accept()}),
          rule({is_ipv4, is_ether, match(Field::ether_saddr, mac),
                match(Field::ip_saddr, ip("192.0.2.1")), accept()}),
          rule({is_ether, nft::SetLookup{{Field::ether_saddr}, "cards"}, accept()}),
          rule({is_ipv4, is_ether, nft::SetLookup{{Field::ether_saddr, Field::ip_saddr}, "pairs"},
                accept()}),
          rule({is_ether, nft::Meter{Field::ether_saddr, {}, "who", {.rate = 1}}, accept()}),
          rule({nft::SetLookup{{Field::iiftype}, "kinds"}, accept()}),
          rule({match(Field::skuid, host(0)), accept()}),
          rule({differs(Field::skuid, host(70000)), accept()}),
          rule({RangeMatch{Field::skuid, host(1000), host(1999)}, accept()}),
          rule({match(Field::skgid, host(4)), accept()}),
          rule({RangeMatch{Field::skgid, host(4), host(0x10005)}, accept()}),
          rule({nft::SetLookup{{Field::skgid}, "groups"}, accept()}),
          rule({nft::MapLookup{{Field::skuid}, "users"}}),
          rule({nft::SetLookup{{nft::cgroup_at(3)}, "services"}, accept()}, "service"),
      })}};
}

nft::Ruleset connections() {
  std::vector<Set> sets;
  sets.push_back({.name = "nets", .key = {Field::ct_original_daddr4}, .interval = true});
  sets.back().elements = {interval(ip("10.0.0.0"), ip("10.255.255.255"))};
  sets.push_back({.name = "published", .key = {Field::ct_original_dport}});
  sets.back().elements = {single(port(80)), single(port(443))};
  sets.push_back({.name = "states", .key = {Field::ct_status}});
  sets.back().elements = {single(host(nft::ct_status_dnat)), single(host(0x2a))};
  const auto status = [](std::uint32_t bits) {
    return Match{Field::ct_status, true, host(0), host(bits)};
  };
  return {
      sets,
      {input_chain({
          rule({status(nft::ct_status_dnat), accept()}, "published"),
          rule({status(nft::ct_status_dnat | nft::ct_status_snat), accept()}),
          rule({status(0x1000), accept()}),
          rule({status(0x1020), accept()}),
          rule({Match{Field::ct_status, false, host(0), host(nft::ct_status_dnat)}, drop()}),
          rule({Match{Field::ct_status, false, host(0x20), host(0x30)}, drop()}),
          rule({match(Field::ct_status, host(nft::ct_status_dnat)), accept()}),
          rule({differs(Field::ct_status, host(0x26)), accept()}),
          rule({nft::SetLookup{{Field::ct_status}, "states"}, accept()}),
          rule({is_tcp, match(Field::ct_original_dport, port(8080)), accept()}),
          rule({is_udp, RangeMatch{Field::ct_original_dport, port(8080), port(8090)}, accept()}),
          rule({is_tcp, match(Field::th_dport, port(80)), status(nft::ct_status_dnat),
                match(Field::ct_original_dport, port(8080)), accept()}),
          rule({is_tcp, nft::SetLookup{{Field::ct_original_dport}, "published"}, accept()}),
          rule({match(Field::ct_original_daddr4, ip("192.0.2.1")), accept()}),
          rule({match(Field::ct_original_daddr4, ip("10.0.0.0").substr(0, 1)), accept()}),
          rule({Match{Field::ct_original_daddr4, false, ip("10.128.0.0"), ip("255.128.0.0")},
                accept()}),
          rule({is_ipv4, differs(Field::ct_original_daddr4, ip("192.0.2.1")), accept()}),
          rule({RangeMatch{Field::ct_original_daddr4, ip("10.0.0.7"), ip("10.0.2.3")}, accept()}),
          rule({nft::SetLookup{{Field::ct_original_daddr4}, "nets"}, accept()}),
          rule({match(Field::ct_original_daddr6, ip("2001:db8::1")), accept()}),
          rule({match(Field::ct_original_daddr6, ip("2001:db8::").substr(0, 4)), accept()}),
          rule({RangeMatch{Field::ct_original_daddr6, ip("2001:db8::5"), ip("2001:db8::9")},
                accept()}),
      })}};
}

nft::Ruleset translations() {
  const auto nat_chain = [](std::string name, nft::HookPoint point, int priority,
                            std::vector<Rule> rules) {
    nft::Chain made = chain(std::move(name), std::move(rules));
    made.hook = nft::Hook{point, priority, false, nft::ChainType::nat};
    return made;
  };
  nft::Chain mangle = chain("mangle", {rule({nft::Counter{}})});
  mangle.hook = nft::Hook{nft::HookPoint::postrouting, -150, false};
  const nft::Bytes here = ip("10.0.0.5");
  const nft::Bytes here6 = ip("2001:db8::5");
  return of_chains(
      {input_chain(), mangle,
       nat_chain(
           "to", nft::HookPoint::prerouting, -100,
           {rule({is_tcp, nft::Dnat{false, here, 80}}, "r1"),
            rule({is_ipv4, is_tcp, match(Field::th_dport, port(8080)), nft::Dnat{false, here, 80}}),
            rule({is_ipv4, nft::Counter{}, nft::Dnat{false, here, {}}}),
            rule({is_udp, match(Field::th_dport, port(53)), nft::Dnat{true, here6, 53}}),
            rule({is_ipv6, match(Field::ip6_daddr, ip("2001:db8::1")), nft::Dnat{true, here6, {}}}),
            rule({is_tcp, match(Field::th_dport, port(80)), nft::Redirect{8080}}),
            rule({match(Field::daddr_type, host(nft::daddr_local)), accept()}),
            rule({is_ipv4, is_tcp, match(Field::th_dport, port(80)),
                  match(Field::daddr_type, host(nft::daddr_local)), nft::Counter{},
                  nft::Dnat{false, here, 80}}),
            rule({differs(Field::daddr_type, host(1)), accept()}),
            rule({match(Field::pkttype, nft::Bytes(1, '\0')), accept()}),
            rule({differs(Field::pkttype, nft::Bytes(1, '\2')), accept()}),
            rule({is_tcp, match(Field::th_dport, port(80)), nft::Trace{}}, "look"),
            rule({is_ipv4, is_tcp, match(Field::th_dport, port(80)),
                  Match{Field::tcp_flags, false, byte(0x02), byte(0x12)},
                  nft::Limit{.rate = 10, .seconds = 1, .burst = 30}, nft::Trace{}}),
            rule({is_tcp, match(Field::tcp_flags, byte(0x02)), nft::Trace{}}),
            rule({differs(Field::l4proto, byte(6)), nft::Trace{}}),
            rule({is_tcp, nft::Redirect{65535}}), rule({nft::Verdict{VerdictKind::jump, "more"}})}),
       chain("more", {rule({is_tcp, nft::Redirect{9}})}),
       nat_chain("out", nft::HookPoint::output, -100,
                 {rule({is_tcp, match(Field::th_dport, port(9)), nft::Redirect{90}})}),
       nat_chain("in", nft::HookPoint::input, 100, {}),
       nat_chain(
           "from", nft::HookPoint::postrouting, 100,
           {rule({match(Field::oifname, interface("eth0")), nft::Masquerade{}}, "share"),
            rule({is_ipv4, match(Field::ip_saddr, ip("10.0.0.0").substr(0, 1)), nft::Masquerade{}}),
            rule({match(Field::oifname, interface("eth1")), accept()})})});
}

nft::Ruleset ends() {
  const auto nanoseconds = [](std::uint64_t seconds) {
    const std::uint64_t value = seconds * 1'000'000'000;
    nft::Bytes bytes(sizeof value, '\0');
    std::memcpy(bytes.data(), &value, sizeof value);
    return bytes;
  };
  const Time later(std::chrono::seconds(4'102'444'800));
  const auto element = [](const std::string& first, const std::string& last,
                          Time until = nft::no_end) {
    return nft::Element{
        .key = ip(first), .key_end = first == last ? nft::Bytes() : ip(last), .until = until};
  };
  std::vector<Set> sets;
  sets.push_back(
      {.name = "blocked",
       .key = {Field::ip_saddr},
       .interval = true,
       .ends = true,
       .elements = {element("10.0.0.0", "10.0.0.5"), element("10.0.0.6", "10.0.0.9", later),
                    element("10.0.0.10", "10.0.0.10", later), element("10.0.0.11", "10.0.0.11"),
                    element("10.9.0.0", "10.9.255.255", later),
                    element("255.255.255.0", "255.255.255.255", later)}});
  sets.push_back(
      {.name = "hosts",
       .key = {Field::ip_saddr},
       .ends = true,
       .elements = {element("10.0.0.1", "10.0.0.1"), element("10.0.0.2", "10.0.0.2", later)}});
  return {
      sets,
      {input_chain(
          {rule({is_ipv4, nft::SetLookup{.key = {Field::ip_saddr}, .set = "blocked"}, drop()},
                "r1"),
           rule({is_ipv4, nft::SetLookup{.key = {Field::ip_saddr}, .set = "hosts"}, drop()}, "r1"),
           rule({nft::Before{Field::time, nanoseconds(1'795'370'400)}, accept()}, "r1"),
           rule({is_tcp, match(Field::th_dport, port(22)),
                 nft::Before{Field::time, nanoseconds(4'102'444'800)}, nft::Counter{}, drop()})})}};
}

nft::Ruleset meters() {
  const auto limit = [](std::uint64_t rate, bool over) {
    return nft::Limit{.rate = rate, .seconds = 60, .burst = 6, .over = over};
  };
  std::vector<Set> sets;
  sets.push_back(
      {.name = "sources", .key = {Field::ip_saddr}, .timeout_seconds = 60, .size = 1000});
  sets.push_back(
      {.name = "sources6", .key = {Field::ip6_saddr}, .timeout_seconds = 90061, .size = 65535});
  sets.push_back({.name = "ports", .key = {Field::th_dport}, .timeout_seconds = 1, .size = 1});
  sets.push_back({.name = "arrivals", .key = {Field::iif}, .timeout_seconds = 4294967, .size = 9});
  return {sets,
          {input_chain({
              rule({nft::Limit{12, 60, 6, true}, drop()}, "over"),
              rule({is_ipv4, is_tcp, match(Field::th_dport, port(22)),
                    nft::Meter{Field::ip_saddr, {}, "sources", limit(12, true)}, drop()}),
              rule({is_ipv4, nft::Meter{Field::ip_saddr, {}, "sources", limit(12, true)}, drop()}),
              rule({is_ipv4,
                    nft::Meter{Field::ip_saddr, ip("255.255.255.0"), "sources", limit(9, false)},
                    accept()}),
              rule({is_ipv6,
                    nft::Meter{Field::ip6_saddr, ip("ffff:ffff:ffff:ffff::"), "sources6",
                               limit(12, true)},
                    nft::Counter{}, drop()},
                   "r1"),
              rule({is_tcp, nft::Meter{Field::th_dport, {}, "ports", limit(1, true)}, accept()}),
              rule({nft::Meter{Field::iif, {}, "arrivals", limit(1, true)}, accept()}),
              rule({is_ipv4, nft::SetLookup{{Field::ip_saddr}, "sources"}, nft::Counter{}}),
          })}};
}

}  // namespace

std::vector<Sample> sample_rulesets() {
  std::vector<Sample> samples{{"empty", {}},
                              {"metadata", metadata()},
                              {"addresses", addresses()},
                              {"transports", transports()},
                              {"statements", statements()},
                              {"hash_sets", hash_sets()},
                              {"sized_sets", sized_sets()},
                              {"interval_sets", interval_sets()},
                              {"links_and_sockets", links_and_sockets()},
                              {"connections", connections()},
                              {"translations", translations()},
                              {"meters", meters()},
                              {"ends", ends()},
                              {"concatenated_intervals", concatenated_intervals()}};
  for (Sample& sample : samples) {
    std::ranges::sort(sample.ruleset.sets, {}, &Set::name);
    std::ranges::for_each(sample.ruleset.sets, nft::pack);
    std::ranges::sort(sample.ruleset.chains, {}, &nft::Chain::name);
  }
  return samples;
}

std::ostream& operator<<(std::ostream& out, const Sample& sample) {
  return out << sample.name;
}

nft::Changes creation(const nft::Ruleset& ruleset) {
  nft::Changes changes{nft::AddTable{}};
  for (const nft::Chain& each : ruleset.chains) changes.emplace_back(nft::AddChain{each});
  for (const Set& set : ruleset.sets) {
    changes.emplace_back(nft::AddSet{set});
    changes.emplace_back(nft::AddElements{set});
  }
  for (const nft::Chain& each : ruleset.chains)
    for (const Rule& one : each.rules) changes.emplace_back(nft::AddRule{each.name, one});
  return changes;
}

nft::Bytes host(std::uint32_t number) {
  return {reinterpret_cast<const char*>(&number), sizeof(number)};
}

nft::Bytes half(std::uint16_t number) {
  return {reinterpret_cast<const char*>(&number), sizeof(number)};
}

nft::Bytes ethernet(std::initializer_list<std::uint8_t> address) {
  return {address.begin(), address.end()};
}

nft::Bytes port(std::uint16_t number) {
  return {static_cast<char>(number >> 8), static_cast<char>(number & 0xff)};
}

nft::Bytes byte(std::uint8_t number) {
  return {static_cast<char>(number)};
}

nft::Bytes ip(const std::string& address) {
  std::array<char, 16> bytes{};
  const bool six = address.find(':') != std::string::npos;
  if (inet_pton(six ? AF_INET6 : AF_INET, address.c_str(), bytes.data()) != 1) std::abort();
  return {bytes.data(), six ? 16U : 4U};
}

nft::Bytes interface(const std::string& name) {
  nft::Bytes padded = name;
  padded.resize(16, '\0');
  return padded;
}

nft::Verdict accept() {
  return {VerdictKind::accept, {}};
}
nft::Verdict drop() {
  return {VerdictKind::drop, {}};
}

nft::Rule rule(std::vector<nft::Statement> statements, std::string comment) {
  return {std::move(statements), std::move(comment)};
}

nft::Chain chain(std::string name, std::vector<nft::Rule> rules) {
  return {std::move(name), std::nullopt, {}, std::move(rules)};
}

nft::Chain input_chain(std::vector<nft::Rule> rules) {
  nft::Chain made = chain("input", std::move(rules));
  made.hook = nft::Hook{nft::HookPoint::input, 0, false};
  return made;
}

}  // namespace fwctl::testing
