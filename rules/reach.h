// Who can reach a listening socket under a policy, as a list that people read.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "rules/policy/check.h"

namespace fwctl {

struct Listener {
  Protocol protocol = tcp;
  std::uint16_t port = 0;
  // What it is bound to; nullopt: every address of the families below.
  std::optional<Address> address;
  bool ipv4 = true;
  bool ipv6 = true;
};

struct Reachability {
  std::string sources;  // "anyone", "10.0.0.0/8", "@office on eth1"
  policy::Verdict verdict = policy::Verdict::deny;
  const policy::CheckedRule* rule = nullptr;  // in the policy; null: the default
};

// New connections from other hosts, in the order in which the rules decide. The last entry holds
// for everyone whom none before it names, and its sources are "anyone"; it is the answer that
// evaluate() gives for a source, interface and destination that no other entry names.
std::vector<Reachability> reach(const policy::CheckedPolicy& policy, const Listener& listener);

}  // namespace fwctl
