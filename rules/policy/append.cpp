#include "rules/policy/append.h"

#include <algorithm>
#include <utility>

#include "rules/policy/print.h"
#include "rules/policy/shadow.h"
#include "rules/policy/surroundings.h"

namespace fwctl::policy {
namespace {

// What lasts with one more, where there is room around it.
bool insert(AddressRanges& lasting, const AddressRange& range) {
  const auto& others = lasting.of(range.family());
  const auto behind = std::lower_bound(
      others.begin(), others.end(), range,
      [](const AddressRange& a, const AddressRange& b) { return a.first < b.first; });
  const auto next = successor(range.last);
  if (behind != others.end() && (!next || (*behind).first <= *next)) return false;
  if (behind != others.begin()) {
    const auto before = successor((*std::prev(behind)).last);
    if (!before || range.first <= *before) return false;
  }
  lasting.of(range.family()).insert(static_cast<std::size_t>(behind - others.begin()), range);
  return true;
}

}  // namespace

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

std::optional<Extended> extend(const CheckedPolicy& policy, const std::string& text,
                               const std::string& name, const std::vector<AddressRange>& entries) {
  const auto& sets = policy.policy().sets;
  const auto set = std::ranges::find(sets, name, &AddressSet::name);
  // Those of other files have no line in this one.
  if (set == sets.end() || !set->temporary.empty()) return {};
  const auto line = end_of_entries(text, name);
  if (!line) return {};
  Extended out{.text = text.substr(0, *line), .set = static_cast<std::size_t>(set - sets.begin())};
  out.lasting = policy.sets()[out.set].lasting;
  for (const auto& range : entries) {
    if (out.lasting.of(range.family()).empty() || !insert(out.lasting, range)) return {};
    out.text += ", " + entry_text(range);
  }
  out.text += text.substr(*line);
  return out;
}

}  // namespace fwctl::policy
