// Neighbours that `trust:` names, and what each of them needs: rules as anyone could write them.
#pragma once

#include <string_view>
#include <vector>

#include "rules/policy/model.h"

namespace fwctl::policy {

std::vector<std::string_view> trust_names();

// In their order, with the place of `trust` as theirs and "trust: NAME" as their comment. None for
// a name that is not among the above.
std::vector<Rule> rules_of(const Trust& trust);

}  // namespace fwctl::policy
