// One rule more behind all that fwctl added, or entries more in a set of its own, without looking
// at the rest again: what it costs does not grow with that.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "rules/policy/check.h"
#include "rules/policy/rule_index.h"

namespace fwctl::policy {

// What a text has more, before the byte `at` of what it was.
struct Insertion {
  std::size_t at = 0;
  std::string text;
};

struct Appended {
  std::string item;  // of the list `rules` that rules.yaml ends with
  Rule rule;         // as parse() would have it from there
  CheckedRule checked;
};

// As check() would have `rule` as the last of all, `rules.yaml` being what yaml_text() made of it
// with at least one rule. nullopt where that is more than a rule: when names in it mean something
// on this host only, another rule hides it, or something is to be said of it; then the whole policy
// is to be checked.
std::optional<Appended> append(const CheckedPolicy& policy, const RuleIndex& index,
                               const Sources& sources, const Rule& rule);

struct Extended {
  Insertion text;       // into rules.yaml
  std::size_t set = 0;  // index into the policy's sets, and into those that are checked
};

// As edit_set() and check() would have it when these entries, which stay, are added to the set of
// that name, `text` being what yaml_text() made of rules.yaml. nullopt where that is more than new
// entries of a family that the set has some of, with room around each; or where some are there
// already.
std::optional<Extended> extend(const CheckedPolicy& policy, const std::string& text,
                               const std::string& name, const std::vector<AddressRange>& entries);

}  // namespace fwctl::policy
