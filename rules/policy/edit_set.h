// What the command line does to the sets of rules.yaml. Pure: a new value comes back.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rules/policy/edit.h"

namespace fwctl::policy {

// `destroy` removes the set itself, the others change what is in it.
enum class SetAction : std::uint8_t { add, remove, replace, destroy };

struct SetEdit {
  SetAction action = SetAction::add;
  std::string name;
  std::vector<AddressRange> ranges;
  std::vector<AddressPort> pairs;  // where there are no ranges
  std::optional<Time> until;       // what is put in ends then; nullopt: it stays
};

// "add", "remove", "replace" and "delete".
std::string_view text(SetAction action);
std::optional<SetAction> parse_set_action(std::string_view text);

// `words` are addresses or pairs, each maybe several joined by commas; with `add` and `replace`
// also "for" and a time from `now` on, or "until" and a moment. Diagnostics are in file "command",
// line 1, and count columns in "set ACTION NAME ADDRESS ..."; nullopt exactly when there is one.
std::optional<SetEdit> parse_set_edit(SetAction action, const std::string& name,
                                      const std::vector<std::string>& words, Time now,
                                      Diagnostics& diagnostics);

// Entries are the same when they have the same first and last address, whenever they end, or the
// same address and port. `add` and
// `replace` make a set that is not there; `add` moves the end of an entry that has one, and gives
// none to one that stays. A set of a file that people own is not changed but pointed at.
EditResult edit_set(const Policy& policy, const Sources& sources, const Added& added,
                    const SetEdit& wanted);

// Takes out the entries that have ended by `now`. What to say of them; nullopt: there are none.
std::optional<std::string> remove_ended(AddressSet& set, Time now);

}  // namespace fwctl::policy
