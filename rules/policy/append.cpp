#include "rules/policy/append.h"

#include <algorithm>
#include <utility>

#include "rules/policy/print.h"
#include "rules/policy/shadow.h"
#include "rules/policy/surroundings.h"

namespace fwctl::policy {

std::optional<Appended> append(const CheckedPolicy& policy, const Sources& sources,
                               const Rule& rule) {
  // Behind those that are routed, and those of neighbours that are trusted, there is more.
  if (rule.direction == Direction::routed || !policy.policy().trusts.empty()) return {};
  ParsedPolicy one = alone(policy, {.rules = {rule}});
  if (names_services(one.policy) || !names(one.policy).empty() || !rule.units.empty()) return {};
  Appended out{.item = yaml_text(rule), .rule = {}, .checked = {}};
  const auto lines = std::ranges::count(sources.added.text, '\n');
  auto parsed = parse_added_rule(out.item, sources, static_cast<std::uint32_t>(lines) + 1);
  if (!parsed || !(*parsed == rule)) return {};
  out.rule = *std::move(parsed);
  one.policy.rules = {out.rule};
  Diagnostics diagnostics;
  const auto checked = check(one, sources, ServiceTable(), diagnostics);
  const Traffic of = traffic(rule.direction);
  if (!checked || !diagnostics.empty() || !checked->rules(of).back().written) return {};
  out.checked = checked->rules(of).back();
  out.checked.written = policy.policy().rules.size();
  if (policy.find(out.checked.id)) return {};
  const auto& others = policy.rules(of);
  if (std::ranges::any_of(others,
                          [&](const CheckedRule& other) { return hides(other, out.checked); }))
    return {};
  return out;
}

}  // namespace fwctl::policy
