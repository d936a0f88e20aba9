// How incoming rules judge what another program has redirected, as Docker does for published ports:
// by a copy of the incoming chain that looks at the destination which the connection was sent to,
// not at the one it got. The copy shares all sets, and with them limits and counts.
#pragma once

#include <set>
#include <string_view>

#include "rules/nft/ruleset.h"

namespace fwctl::compile {

constexpr std::string_view published_chain = "published";

// The protocols of which that chain looks into a set or map whose key has both a protocol and a
// destination port, each in a lookup of its own: those of its elements, and TCP and UDP in any
// case, so that the chain stays the same when the first of them comes.
std::set<char> published_protocols(const nft::Set& set);

// Adds that chain; the incoming chain is there, and what has such a key that it looks into.
void add_published(nft::Ruleset& ruleset);

}  // namespace fwctl::compile
