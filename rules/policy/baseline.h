// What is allowed and dropped without a rule of the policy, by name: most of it before any rule.
#pragma once

#include <string_view>
#include <vector>

#include "rules/policy/check.h"

namespace fwctl::policy {

// Before any rule.
std::vector<CheckedRule> baseline(Traffic traffic, const std::vector<SwitchedOff>& without);

// Behind the rules for routed traffic: what begins in a container's network goes out.
CheckedRule container_networks();

// The names of the items that may stand under `baseline:`.
std::vector<std::string_view> baseline_items();

// Whether the item may be switched off at all, and what no longer works then that most hosts need:
// a phrase, empty where there is nothing to warn of.
bool can_be_switched_off(std::string_view item);
std::string_view missed_without(std::string_view item);

// What the item named is for, a phrase; empty when there is no such item.
std::string_view baseline_description(std::string_view id);

}  // namespace fwctl::policy
