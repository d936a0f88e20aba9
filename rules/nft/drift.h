// What somebody else made of our table, for people.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "rules/nft/ruleset.h"

namespace fwctl::nft {

// What of `was` is gone or another in `is`, and what is new there: "chain input was changed", each
// object once by its plain name. nullopt: there is no table.
std::vector<std::string> drift(const std::optional<Ruleset>& was, const std::optional<Ruleset>& is);

}  // namespace fwctl::nft
