// What one rule more starts from, for as long as no other change comes. For the firewall's own
// parts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>

#include "daemon/firewall.h"
#include "rules/compile/compile.h"
#include "rules/compile/growth.h"
#include "rules/policy/rule_index.h"

namespace fwctl {

struct Firewall::Appending {
  bool printed;                           // rules.yaml has the form that yaml_text() gives it
  std::uint64_t rest;                     // Generation::sum_of_rest() of the current one
  policy::RuleIndex rules;                // of the policy
  std::optional<compile::Growth> growth;  // of the policy in force
  std::map<std::size_t, compile::SetCounts> counts;  // of its sets
};

}  // namespace fwctl
