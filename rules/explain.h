// What a policy does with the packets someone asked about, by which rules, and past which.
#pragma once

#include <bitset>
#include <vector>

#include "rules/question.h"
#include "rules/reach.h"

namespace fwctl {

struct Passed {
  const policy::CheckedRule* rule = nullptr;  // in the policy
  // By Condition: the first that is not met, of each kind of packet.
  std::bitset<condition_count> unmet;
};

// Of all kinds of packet of which the same rules decide.
struct Explanation {
  std::vector<Asked> packets;
  std::vector<Reachability> access;
  std::vector<Passed> passed;  // match none of the packets; none is behind the last to decide
  std::vector<Reachability> redirected;  // as redirected_alike(), of routed packets
};

// In the order in which they were asked.
std::vector<Explanation> explain(const policy::CheckedPolicy& policy,
                                 const std::vector<Asked>& asked);

}  // namespace fwctl
