// Rules that can never match because one earlier rule decides everything they are about.
#pragma once

#include <vector>

#include "rules/policy/check.h"

namespace fwctl::policy {

// Whether all that `narrow` is about is decided by `wide` alone. Certain when it is true.
bool hides(const CheckedRule& wide, const CheckedRule& narrow);

// Indexes into the list that was looked at; `by` < `hidden`.
struct Shadow {
  std::size_t hidden = 0;
  std::size_t by = 0;
};

// At most one per hidden rule, the first that hides it. Finds rules hidden by a single earlier
// rule, not by several together; what it finds is certain, what it doesn't may still be hidden.
std::vector<Shadow> find_shadows(const CheckedRules& rules);

}  // namespace fwctl::policy
