// From what is loaded to what is wanted, such that no packet is ever judged by anything but the old
// rules or the new ones, not even one under way while they are exchanged.
//
// Why it is not a plain difference: the kernel exchanges all rules at once for packets that come
// after, but a packet under way goes on through the old rules while set elements and chains that
// the transaction removed are already gone for it. So what is in use is never edited, with one
// exception below; new chains and sets are loaded beside the old ones under a name of their own
// ("incoming.7"), the base chains are pointed at them, and what is no longer reached stays,
// unedited, until a later transaction. The exception: when all that differs is the elements of one
// set, they are edited in place, since one lookup sees the old set or the new one; but not to take
// out one that ends, which the kernel may have done by itself. So are those of several parts of one
// set (nft::part), where no address moves from one part to another, which a packet could miss in
// both.
//
// Base chains come and go in the transaction that counts. The kernel empties a base chain a moment
// before it takes it off its hook, and meanwhile its policy judges: where that is to accept, the
// chain goes at once. One that drops is first told to accept everything, and is collected as other
// retired objects are. One that is not where it is wanted (another program moved it) is such a
// chain that goes, and one that comes under a new name.
//
// The kernel exchanges the rules first and fills new sets of intervals a moment later. So when
// there are such, everything new is loaded in a transaction of its own, in which nothing leads to
// it yet; what a crash leaves of that, no packet reaches, and a later plan collects it. So it is
// where much is new: whoever loads it may do other things meanwhile, and then decide.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "rules/nft/changes.h"
#include "rules/nft/ruleset.h"

namespace fwctl::nft {

// A chain that no packet reaches; its comment says what is loaded. Present in every wanted ruleset.
constexpr std::string_view marker_chain = "generation";

struct Plan {
  Changes prepare;   // a transaction before; mostly empty
  Changes changes;   // the one that counts; empty when nothing differs
  Ruleset prepared;  // what is loaded after `prepare`
  Ruleset result;    // what is loaded afterwards, retired objects included
};

// `loaded` is what is there (nullopt: no table), with the names the kernel knows; `wanted` has
// plain names, without a version behind a dot. `version` is used for new names, raised above any in
// use.
Plan plan(const std::optional<Ruleset>& loaded, const Ruleset& wanted, std::uint64_t version);

// Removes what an earlier plan retired; empty when there is nothing.
Plan collect(const Ruleset& loaded);

// What packets meet: without retired objects and without versions in names. Equal to `wanted` after
// a plan for it was applied.
Ruleset live(const Ruleset& loaded);

// "incoming.7" → "incoming".
std::string_view plain_name(std::string_view name);

}  // namespace fwctl::nft
