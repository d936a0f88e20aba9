#include "rules/policy/append.h"

#include <algorithm>
#include <utility>

#include "rules/policy/print.h"
#include "rules/policy/shadow.h"
#include "rules/policy/surroundings.h"

namespace fwctl::policy {
namespace {

bool names_service(const PortItem& item) {
  return std::holds_alternative<ServiceName>(item.what);
}

bool names_host(const AddressItem& item) {
  return std::holds_alternative<HostName>(item.what);
}

// What it means can be said without asking the host.
bool plain(const Rule& rule) {
  return rule.users.empty() && rule.groups.empty() &&
         std::ranges::none_of(rule.ports, names_service) &&
         std::ranges::none_of(rule.from_ports, names_service) &&
         std::ranges::none_of(rule.from, names_host) && std::ranges::none_of(rule.to, names_host) &&
         std::ranges::find(rule.interfaces, wan_name) == rule.interfaces.end() &&
         std::ranges::find(rule.out_interfaces, wan_name) == rule.out_interfaces.end();
}

// The policy with that rule and no other. Of its sets, names are enough.
ParsedPolicy alone(const CheckedPolicy& policy, const Rule& rule) {
  ParsedPolicy out;
  out.policy.rules = {rule};
  for (const auto& set : policy.policy().sets) {
    out.policy.sets.emplace_back();
    out.policy.sets.back().name = set.name;
  }
  return out;
}

}  // namespace

std::optional<Appended> append(const CheckedPolicy& policy, const Sources& sources,
                               const Rule& rule) {
  // Behind those that are routed, and those of neighbours that are trusted, there is more.
  if (rule.direction == Direction::routed || !policy.policy().trusts.empty() || !plain(rule))
    return {};
  Appended out{.item = yaml_text(rule), .rule = {}, .checked = {}};
  const auto lines = std::ranges::count(sources.added.text, '\n');
  auto parsed = parse_added_rule(out.item, sources, static_cast<std::uint32_t>(lines) + 1);
  if (!parsed || !(*parsed == rule)) return {};
  out.rule = *std::move(parsed);
  Diagnostics diagnostics;
  const auto checked = check(alone(policy, out.rule), sources, ServiceTable(), diagnostics);
  const Traffic of = traffic(rule.direction);
  if (!checked || !diagnostics.empty() || !checked->rules(of).back().written) return {};
  out.checked = checked->rules(of).back();
  out.checked.written = policy.policy().rules.size();
  if (policy.find(out.checked.id)) return {};
  const auto& others = policy.rules(of);
  if (std::ranges::any_of(others, [&](const CheckedRule& one) { return hides(one, out.checked); }))
    return {};
  return out;
}

}  // namespace fwctl::policy
