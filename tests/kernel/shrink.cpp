#include "tests/kernel/shrink.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace fwctl::testing {
namespace {

using policy::Policy;
using policy::Rule;
using Candidates = std::vector<Policy>;

// `list` finds the same list in any copy of `policy`.
template <typename List>
void without_each(const Policy& policy, Candidates& out, List list) {
  Policy copy = policy;
  const std::size_t size = list(copy).size();
  for (std::size_t index = 0; index < size; ++index) {
    Policy candidate = policy;
    auto& items = list(candidate);
    items.erase(items.begin() + static_cast<std::ptrdiff_t>(index));
    out.push_back(std::move(candidate));
  }
}

// With the field at its default, where it isn't.
template <typename Field>
void with_default(const Policy& policy, Candidates& out, Field field) {
  Policy candidate = policy;
  auto& value = field(candidate);
  std::remove_reference_t<decltype(value)> plain{};
  if (value == plain) return;
  value = plain;
  out.push_back(std::move(candidate));
}

// Whatever a rule can have: a new feature goes here.
void smaller_rule(const Policy& policy, std::size_t index, Candidates& out) {
  const auto at = [index](auto member) {
    return [index, member](Policy& one) -> auto& { return one.rules[index].*member; };
  };
  without_each(policy, out, at(&Rule::interfaces));
  without_each(policy, out, at(&Rule::out_interfaces));
  without_each(policy, out, at(&Rule::macs));
  with_default(policy, out, at(&Rule::mark));
  without_each(policy, out, at(&Rule::users));
  without_each(policy, out, at(&Rule::groups));
  without_each(policy, out, at(&Rule::units));
  without_each(policy, out, at(&Rule::icmp_types));
  without_each(policy, out, at(&Rule::from));
  without_each(policy, out, at(&Rule::from_ports));
  without_each(policy, out, at(&Rule::to));
  without_each(policy, out, at(&Rule::ports));
  with_default(policy, out, at(&Rule::protocol));
  with_default(policy, out, at(&Rule::until));
  with_default(policy, out, at(&Rule::log));
  with_default(policy, out, at(&Rule::direction));
  with_default(policy, out, at(&Rule::comment));
}

// Everything that is one step smaller.
Candidates smaller(const Policy& policy) {
  Candidates out;
  without_each(policy, out, [](Policy& one) -> auto& { return one.rules; });
  without_each(policy, out, [](Policy& one) -> auto& { return one.sets; });
  without_each(policy, out, [](Policy& one) -> auto& { return one.services; });
  without_each(policy, out, [](Policy& one) -> auto& { return one.switched_off; });
  without_each(policy, out, [](Policy& one) -> auto& { return one.trusts; });
  without_each(policy, out, [](Policy& one) -> auto& { return one.forwards; });
  without_each(policy, out, [](Policy& one) -> auto& { return one.masquerades; });
  for (std::size_t index = 0; index < policy.rules.size(); ++index)
    smaller_rule(policy, index, out);
  for (std::size_t index = 0; index < policy.sets.size(); ++index) {
    without_each(policy, out, [index](Policy& one) -> auto& { return one.sets[index].ranges; });
    without_each(policy, out, [index](Policy& one) -> auto& { return one.sets[index].pairs; });
  }
  for (std::size_t index = 0; index < policy.services.size(); ++index) {
    without_each(policy, out, [index](Policy& one) -> auto& { return one.services[index].ports; });
    with_default(policy, out,
                 [index](Policy& one) -> auto& { return one.services[index].description; });
  }
  return out;
}

// Halves first: most rules have no part in it.
Policy fewer_rules(Policy policy, const std::function<bool(const Policy&)>& fails) {
  for (std::size_t size = policy.rules.size() / 2; size != 0; size /= 2)
    for (std::size_t first = 0; first < policy.rules.size();) {
      Policy candidate = policy;
      const auto begin = candidate.rules.begin() + static_cast<std::ptrdiff_t>(first);
      const auto count = std::min(size, candidate.rules.size() - first);
      candidate.rules.erase(begin, begin + static_cast<std::ptrdiff_t>(count));
      if (fails(candidate))
        policy = std::move(candidate);
      else
        first += size;
    }
  return policy;
}

}  // namespace

Policy shrink(Policy policy, const std::function<bool(const Policy&)>& fails) {
  policy = fewer_rules(std::move(policy), fails);
  while (true) {
    auto candidates = smaller(policy);
    const auto found = std::find_if(candidates.begin(), candidates.end(), fails);
    if (found == candidates.end()) return policy;
    policy = std::move(*found);
  }
}

}  // namespace fwctl::testing
