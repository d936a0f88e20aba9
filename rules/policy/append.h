// One rule more behind all that fwctl added, or entries more in a set of its own, without looking
// at the rest again: what it costs does not grow with that but by a comparison each.
#pragma once

#include <optional>
#include <string>

#include "rules/policy/check.h"
#include "rules/policy/edit_set.h"

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

struct Extended {
  std::string text;     // of rules.yaml
  std::size_t set = 0;  // index into the policy's sets, and into those that are checked
  std::vector<AddressRange> entries;  // as they were typed
  AddressRanges lasting;              // what CheckedSet has with them
};

// As edit_set() and check() would have it, `text` being what yaml_text() made of rules.yaml.
// nullopt where `wanted` is more than new entries that stay, in a set that has some of their
// family, with room around each; or where some are there already.
std::optional<Extended> extend(const CheckedPolicy& policy, const std::string& text,
                               const SetEdit& wanted);

}  // namespace fwctl::policy
