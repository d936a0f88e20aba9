// Who gets which verdict under a policy, as a list that people read.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "rules/evaluate.h"

namespace fwctl {

struct Listener {
  Protocol protocol = tcp;
  std::uint16_t port = 0;
  // What it is bound to; nullopt: every address of the families below.
  std::optional<Address> address;
  bool ipv4 = true;
  bool ipv6 = true;
  TimeRange times = always;  // of connections to it
};

struct Reachability {
  // Which of the packets asked about: "anyone", "10.0.0.0/8", "@office on eth1".
  std::string sources;
  policy::Verdict verdict = policy::Verdict::deny;
  const policy::CheckedRule* rule = nullptr;  // in the policy; null: the default decides,
  const policy::CheckedForward* forward =
      nullptr;  // or this forward sends them on: no rule is asked
  bool operator==(const Reachability&) const = default;
};

// New connections from other hosts, in the order in which the rules decide. The last entry holds
// for everyone whom none before it names, and its sources are "anyone"; it is the answer that
// evaluate() gives for a source, interface and destination that no other entry names.
std::vector<Reachability> reach(const policy::CheckedPolicy& policy, const Listener& listener);

// The same for packets of any kind, at least one and of one kind of traffic. Where they come from
// some addresses only, those stand in place of "anyone"; what goes out comes from "this host".
std::vector<Reachability> reach(const policy::CheckedPolicy& policy,
                                std::span<const Packets> packets);

// Forwards that send connections to where some of these routed packets go. Those pass before the
// rules; `packets`, which nobody redirected, do not by that.
std::vector<Reachability> redirected_alike(const policy::CheckedPolicy& policy,
                                           const Packets& packets);

}  // namespace fwctl
