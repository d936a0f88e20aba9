// Forwards and masquerades as nat chains, and what becomes of redirected packets.
#pragma once

#include <functional>
#include <vector>

#include "rules/compile/clause.h"
#include "rules/nft/ruleset.h"

namespace fwctl::compile {

// What of a routed packet a clause asks.
using Matcher = std::function<std::vector<nft::Statement>(const Clause&)>;

// Adds the chains that translate addresses, where there are any: base chains that only jump.
void add_translations(const policy::CheckedPolicy& policy, const Matcher& match,
                      nft::Ruleset& ruleset);

// Rules for the chain of routed packets: what a forward has redirected passes; what another program
// has goes to the chain of published ports.
std::vector<nft::Rule> redirected_rules(const policy::CheckedPolicy& policy, const Matcher& match);

}  // namespace fwctl::compile
