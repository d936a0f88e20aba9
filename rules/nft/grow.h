// More elements, or others, in sets that are loaded, in place.
//
// What plan.h says against editing what is in use does not hold for elements that one rule brings,
// all with one verdict: a packet that is under way finds some of them or none, and so meets the old
// rules or the new one. Nor does it hold for new elements of a set that each packet looks into
// once. Nor does it hold for a set that several rules look into which all have one verdict for what
// is in it: whichever of them finds the packet first, it gets what the old elements give it or the
// new ones.
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

// From `loaded` to one in which those of `wanted` that it has, with plain names, have these
// elements. nullopt where that is more than the elements of one set, or not safe in place.
std::optional<Changes> exchange(const Ruleset& loaded, const std::vector<Set>& wanted);

// What is loaded after `changes`, which one of these made for `loaded`.
void grown(Ruleset& loaded, const Changes& changes);

}  // namespace fwctl::nft
