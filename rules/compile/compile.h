// A checked policy as nftables objects. Total: what check() passed compiles.
//
// Each kind of traffic has a base chain that only jumps to a chain with all there is to decide
// (incoming, outgoing, routed), so that a change can put a whole new chain in its place at once.
// Runs of rules that ask only for protocol and port, or ICMP type, become one lookup in a verdict
// map; others stay rules of their own, in the policy's order. Every rule and element bears the id
// of the policy's rule as its comment and counts what it decides. What another program redirected
// is judged by a copy of the incoming chain that looks at where it was sent (publish.h). Of a big
// set of addresses the prefixes of each length are a set of their own (prefixes.h), and what asks
// for it asks for each.
#pragma once

#include <optional>
#include <vector>

#include "rules/compile/prefixes.h"
#include "rules/nft/ruleset.h"
#include "rules/policy/check.h"
#include "rules/policy/unit.h"

namespace fwctl::compile {

// `units` are those that run now, of which the policy names some. They are in sets of their own,
// each of one unit, so that its next start is another element; of one that does not run it is
// empty. `big`: of so many prefixes on, a set of addresses is big, and of so many points on, a map
// has a declared size.
nft::Ruleset compile(const policy::CheckedPolicy& policy, const policy::Units& units = {},
                     std::size_t big = big_set);

// Those sets of units alone; of some the ruleset may have no use.
std::vector<nft::Set> unit_sets(const policy::CheckedPolicy& policy, const policy::Units& units);

// Of a set of addresses, IPv4 and IPv6; nullopt: nobody has counted them yet.
using SetCounts = std::array<std::optional<PrefixCounts>, 2>;

// The elements that compile() has more of with `entries`, which are merged and meet no others, in
// `set`, where rules name it: sets of each family that they have, and nothing else in these.
// nullopt where compile() would hold it in other sets than without them. `counts`, of the set, is
// of the set with `entries` from then on.
std::optional<std::vector<nft::Set>> more_elements(const policy::CheckedSet& set,
                                                   const AddressRanges& entries, SetCounts& counts,
                                                   std::size_t big = big_set);

// The NFLOG group of all that is logged: who reads it, gets it.
constexpr std::uint16_t log_group = 7227;

// Comment of the rules that apply a default verdict, and of those that log all that comes.
constexpr std::string_view default_comment = "default";
constexpr std::string_view audit_comment = "audit";

}  // namespace fwctl::compile
