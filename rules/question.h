// What `fwctl explain` is asked about, as people type it: "3000/tcp from 203.0.113.9 on eth0".
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "rules/diagnostic.h"
#include "rules/evaluate.h"
#include "rules/policy/services.h"
#include "rules/policy/surroundings.h"
#include "rules/policy/unit.h"

namespace fwctl {

// QUESTION = WHAT { CLAUSE }, in any order
// WHAT     = PORT[/PROTOCOL] | SERVICE[/PROTOCOL] | PROTOCOL | (icmp|icmpv6) TYPE
// CLAUSE   = in | out | routed | on INTERFACE | proto PROTOCOL
//          | in on INTERFACE | out on INTERFACE            (both, of a routed packet)
//          | mac ADDRESS | mark NUMBER
//          | user NAME | group NAME | unit NAME            (of an outgoing packet)
//          | from ADDRESS [port PORT] | to ADDRESS [port PORT]
// A PORT may be a range, an ADDRESS a prefix or a range; "any" leaves an address open. TYPE is a
// number, or a name, which behind "icmp" means ICMP of both families where both have it. What comes
// from or goes to a loopback address is on lo unless `on` says otherwise.

// New connections of one kind and one family.
struct Asked {
  std::string what;  // "3000/tcp", "icmp type 8", "esp"
  Packets packets;
  std::optional<policy::Cgroup> cgroup;  // of the unit that is asked about, if it runs
};

// What is asked about by names that have to be looked up for parse_question().
policy::Names names(const std::vector<std::string>& words);
policy::UnitNames unit_names(const std::vector<std::string>& words);

// At least one, of one kind of traffic; nullopt exactly when something was complained of.
// `services` are those that the policy in force knows, `surroundings` has at least names(), and
// `units` those of unit_names() that run.
// Diagnostics are as parse_rule() has them.
std::optional<std::vector<Asked>> parse_question(const std::vector<std::string>& words,
                                                 const policy::ServiceTable& services,
                                                 const policy::Surroundings& surroundings,
                                                 const policy::Units& units,
                                                 Diagnostics& diagnostics);

// The same without a WHAT too, and then of packets of any protocol: their `what` is empty, and
// `packets.protocol` says nothing. A unit that is asked about must run.
std::optional<std::vector<Asked>> parse_open_question(const std::vector<std::string>& words,
                                                      const policy::ServiceTable& services,
                                                      const policy::Surroundings& surroundings,
                                                      const policy::Units& units,
                                                      Diagnostics& diagnostics);

}  // namespace fwctl
