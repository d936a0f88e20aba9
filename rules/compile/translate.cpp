#include "rules/compile/translate.h"

#include <string>
#include <utility>

#include "rules/compile/bytes.h"
#include "rules/compile/publish.h"

namespace fwctl::compile {
namespace {

using nft::Field;
using policy::CheckedForward;

// Where nft has dstnat and srcnat.
constexpr int destination_priority = -100;
constexpr int source_priority = 100;

nft::Statement redirected() {
  return any_bit(Field::ct_status, nft::ct_status_dnat);
}

void add_base_chain(std::string name, nft::HookPoint point, int priority, std::string to,
                    nft::Ruleset& ruleset) {
  ruleset.chains.push_back(
      {.name = std::move(name),
       .hook = nft::Hook{.point = point,
                         .priority = priority,
                         .policy_drop = false,
                         .type = nft::ChainType::nat},
       .comment = {},
       .rules = {
           {.statements = {nft::Verdict{nft::VerdictKind::jump, std::move(to)}}, .comment = {}},
           {.statements = {nft::Verdict{nft::VerdictKind::accept, {}}}, .comment = {}}}});
}

std::vector<Clause> clauses_of(const policy::CheckedPolicy& policy, const CheckedForward& forward,
                               policy::Conditions conditions) {
  const Family family = forward.to.family();
  if (conditions.from.empty()) conditions.from = {everything(family)};
  auto out = clauses(policy, conditions);
  std::erase_if(out, [&](const Clause& clause) { return clause.family != family; });
  return out;
}

nft::Chain forwards(const policy::CheckedPolicy& policy, const Matcher& match) {
  nft::Chain chain{.name = "forwards", .hook = {}, .comment = {}, .rules = {}};
  for (const auto& forward : policy.forwards())
    for (const auto& clause : clauses_of(policy, forward, forward.conditions)) {
      auto statements = match(clause);
      statements.emplace_back(
          nft::Match{.field = Field::daddr_type, .value = host_order(nft::daddr_local)});
      statements.emplace_back(nft::Counter{});
      statements.emplace_back(nft::Dnat{.ipv6 = forward.to.family() == Family::ipv6,
                                        .address = forward.to.network_order(),
                                        .port = forward.to_port});
      chain.rules.push_back({.statements = std::move(statements), .comment = forward.id});
    }
  return chain;
}

nft::Chain masquerades(const policy::CheckedPolicy& policy, const Matcher& match) {
  nft::Chain chain{.name = "masquerades", .hook = {}, .comment = {}, .rules = {}};
  for (const auto& masquerade : policy.masquerades())
    for (const auto& clause : clauses(policy, masquerade.conditions)) {
      auto statements = match(clause);
      statements.emplace_back(nft::Counter{});
      statements.emplace_back(nft::Masquerade{});
      chain.rules.push_back({.statements = std::move(statements), .comment = masquerade.id});
    }
  return chain;
}

}  // namespace

void add_translations(const policy::CheckedPolicy& policy, const Matcher& match,
                      nft::Ruleset& ruleset) {
  if (!policy.forwards().empty()) {
    add_base_chain("prerouting", nft::HookPoint::prerouting, destination_priority, "forwards",
                   ruleset);
    ruleset.chains.push_back(forwards(policy, match));
  }
  if (!policy.masquerades().empty()) {
    add_base_chain("postrouting", nft::HookPoint::postrouting, source_priority, "masquerades",
                   ruleset);
    ruleset.chains.push_back(masquerades(policy, match));
  }
}

std::vector<nft::Rule> redirected_rules(const policy::CheckedPolicy& policy, const Matcher& match) {
  std::vector<nft::Rule> out;
  for (const auto& forward : policy.forwards())
    for (const auto& arriving : clauses_of(policy, forward, forward.conditions)) {
      Clause clause = arriving;
      const PortRange asked = arriving.flow->to;
      clause.to = AddressRange{forward.to, forward.to};
      if (forward.to_port) clause.flow->to = {*forward.to_port, *forward.to_port};
      auto statements = match(clause);
      // What another program redirected to the same place from another port is not this forward's.
      if (asked.single())
        statements.emplace_back(
            nft::Match{.field = Field::ct_original_dport, .value = port_bytes(asked.first)});
      else
        statements.emplace_back(nft::RangeMatch{.field = Field::ct_original_dport,
                                                .low = port_bytes(asked.first),
                                                .high = port_bytes(asked.last)});
      statements.push_back(redirected());
      statements.emplace_back(nft::Verdict{nft::VerdictKind::accept, {}});
      out.push_back({.statements = std::move(statements), .comment = forward.id});
    }
  out.push_back({.statements = {redirected(), nft::Verdict{nft::VerdictKind::go_to,
                                                           std::string(published_chain)}},
                 .comment = {}});
  return out;
}

}  // namespace fwctl::compile
