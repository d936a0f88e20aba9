// What the kernel does with a packet under a ruleset, in the plainest code there is: neither the
// evaluator nor the compiler has a part in it. Every limit still has room.
#pragma once

#include <string>
#include <vector>

#include "rules/evaluate.h"
#include "rules/nft/ruleset.h"

namespace fwctl::testing {

struct Judgement {
  policy::Verdict verdict = policy::Verdict::deny;
  // The comment of the rule or element that decided; where that hands over to another chain, of the
  // one that did.
  std::string by;
  std::vector<std::string> logged;  // prefixes
  // A field was looked at that the packet doesn't have; the kernel would have read something else.
  std::string misread;
};

// Multicast, or to all of the link, when it came.
bool is_for_many(const Packet& packet);

Judgement judge(const nft::Ruleset& ruleset, const Packet& packet);

}  // namespace fwctl::testing
