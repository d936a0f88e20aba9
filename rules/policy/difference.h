// What differs between two policies, for people.
#pragma once

#include <string>
#include <vector>

#include "rules/policy/model.h"

namespace fwctl::policy {

// Lines that begin with "- " (only in `before`) or "+ " (only in `after`), in the policies' order:
// defaults, logging, sets, services, rules, forwards and masquerades with their comments. Empty
// when both mean and say the same. A rule that moved is both.
std::vector<std::string> difference(const Policy& before, const Policy& after);

// A rule as it stands in such a line.
std::string difference_text(const Rule& rule);

}  // namespace fwctl::policy
