// More elements in sets that are loaded, in place.
//
// What plan.h says against editing what is in use does not hold for elements that one rule brings,
// all with one verdict: a packet that is under way finds some of them or none, and so meets the old
// rules or the new one.
#pragma once

#include <optional>
#include <vector>

#include "rules/nft/changes.h"
#include "rules/nft/ruleset.h"

namespace fwctl::nft {

// From `loaded`, with the names the kernel knows, to one with the elements of `more`, which has
// plain names, and with `marker`. nullopt where `loaded` does not tell which sets are meant.
std::optional<Changes> grow(const Ruleset& loaded, const std::vector<Set>& more,
                            const Chain& marker);

// What is loaded after `changes`, which grow() made for `loaded`.
void grown(Ruleset& loaded, const Changes& changes);

}  // namespace fwctl::nft
