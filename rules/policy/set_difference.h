// What changed in the sets of a policy, in words.
#pragma once

#include <string>
#include <vector>

#include "rules/policy/model.h"

namespace fwctl::policy {

// "- set NAME ENTRY", "+ set NAME ENTRY"; of each sign and set the first `most_entries`, and how
// many more there are. Where in a set an entry stands, and in which file, makes no difference.
std::vector<std::string> difference_of_sets(const Policy& before, const Policy& after);

// Beyond it nobody reads on.
constexpr std::size_t most_entries = 20;

}  // namespace fwctl::policy
