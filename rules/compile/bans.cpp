#include "rules/compile/bans.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "rules/compile/bytes.h"
#include "rules/compile/matches.h"

namespace fwctl::compile {
namespace {

using nft::Field;
using nft::HookPoint;

// NF_IP_PRI_RAW of linux/netfilter_ipv4.h: before connection tracking (-200), after the reassembly
// of fragments (-400).
constexpr int before_tracking = -300;
// The index of lo in every network namespace.
constexpr std::uint32_t loopback_index = 1;

constexpr int bits(Family family) {
  return family == Family::ipv4 ? 32 : 128;
}

std::string set_name(PrefixKind kind) {
  const std::string name =
      std::string(nft::ban_prefix) + (kind.family == Family::ipv4 ? "ipv4" : "ipv6");
  return kind.length == bits(kind.family) ? name : nft::part_name(name, kind.length);
}

nft::Rule drop(PrefixKind kind, Field field) {
  nft::Rule rule{.statements = {}, .comment = std::string(ban_comment)};
  match_family(rule.statements, kind.family);
  nft::SetLookup lookup{.key = {field}, .set = set_name(kind)};
  if (kind.length != bits(kind.family)) lookup.mask = mask_bytes(nft::width(field), kind.length);
  rule.statements.emplace_back(std::move(lookup));
  rule.statements.emplace_back(nft::Counter{});
  rule.statements.emplace_back(nft::Verdict{nft::VerdictKind::drop, {}});
  return rule;
}

// Where packets are looked at: by whom they come from, or by whom they go to.
struct Place {
  std::string_view name;
  HookPoint point;
  std::optional<Field> loopback;  // nullopt: what runs over lo never comes here
  Field ipv4;
  Field ipv6;
};
// A routed packet is looked at twice; where it goes, once that has been translated.
constexpr std::array<Place, 3> places{
    {{"forward", HookPoint::forward, {}, Field::ip_daddr, Field::ip6_daddr},
     {"output", HookPoint::output, Field::oif, Field::ip_daddr, Field::ip6_daddr},
     {"prerouting", HookPoint::prerouting, Field::iif, Field::ip_saddr, Field::ip6_saddr}}};

nft::Chain chain_at(const Place& place, const std::set<PrefixKind>& kinds) {
  nft::Chain chain{
      .name = std::string(nft::ban_prefix) + std::string(place.name),
      .hook = nft::Hook{.point = place.point, .priority = before_tracking, .policy_drop = false},
      .comment = {},
      .rules = {}};
  if (place.loopback)
    chain.rules.push_back(
        {.statements = {nft::Match{.field = *place.loopback, .value = host_order(loopback_index)},
                        nft::Verdict{nft::VerdictKind::accept, {}}},
         .comment = {}});
  for (const auto& kind : kinds)
    chain.rules.push_back(drop(kind, kind.family == Family::ipv4 ? place.ipv4 : place.ipv6));
  return chain;
}

}  // namespace

nft::Set ban_set(PrefixKind kind) {
  return {.name = set_name(kind),
          .key = {kind.family == Family::ipv4 ? Field::ip_saddr : Field::ip6_saddr},
          .ends = true,
          .elements = {}};
}

nft::Element ban_element(const Prefix& prefix, Time until) {
  return {.key = prefix.address.network_order(), .until = until};
}

nft::Ruleset ban_objects(const std::set<PrefixKind>& kinds) {
  nft::Ruleset out;
  if (kinds.empty()) return out;
  for (const auto& kind : kinds) out.sets.push_back(ban_set(kind));
  for (const auto& place : places) out.chains.push_back(chain_at(place, kinds));
  std::ranges::sort(out.sets, {}, &nft::Set::name);
  return out;
}

}  // namespace fwctl::compile
