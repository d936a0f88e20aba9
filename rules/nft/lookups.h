// How often one packet may look into a set.
#pragma once

#include <cstddef>
#include <string>

#include "rules/nft/ruleset.h"

namespace fwctl::nft {

// At most so often, of all packets: each comes through the input hook or through the forward hook,
// not through both, and is of one protocol. All that is not retired or unreachable counts.
std::size_t most_lookups(const Ruleset& ruleset, const std::string& set);

}  // namespace fwctl::nft
