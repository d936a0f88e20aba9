// What is allowed and dropped before any rule of the policy, by name (design: "what is always
// there").
#pragma once

#include <string_view>
#include <vector>

#include "rules/policy/check.h"

namespace fwctl::policy {

std::vector<CheckedRule> baseline(Traffic traffic);

// What the item named is for, a phrase; empty when there is no such item.
std::string_view baseline_description(std::string_view id);

}  // namespace fwctl::policy
