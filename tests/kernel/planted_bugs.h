// Mistakes a compiler might make, made on purpose, so that a test may show that it would see them.
#pragma once

#include "rules/nft/ruleset.h"

namespace fwctl::testing {

// Every interval of ports, in rules and in maps, where there is room behind it.
void end_port_ranges_late(nft::Ruleset& ruleset);
// The same of addresses, in rules and in sets.
void end_address_ranges_late(nft::Ruleset& ruleset);
// What is looked for in a set of prefixes of one length is a bit shorter.
void shorten_masks(nft::Ruleset& ruleset);
// A name of an interface is met by every name that begins like it.
void match_names_by_their_beginning(nft::Ruleset& ruleset);
// The first two neighbours in a chain with verdicts that differ.
void swap_two_rules(nft::Ruleset& ruleset);
// Every forward that names a port.
void redirect_one_port_further(nft::Ruleset& ruleset);
// The last of those that the policy has.
void lose_a_masquerade(nft::Ruleset& ruleset);
// Every pair of a set is one of the next port.
void move_pairs_one_port_further(nft::Ruleset& ruleset);
// An element of a map, with another verdict. The kernel takes no such thing.
void claim_an_element_twice(nft::Ruleset& ruleset);

}  // namespace fwctl::testing
