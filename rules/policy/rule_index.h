// What one rule more must be compared with, found without going through all the others.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "rules/policy/check.h"
#include "rules/policy/shadow.h"

namespace fwctl::policy {

// Of one policy, which it is given anew at each call: it refers to nothing.
class RuleIndex {
 public:
  // Takes in all its rules.
  explicit RuleIndex(const CheckedPolicy& policy);

  // The policy has got one more, behind all others; to be called once for each.
  void append(const CheckedPolicy& policy);

  // Indexes into policy().rules of those with Rule::same_packets(), in order.
  std::vector<std::size_t> alike(const CheckedPolicy& policy, const Rule& rule) const;
  // Certain when it is false.
  bool may_have(std::string_view id) const;
  // Whether a rule for the same traffic hides it; the baseline's too.
  bool hides(const CheckedPolicy& policy, const CheckedRule& rule, Traffic traffic) const;

 private:
  // As it is written; not among the hiders.
  void add(const CheckedPolicy& policy, std::size_t index);

  std::unordered_multimap<std::uint64_t, std::size_t> packets_;  // by a sum of what they are
  std::unordered_set<std::uint64_t> ids_;                        // digests
  std::array<Hiders, 3> hiders_;                                 // by Traffic
};

}  // namespace fwctl::policy
