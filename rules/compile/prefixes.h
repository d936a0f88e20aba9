// Big sets of addresses as sets of prefixes, one for each length.
//
// The kernel goes through all of a set of intervals whenever it changes. Into a set of values it
// puts one more in constant time, and it loads one of a declared size several times faster; but
// each length is a lookup of its own for a packet. So this is for sets that have many prefixes of
// few lengths. Those of a length that only few have are split into prefixes of the next.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "rules/nft/ruleset.h"
#include "rules/packed_ranges.h"

namespace fwctl::compile {

// Of fewer prefixes a set of intervals changes in less time than the rest of a command takes, and
// is one lookup.
constexpr std::size_t big_set = 512;
// Each costs a packet about as much as the one lookup into a set of intervals does.
constexpr std::size_t most_parts = 4;

// How many prefixes there are of each length.
using PrefixCounts = std::array<std::uint64_t, 129>;

// Counts too as few prefixes as can be that together are the ranges; these are disjoint.
void count_prefixes(const PackedRanges& ranges, PrefixCounts& counts);

// The declared size of a set of `count` values: it has to hold some that come later.
std::uint32_t room_for(std::uint64_t count);

struct Part {
  int length;
  std::uint64_t count;  // of its prefixes

  std::uint32_t room() const { return room_for(count); }
};
// By length, the shortest first.
using Parts = std::vector<Part>;

bool same_lengths(const Parts& some, const Parts& others);

// None where they are fewer than `big`, or where there would have to be too many parts.
Parts parts(const PrefixCounts& counts, std::size_t big);

// The first addresses of the ranges' prefixes, for each of the parts, sorted.
std::vector<Intervals> prefixes(const PackedRanges& ranges, const Parts& parts);

// By the name of the whole set.
using PartsByName = std::map<std::string, Parts>;

// Every lookup into one of these sets becomes lookups into its parts: a rule is there once for
// each, or, where it asks for what is in none of them, asks for each. An address is in one part at
// most, so no packet meets two of such rules.
void look_into_parts(const PartsByName& sets, nft::Ruleset& ruleset);

}  // namespace fwctl::compile
