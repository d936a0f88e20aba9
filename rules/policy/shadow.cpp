#include "rules/policy/shadow.h"

#include <algorithm>

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

bool covers(const SuffixMatch& wide, const AddressRange& narrow) {
  if (wide.negated) return !wide.suffix.overlaps(narrow);
  return narrow.first == narrow.last && wide.suffix.contains(narrow.first);
}

bool covers(const SuffixMatch& wide, const SuffixMatch& narrow) {
  if (narrow.negated) return wide.negated && narrow.suffix.contains(wide.suffix);
  return wide.negated ? !wide.suffix.overlaps(narrow.suffix) : wide.suffix.contains(narrow.suffix);
}

bool covers(const AddressRange& wide, const SuffixMatch& narrow) {
  return !narrow.negated && wide == everything(Family::ipv6);
}

bool covers(const AddressMatch& wide, const AddressMatch& narrow) {
  if (wide == narrow) return true;
  const auto* outer = std::get_if<AddressRange>(&wide);
  const auto* outer_suffix = std::get_if<SuffixMatch>(&wide);
  const auto* inner = std::get_if<AddressRange>(&narrow);
  const auto* inner_suffix = std::get_if<SuffixMatch>(&narrow);
  if (outer != nullptr && inner != nullptr) return outer->contains(*inner);
  if (outer != nullptr && inner_suffix != nullptr) return covers(*outer, *inner_suffix);
  if (outer_suffix != nullptr && inner != nullptr) return covers(*outer_suffix, *inner);
  return outer_suffix != nullptr && inner_suffix != nullptr && covers(*outer_suffix, *inner_suffix);
}

bool covers(const MacAddress& wide, const MacAddress& narrow) {
  return wide == narrow;
}

bool covers(std::uint32_t wide, std::uint32_t narrow) {
  return wide == narrow;
}

bool covers(const std::optional<Mark>& wide, const std::optional<Mark>& narrow) {
  if (!wide) return true;
  return narrow && (wide->mask & ~narrow->mask) == 0 && (narrow->value & wide->mask) == wide->value;
}

// What ends hides nothing that outlasts it.
bool covers(const std::optional<Time>& wide, const std::optional<Time>& narrow) {
  return !wide || (narrow && *narrow <= *wide);
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

bool has_one_port(const Flow& flow) {
  return flow.to.single();
}

bool is_prefix(const AddressMatch& match) {
  const auto* range = std::get_if<AddressRange>(&match);
  return range != nullptr && range->prefix_length();
}

// Of the addresses that match; nullopt where no prefix contains them all.
std::optional<Address> one_of(const AddressMatch& match) {
  if (const auto* range = std::get_if<AddressRange>(&match)) return range->first;
  const auto* ending = std::get_if<SuffixMatch>(&match);
  return ending == nullptr || ending->negated ? std::nullopt : std::optional(ending->suffix.bits);
}

// A rule of more sources and ports than that is found by its sources alone.
constexpr std::size_t most_keys = 64;

}  // namespace

// Rules by baseline state ask about connections, not about what the rule says: a packet that begins
// a connection passes them.
bool hides(const CheckedRule& wide, const CheckedRule& narrow) {
  return wide.conditions.states == 0 && covers(wide.conditions.flows, narrow.conditions.flows) &&
         covers(wide.conditions.from, narrow.conditions.from) &&
         covers(wide.conditions.to, narrow.conditions.to) &&
         covers(wide.conditions.interfaces, narrow.conditions.interfaces) &&
         covers(wide.conditions.out_interfaces, narrow.conditions.out_interfaces) &&
         covers(wide.conditions.macs, narrow.conditions.macs) &&
         covers(wide.conditions.mark, narrow.conditions.mark) &&
         covers(wide.conditions.users, narrow.conditions.users) &&
         covers(wide.conditions.groups, narrow.conditions.groups) &&
         covers(wide.conditions.units, narrow.conditions.units) &&
         covers(wide.conditions.until, narrow.conditions.until);
}

void Hiders::add(const CheckedRule& rule, std::size_t index) {
  const auto& from = rule.conditions.from;
  const auto& flows = rule.conditions.flows;
  std::vector<std::optional<AddressRange>> sources;
  if (std::ranges::all_of(from, is_prefix))
    for (const auto& match : from) sources.emplace_back(std::get<AddressRange>(match));
  if (sources.empty()) sources.emplace_back();
  std::vector<std::optional<Port>> ports;
  if (std::ranges::all_of(flows, has_one_port) && flows.size() * sources.size() <= most_keys)
    for (const auto& flow : flows) ports.emplace_back(port(flow));
  if (ports.empty()) ports.emplace_back();
  for (const auto& source : sources) {
    if (source) lengths_.insert({source->family(), *source->prefix_length()});
    for (const auto& port : ports) {
      auto& found = rules_[{source, port}];
      if (found.empty() || found.back() != index) found.push_back(index);
    }
  }
}

std::optional<std::size_t> Hiders::first(const CheckedRule& rule, const CheckedRules& rules) const {
  std::optional<std::size_t> found;
  const auto look = [&](const Key& key) {
    const auto at = rules_.find(key);
    if (at == rules_.end()) return;
    for (const auto candidate : at->second) {
      if (found && candidate >= *found) break;
      if (hides(rules[candidate], rule)) found = candidate;
    }
  };
  const auto& flows = rule.conditions.flows;
  const auto& from = rule.conditions.from;
  std::vector<std::optional<Port>> ports{std::nullopt};
  if (!flows.empty() && has_one_port(flows.front())) ports.emplace_back(port(flows.front()));
  const auto source = from.empty() ? std::nullopt : one_of(from.front());
  for (const auto& port : ports) {
    look({std::nullopt, port});
    if (!source) continue;
    // What contains all of them contains this one.
    for (const auto& [family, bits] : lengths_)
      if (family == source->family()) look({prefix(*source, bits), port});
  }
  return found;
}

Hiders::Port Hiders::port(const Flow& flow) {
  return {flow.protocol.number, flow.to.first};
}

std::vector<Shadow> find_shadows(const CheckedRules& rules) {
  std::vector<Shadow> found;
  Hiders before;
  for (std::size_t index = 0; index < rules.size(); ++index) {
    if (const auto by = before.first(rules[index], rules))
      found.push_back({.hidden = index, .by = *by});
    before.add(rules[index], index);
  }
  return found;
}

}  // namespace fwctl::policy
