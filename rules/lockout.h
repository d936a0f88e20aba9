// Whether somebody who sits at the other end of a connection could come back under another policy.
#pragma once

#include <cstdint>
#include <string>

#include "rules/evaluate.h"

namespace fwctl {

// How somebody came in: over TCP, to an address and port of this host.
struct WayIn {
  Address from;
  Address to;  // of the same family
  std::uint16_t port = 0;
  std::string interface;  // it comes in on; empty: not known, but not lo
};

// What becomes of new connections of that kind.
struct Welcome {
  // How many are let in: what a policy may ask and nobody knows beforehand (the source port, the
  // sender's MAC address, a mark) may decide.
  Share let_in = Share::all;
  // Who keeps out the first that is not: this rule of the policy, or else this forward, which sends
  // it elsewhere; neither: the default.
  const policy::CheckedRule* rule = nullptr;
  const policy::CheckedForward* forward = nullptr;
};

// The same of other packets that begin a connection.
Welcome welcome(const policy::CheckedPolicy& policy, const Packets& packets);

// A limit lets in.
Welcome welcome(const policy::CheckedPolicy& policy, const WayIn& way, Time now);

// Whether new connections of that kind are among the packets that `rule` matches.
bool meets(const policy::CheckedPolicy& policy, const policy::CheckedRule& rule, const WayIn& way,
           Time now);

}  // namespace fwctl
