#include "rules/compile/panic.h"

#include <algorithm>
#include <string>
#include <utility>

#include "rules/compile/box.h"
#include "rules/compile/bytes.h"
#include "rules/compile/matches.h"

namespace fwctl::compile {
namespace {

using nft::Field;

// Before connection tracking (-200) and everybody's filters: what is dropped here costs nothing
// more, and nobody else's accept matters.
constexpr int before_all = -300;

nft::Rule rule(std::vector<nft::Statement> matches, nft::VerdictKind verdict) {
  if (verdict == nft::VerdictKind::drop) matches.emplace_back(nft::Counter{});
  matches.emplace_back(nft::Verdict{verdict, {}});
  return {.statements = std::move(matches), .comment = std::string(panic_comment)};
}

struct End {
  Address address;
  std::uint16_t port;
};

nft::Rule packets(const End& from, const End& to) {
  const bool v4 = from.address.family() == Family::ipv4;
  std::vector<nft::Statement> out;
  match_family(out, from.address.family());
  match_range(out, v4 ? Field::ip_saddr : Field::ip6_saddr, {from.address, from.address});
  match_range(out, v4 ? Field::ip_daddr : Field::ip6_daddr, {to.address, to.address});
  match_protocol(out, tcp);
  match_ports(out, Field::th_sport, {from.port, from.port});
  match_ports(out, Field::th_dport, {to.port, to.port});
  return rule(std::move(out), nft::VerdictKind::accept);
}

// What the neighbours must hear from each other for a connection over IPv6 to go on: multicast
// listeners (130 to 132, 143), routers and neighbours (133 to 136). Not 137, redirect.
std::vector<nft::Rule> neighbours() {
  std::vector<nft::Rule> out;
  for (const auto& [first, last] : {std::pair(130, 136), std::pair(143, 143)}) {
    std::vector<nft::Statement> matches;
    match_family(matches, Family::ipv6);
    match_protocol(matches, icmpv6);
    const auto low = one_byte(static_cast<std::uint8_t>(first));
    const auto high = one_byte(static_cast<std::uint8_t>(last));
    if (first == last)
      matches.emplace_back(nft::Match{.field = Field::icmpv6_type, .value = low});
    else
      matches.emplace_back(nft::RangeMatch{.field = Field::icmpv6_type, .low = low, .high = high});
    out.push_back(rule(std::move(matches), nft::VerdictKind::accept));
  }
  return out;
}

nft::Chain chain(const char* name, nft::HookPoint point, std::vector<nft::Rule> rules) {
  rules.push_back(rule({}, nft::VerdictKind::drop));
  return {.name = name,
          .hook = nft::Hook{.point = point, .priority = before_all, .policy_drop = true},
          .comment = {},
          .rules = std::move(rules)};
}

nft::Rule on_loopback(Field interface) {
  return rule({nft::Match{.field = interface, .value = interface_bytes("lo")}},
              nft::VerdictKind::accept);
}

}  // namespace

void add_panic(const std::vector<Spared>& spared, nft::Ruleset& ruleset) {
  std::vector<nft::Rule> in{on_loopback(Field::iifname)};
  std::vector<nft::Rule> out{on_loopback(Field::oifname)};
  for (const auto& one : spared) {
    in.push_back(packets({one.peer, one.peer_port}, {one.own, one.own_port}));
    out.push_back(packets({one.own, one.own_port}, {one.peer, one.peer_port}));
  }
  if (std::ranges::any_of(spared,
                          [](const Spared& one) { return one.own.family() == Family::ipv6; }))
    for (auto* rules : {&in, &out})
      for (auto& one : neighbours()) rules->push_back(std::move(one));
  ruleset.chains.push_back(chain("panic-input", nft::HookPoint::input, std::move(in)));
  ruleset.chains.push_back(chain("panic-output", nft::HookPoint::output, std::move(out)));
  ruleset.chains.push_back(chain("panic-forward", nft::HookPoint::forward, {}));
  std::ranges::sort(ruleset.chains, {}, &nft::Chain::name);
}

}  // namespace fwctl::compile
