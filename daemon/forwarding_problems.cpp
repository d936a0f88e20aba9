#include "daemon/forwarding_problems.h"

#include <algorithm>

#include "rules/interface.h"
#include "rules/joined.h"

namespace fwctl {
namespace {

using policy::AddressMatch;
using policy::CheckedPolicy;
using policy::CheckedRule;
using policy::Conditions;

// Whether it can be about packets of that family.
bool possible_in(Family family, const CheckedPolicy& policy,
                 const std::vector<AddressMatch>& addresses) {
  const Family other = family == Family::ipv4 ? Family::ipv6 : Family::ipv4;
  const auto of_set = [&](const policy::SetIndex& index) {
    const auto& set = policy.sets()[index.index];
    return set.has(family) || !set.has(other);
  };
  return addresses.empty() || std::ranges::any_of(addresses, [&](const AddressMatch& match) {
           return policy::possible_in(family, match, of_set);
         });
}

bool possible_in(Family family, const CheckedPolicy& policy, const Conditions& conditions) {
  const bool of_flow =
      conditions.flows.empty() || std::ranges::any_of(conditions.flows, [&](const auto& flow) {
        return flow.protocol == icmpv6 ? family == Family::ipv6 : flow.possible_in(family);
      });
  return of_flow && possible_in(family, policy, conditions.from) &&
         possible_in(family, policy, conditions.to);
}

bool is_for(Family family, const CheckedPolicy& policy, const Conditions& conditions) {
  return possible_in(family, policy, conditions) &&
         (family == Family::ipv4 || !possible_in(Family::ipv4, policy, conditions));
}

bool is_there(const std::vector<std::string>& patterns, const Forwarding& kernel) {
  return std::ranges::any_of(kernel.interfaces, [&](const std::string& name) {
    return std::ranges::any_of(
        patterns, [&](const std::string& pattern) { return matches_interface(pattern, name); });
  });
}

bool lets_pass(const CheckedRule& rule, const Forwarding& kernel) {
  if (rule.verdict != policy::Verdict::allow && rule.verdict != policy::Verdict::limit)
    return false;
  return rule.written ||
         (rule.id == policy::containers_id && is_there(rule.conditions.interfaces, kernel));
}

// What the policy has for packets of that family which go on.
std::vector<std::string> needs(Family family, const CheckedPolicy& policy,
                               const Forwarding& kernel) {
  std::vector<std::string> out;
  if (std::ranges::any_of(policy.forwards(),
                          [&](const auto& forward) { return forward.to.family() == family; }))
    out.emplace_back("forwards");
  if (std::ranges::any_of(policy.masquerades(), [&](const auto& masquerade) {
        return is_for(family, policy, masquerade.conditions);
      }))
    out.emplace_back("masquerades");
  bool rules = false;
  bool containers = false;
  for (const auto& rule : policy.rules(policy::Traffic::routed))
    if (lets_pass(rule, kernel) && is_for(family, policy, rule.conditions))
      (rule.written ? rules : containers) = true;
  if (rules) out.emplace_back("rules that let routed packets pass");
  if (containers) out.emplace_back("container networks that may reach out");
  return out;
}

}  // namespace

std::vector<std::string> forwarding_problems(const CheckedPolicy& policy,
                                             const Result<Forwarding>& kernel) {
  if (!kernel) return {"whether the kernel forwards cannot be asked: " + kernel.error().message()};
  std::vector<std::string> out;
  const auto complain = [&](Family family, const std::string& name, const std::string& setting) {
    const auto found = needs(family, policy, *kernel);
    if (!found.empty())
      out.push_back("there are " + joined(found, " and ") + ", but the kernel passes no " + name +
                    " packets on: set " + setting + " to 1");
  };
  if (!kernel->ipv4) complain(Family::ipv4, "IPv4", "net.ipv4.ip_forward");
  if (!kernel->ipv6) complain(Family::ipv6, "IPv6", "net.ipv6.conf.all.forwarding");
  return out;
}

}  // namespace fwctl
