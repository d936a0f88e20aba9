#include "rules/policy/shadow.h"

#include <algorithm>
#include <map>
#include <optional>
#include <tuple>

namespace fwctl::policy {
namespace {

bool covers(const std::string& wide, const std::string& narrow) {
  if (wide == narrow) return true;
  if (!wide.ends_with('*')) return false;
  return narrow.starts_with(std::string_view(wide).substr(0, wide.size() - 1));
}

bool covers(const Flow& wide, const Flow& narrow) {
  return wide.protocol == narrow.protocol && wide.from.contains(narrow.from) &&
         wide.to.contains(narrow.to) && (!wide.icmp_type || wide.icmp_type == narrow.icmp_type);
}

bool covers(const AddressMatch& wide, const AddressMatch& narrow) {
  if (wide == narrow) return true;
  const auto* outer = std::get_if<AddressRange>(&wide);
  const auto* inner = std::get_if<AddressRange>(&narrow);
  return outer != nullptr && inner != nullptr && outer->contains(*inner);
}

bool covers(const MacAddress& wide, const MacAddress& narrow) {
  return wide == narrow;
}

bool covers(const std::optional<Mark>& wide, const std::optional<Mark>& narrow) {
  if (!wide) return true;
  return narrow && (wide->mask & ~narrow->mask) == 0 && (narrow->value & wide->mask) == wide->value;
}

// Every alternative of `narrow` lies within one of `wide`.
template <typename T>
bool covers(const std::vector<T>& wide, const std::vector<T>& narrow) {
  if (wide.empty()) return true;
  if (narrow.empty()) return false;
  return std::all_of(narrow.begin(), narrow.end(), [&](const T& one) {
    return std::any_of(wide.begin(), wide.end(),
                       [&](const T& other) { return covers(other, one); });
  });
}

// Rules by baseline state ask about connections, not about what the rule says: a packet that begins
// a connection passes them.
bool covers(const CheckedRule& wide, const CheckedRule& narrow) {
  return wide.conditions.states == 0 && covers(wide.conditions.flows, narrow.conditions.flows) &&
         covers(wide.conditions.from, narrow.conditions.from) &&
         covers(wide.conditions.to, narrow.conditions.to) &&
         covers(wide.conditions.interfaces, narrow.conditions.interfaces) &&
         covers(wide.conditions.out_interfaces, narrow.conditions.out_interfaces) &&
         covers(wide.conditions.macs, narrow.conditions.macs) &&
         covers(wide.conditions.mark, narrow.conditions.mark);
}

// One protocol and one destination port, the commonest shape: found by key, so that 10,000 rules
// are not compared in pairs.
using Key = std::pair<std::uint8_t, std::uint16_t>;
std::optional<Key> single_key(const CheckedRule& rule) {
  const auto& flows = rule.conditions.flows;
  if (flows.size() != 1 || !flows[0].to.single()) return {};
  return Key{flows[0].protocol.number, flows[0].to.first};
}

}  // namespace

std::vector<Shadow> find_shadows(const std::vector<CheckedRule>& rules) {
  std::vector<Shadow> found;
  std::map<Key, std::vector<std::size_t>> by_key;
  std::vector<std::size_t> others;
  for (std::size_t index = 0; index < rules.size(); ++index) {
    const auto& rule = rules[index];
    const auto key = single_key(rule);
    std::optional<std::size_t> hidden_by;
    const auto look = [&](const std::vector<std::size_t>& candidates) {
      for (const auto candidate : candidates) {
        if (hidden_by && candidate > *hidden_by) break;
        if (covers(rules[candidate], rule)) hidden_by = candidate;
      }
    };
    look(others);
    if (key) look(by_key[*key]);
    if (hidden_by) found.push_back({.hidden = index, .by = *hidden_by});
    if (key)
      by_key[*key].push_back(index);
    else
      others.push_back(index);
  }
  return found;
}

}  // namespace fwctl::policy
