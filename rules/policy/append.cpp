#include "rules/policy/append.h"

#include <algorithm>
#include <utility>

#include "rules/policy/address_ranges.h"
#include "rules/policy/print.h"
#include "rules/policy/surroundings.h"

namespace fwctl::policy {
namespace {

// Whether one more fits in between.
bool has_room(const PackedRanges& others, const AddressRange& range) {
  const std::size_t behind = place_in(others, range);
  const auto next = successor(range.last);
  if (behind != others.size() && (!next || others[behind].first <= *next)) return false;
  if (behind == 0) return true;
  const auto before = successor(others[behind - 1].last);
  return before && range.first > *before;
}

// The line behind those of the last rule, which it ends with.
std::uint32_t line_behind(const Rule& last) {
  const auto lines = std::ranges::count(yaml_text(last), '\n');
  return last.at.line + static_cast<std::uint32_t>(lines);
}

}  // namespace

std::optional<Appended> append(const CheckedPolicy& policy, const RuleIndex& index,
                               const Sources& sources, const Rule& rule) {
  // Behind those that are routed, and those of neighbours that are trusted, there is more.
  if (rule.direction == Direction::routed || !policy.policy().trusts.empty()) return {};
  ParsedPolicy one = alone(policy, {.rules = {rule}});
  if (names_services(one.policy) || !names(one.policy).empty() || !rule.units.empty()) return {};
  Appended out{.item = yaml_text(rule), .rule = {}, .checked = {}};
  auto parsed = parse_added_rule(out.item, sources, line_behind(policy.policy().rules.back()));
  if (!parsed || !(*parsed == rule)) return {};
  out.rule = *std::move(parsed);
  one.policy.rules = {out.rule};
  Diagnostics diagnostics;
  const auto checked = check_rules(one, sources, ServiceTable(), diagnostics);
  const Traffic of = traffic(rule.direction);
  if (!checked || !diagnostics.empty() || checked->rules(of).empty()) return {};
  out.checked = checked->rules(of).back();
  out.checked.written = policy.policy().rules.size();
  if (index.may_have(out.checked.id) || index.hides(policy, out.checked, of)) return {};
  return out;
}

std::optional<Extended> extend(const CheckedPolicy& policy, const std::string& text,
                               const std::string& name, const std::vector<AddressRange>& entries) {
  const auto& sets = policy.policy().sets;
  const auto set = std::ranges::find(sets, name, &AddressSet::name);
  // Those of other files have no line in this one.
  if (set == sets.end() || !set->temporary.empty()) return {};
  const auto line = end_of_entries(text, name);
  if (!line) return {};
  Extended out{.text = {.at = *line, .text = {}},
               .set = static_cast<std::size_t>(set - sets.begin())};
  AddressRanges fresh;
  for (const auto& range : entries) {
    const auto& lasting = policy.sets()[out.set].ranges(range.family());
    if (lasting.empty() || !has_room(lasting, range)) return {};
    fresh.push_back(range);
    out.text.text += ", " + entry_text(range);
  }
  if (fresh.merged().size() != entries.size()) return {};
  return out;
}

}  // namespace fwctl::policy
