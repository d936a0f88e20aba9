// Bans as nftables objects. What comes from a banned address, and what goes to one, is dropped
// before connection tracking sees it, so that connections end at once.
//
// There is a hash set for each length of prefix that is banned: one ban more is one element,
// whatever is there, and none meets another. What is banned costs a packet a lookup for each of
// these lengths, and nothing when there is none. What runs over lo is never looked at.
#pragma once

#include <set>
#include <string_view>

#include "rules/nft/ruleset.h"
#include "rules/prefix.h"

namespace fwctl::compile {

// Chains and empty sets for bans of these kinds; nothing for none. Names are plain.
nft::Ruleset ban_objects(const std::set<PrefixKind>& kinds);

// The one of these sets.
nft::Set ban_set(PrefixKind kind);
nft::Element ban_element(const Prefix& prefix, Time until = nft::no_end);

// Comment of the rules that drop.
constexpr std::string_view ban_comment = "banned";

}  // namespace fwctl::compile
