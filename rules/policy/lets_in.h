// Whether a change can keep out what was let in before.
#pragma once

#include <string>
#include <vector>

#include "rules/policy/model.h"

namespace fwctl::policy {

// `difference`: as difference() tells what `after` has that the policy before it had not, and the
// other way round. True: that is nothing but rules that allow or limit, and entries of sets that
// only such rules ask for.
bool only_lets_in(const std::vector<std::string>& difference, const Policy& after);

}  // namespace fwctl::policy
