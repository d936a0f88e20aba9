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
};

// "add", "remove", "replace" and "delete".
std::string_view text(SetAction action);
std::optional<SetAction> parse_set_action(std::string_view text);

// Each of `addresses` may be several joined by commas. Diagnostics are in file "command", line 1,
// and count columns in "set ACTION NAME ADDRESS ..."; nullopt exactly when there is one.
std::optional<SetEdit> parse_set_edit(SetAction action, const std::string& name,
                                      const std::vector<std::string>& addresses,
                                      Diagnostics& diagnostics);

// Entries are the same when they have the same first and last address. `add` and `replace` make a
// set that is not there. A set of a file that people own is not changed but pointed at.
EditResult edit_set(const Policy& policy, const Sources& sources, const Added& added,
                    const SetEdit& wanted);

}  // namespace fwctl::policy
