// One rule more behind all that fwctl added, without looking at the others again: what it costs
// does not grow with them but by a comparison each.
#pragma once

#include <optional>
#include <string>

#include "rules/policy/check.h"

namespace fwctl::policy {

struct Appended {
  std::string item;  // of the list `rules` that rules.yaml ends with
  Rule rule;         // as parse() would have it from there
  CheckedRule checked;
};

// As check() would have `rule` as the last of all, `rules.yaml` being what yaml_text() made of it
// with at least one rule. nullopt where that is more than a rule: when names in it mean something
// on this host only, another rule hides it, or something is to be said of it; then the whole policy
// is to be checked.
std::optional<Appended> append(const CheckedPolicy& policy, const Sources& sources,
                               const Rule& rule);

}  // namespace fwctl::policy
