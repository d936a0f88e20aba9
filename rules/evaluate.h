// The meaning of a policy, stated plainly: the first rule that matches decides, a default the rest.
#pragma once

#include <string>

#include "rules/policy/check.h"

namespace fwctl {

struct Packet {
  policy::Traffic traffic = policy::Traffic::incoming;
  Address from;
  Address to;  // of the same family
  Protocol protocol = tcp;
  std::uint16_t from_port = 0;
  std::uint16_t to_port = 0;
  std::uint8_t icmp_type = 0;
  std::string interface;      // it came in on (incoming, routed) or goes out on (outgoing)
  std::string out_interface;  // a routed packet goes out on
  policy::State state = policy::State::fresh;
};

struct Decision {
  // `limit`: allowed for as long as the source stays within the rate, else rejected.
  policy::Verdict verdict = policy::Verdict::deny;
  const policy::CheckedRule* rule = nullptr;  // in the policy; null: the default decided
};

Decision evaluate(const policy::CheckedPolicy& policy, const Packet& packet);

// An interface name against a name or a pattern ending in *.
bool matches_interface(const std::string& pattern, const std::string& name);

}  // namespace fwctl
