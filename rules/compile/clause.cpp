#include "rules/compile/clause.h"

#include <functional>

namespace fwctl::compile {
namespace {

using policy::AddressMatch;

bool has_family(const policy::CheckedPolicy& policy, const AddressMatch& match, Family family) {
  return policy::possible_in(family, match, [&](const policy::SetIndex& set) {
    return policy.sets()[set.index].has(family);
  });
}

// Each of `alternatives` in turn, or none at all where there are none.
template <typename T>
std::vector<std::optional<T>> each(const std::vector<T>& alternatives) {
  if (alternatives.empty()) return {std::nullopt};
  return {alternatives.begin(), alternatives.end()};
}

// Every clause once with each of `alternatives`.
template <typename T>
void branch(std::vector<Clause>& clauses, std::optional<T> Clause::* member,
            const std::vector<T>& alternatives) {
  if (alternatives.empty()) return;
  std::vector<Clause> out;
  out.reserve(clauses.size() * alternatives.size());
  for (const auto& clause : clauses)
    for (const auto& alternative : alternatives) {
      out.push_back(clause);
      out.back().*member = alternative;
    }
  clauses = std::move(out);
}

std::vector<std::optional<AddressMatch>> of_family(const policy::CheckedPolicy& policy,
                                                   const std::vector<AddressMatch>& matches,
                                                   Family family) {
  if (matches.empty()) return {std::nullopt};
  std::vector<std::optional<AddressMatch>> out;
  for (const auto& match : matches)
    if (has_family(policy, match, family)) out.emplace_back(match);
  return out;
}

// All addresses of the family: the family alone says it.
std::optional<AddressMatch> unless_everything(const policy::CheckedPolicy& policy,
                                              const std::optional<AddressMatch>& match,
                                              Family family) {
  if (match && *match == AddressMatch(everything(family))) return {};
  if (match && std::holds_alternative<policy::SuffixMatch>(*match) && family == Family::ipv4)
    return {};  // negated
  const auto* set = match ? std::get_if<policy::SetIndex>(&*match) : nullptr;
  if (set != nullptr && set->negated && !policy.sets()[set->index].has(family)) return {};
  return match;
}

}  // namespace

std::vector<Clause> clauses(const policy::CheckedPolicy& policy,
                            const policy::Conditions& conditions) {
  std::vector<Clause> out;
  const auto add = [&](const Clause& addresses) {
    std::vector<Clause> parts;
    for (const auto& flow : each(conditions.flows)) {
      if (flow && addresses.family && !flow->possible_in(*addresses.family)) continue;
      parts.push_back(addresses);
      parts.back().flow = flow;
    }
    branch(parts, &Clause::interface, conditions.interfaces);
    branch(parts, &Clause::out_interface, conditions.out_interfaces);
    branch(parts, &Clause::mac, conditions.macs);
    branch(parts, &Clause::user, conditions.users);
    branch(parts, &Clause::group, conditions.groups);
    branch(parts, &Clause::unit, conditions.units);
    for (auto& part : parts) {
      part.states = conditions.states;
      part.mark = conditions.mark;
      part.until = conditions.until;
      out.push_back(std::move(part));
    }
  };
  if (conditions.from.empty() && conditions.to.empty()) {
    add({});
    return out;
  }
  for (const auto family : {Family::ipv4, Family::ipv6})
    for (const auto& from : of_family(policy, conditions.from, family))
      for (const auto& to : of_family(policy, conditions.to, family))
        add({.family = family,
             .from = unless_everything(policy, from, family),
             .to = unless_everything(policy, to, family)});
  return out;
}

}  // namespace fwctl::compile
