// Where rules go that come behind all others, found without compiling those again.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "rules/compile/blocks.h"
#include "rules/compile/prefixes.h"
#include "rules/nft/ruleset.h"
#include "rules/policy/check.h"

namespace fwctl::compile {

// Remembers how the rules of a policy for incoming and outgoing packets came together. It refers to
// them: they must stay where they are, as CheckedRules do when more come.
class Growth {
 public:
  // `big` as of compile().
  explicit Growth(const policy::CheckedPolicy& policy, std::size_t big = big_set);

  // The elements that compile() would have more with `rule`, for incoming or outgoing packets,
  // behind the others; each set has nothing else. nullopt where that is not all there would be
  // more: then this is of no more use, since it may have taken in a part of the rule. `policy` may
  // have the rule already; the rule must stay where it is.
  std::optional<std::vector<nft::Set>> add(const policy::CheckedPolicy& policy,
                                           const policy::CheckedRule& rule,
                                           policy::Traffic traffic);

 private:
  // Names of the maps of a block that is looked up; empty: there is none.
  struct Maps {
    std::string points;
    std::string ranges;
  };
  struct Chain {
    Blocks blocks;
    std::vector<Maps> maps;  // by index of the block
  };

  static Chain gathered(const policy::CheckedPolicy& policy, policy::Traffic traffic);

  std::size_t big_;
  std::array<Chain, 2> chains_;  // incoming, outgoing
};

}  // namespace fwctl::compile
