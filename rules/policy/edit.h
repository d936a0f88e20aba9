// What the command line does to rules.yaml: add, insert, delete. Pure: a new value comes back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "rules/policy/check.h"
#include "rules/policy/print.h"
#include "rules/policy/rule_index.h"

namespace fwctl::policy {

struct Edit {
  Added added;
  bool changed = false;
  std::vector<std::string> notes;  // sentences for people
};

// Errors are sentences that say what to do; they leave nothing changed.
using EditResult = tl::expected<Edit, std::string>;

// Where a new rule goes among all rules of the policy.
struct Place {
  // 0: before all others. N: it becomes rule number N. nullopt: the end.
  std::optional<std::size_t> number;
};

// What adding a rule comes to.
struct Addition {
  enum class Kind : std::uint8_t { none, appends, inserts, replaces };
  Kind kind = Kind::appends;  // behind all that fwctl added
  std::size_t index = 0;      // among all rules: before which it is inserted, or which it replaces
  Rule rule;
  std::vector<std::string> notes;
};

// A rule that says the same is there already: nothing changes, but its end and its comment may. One
// about the same packets with another verdict or log among what fwctl added itself: it is changed
// where it stands, but a temporary rule leaves one without an end as it is and goes before it.
// `index` is the policy's.
tl::expected<Addition, std::string> plan_addition(const CheckedPolicy& policy,
                                                  const RuleIndex& index, const Sources& sources,
                                                  const Added& added, Rule rule, Place place);
// `addition` was planned for `policy` and `added`.
Edit add(const CheckedPolicy& policy, const Added& added, Addition addition);
// Both in one.
EditResult add(const CheckedPolicy& policy, const Sources& sources, const Added& added, Rule rule,
               Place place);

// Takes out what fwctl added itself, rules and entries of sets, and has ended by `now`. The notes
// name it.
Edit remove_ended(const Added& added, Time now);

// `selection` is one rule as words ("allow", "22/tcp"), or any of: numbers ("3"), ranges of numbers
// ("5-7"), ids and unambiguous beginnings of ids of at least 4 characters, or "comment" and the
// comment of the rules meant. A rule of a file that
// people own is not deleted but pointed at.
EditResult remove(const CheckedPolicy& policy, const Sources& sources, const Added& added,
                  const std::vector<std::string>& selection, Diagnostics& diagnostics);

}  // namespace fwctl::policy
