// How incoming rules judge what another program has redirected, as Docker does for published ports:
// by a copy of the incoming chain that looks at the destination which the connection was sent to,
// not at the one it got. The copy shares all sets, and with them limits and counts.
#pragma once

#include <string_view>

#include "rules/nft/ruleset.h"

namespace fwctl::compile {

constexpr std::string_view published_chain = "published";

// Adds that chain; the incoming chain is there.
void add_published(nft::Ruleset& ruleset);

}  // namespace fwctl::compile
