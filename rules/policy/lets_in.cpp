#include "rules/policy/lets_in.h"

#include <algorithm>
#include <set>
#include <string_view>

namespace fwctl::policy {
namespace {

using SetNames = std::set<std::string, std::less<>>;

void note_sets(const std::vector<AddressItem>& items, SetNames& out) {
  for (const auto& item : items)
    if (const auto* set = std::get_if<SetName>(&item.what)) out.insert(set->name);
}

bool is_negated(const std::vector<AddressItem>& items) {
  return std::ranges::any_of(items, &AddressItem::negated);
}

// An entry more of these may keep out: what it names is denied, or no longer let in, or goes to
// another machine.
SetNames sets_that_keep_out(const Policy& policy) {
  SetNames out;
  for (const auto& rule : policy.rules) {
    const bool lets_in = rule.verdict == Verdict::allow || rule.verdict == Verdict::limit;
    for (const auto* items : {&rule.from, &rule.to})
      if (!lets_in || is_negated(*items)) note_sets(*items, out);
  }
  for (const auto& forward : policy.forwards) note_sets(forward.from, out);
  for (const auto& masquerade : policy.masquerades) note_sets(masquerade.from, out);
  return out;
}

// The set that has an entry more by that line, or is no longer empty; empty: it says other things.
std::string_view grown_set(std::string_view line) {
  constexpr std::string_view added = "+ set ";
  constexpr std::string_view removed = "- set ";
  const bool was_empty = line.starts_with(removed) && line.ends_with(" without addresses");
  if (!line.starts_with(added) && !was_empty) return {};
  line.remove_prefix(added.size());
  return line.substr(0, line.find_first_of(" :"));
}

}  // namespace

bool only_lets_in(const std::vector<std::string>& difference, const Policy& after) {
  const SetNames keep_out = sets_that_keep_out(after);
  return std::ranges::all_of(difference, [&](const std::string& line) {
    if (line.starts_with("+ allow") || line.starts_with("+ limit")) return true;
    const auto set = grown_set(line);
    return !set.empty() && !keep_out.contains(set);
  });
}

}  // namespace fwctl::policy
