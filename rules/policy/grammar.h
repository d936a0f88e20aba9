// A rule as people type it: "allow 22/tcp", "deny in on eth0 proto udp from 10.0.0.0/8 to any port
// 53 comment 'old resolvers'".
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rules/diagnostic.h"
#include "rules/policy/model.h"
#include "rules/policy/words.h"

namespace fwctl::policy {

// RULE   = ["rule"] VERDICT [in|out] [on INTERFACES] [LOG] WHAT
//        | "route" VERDICT [in on INTERFACES] [out on INTERFACES] [LOG] WHAT
// LOG    = log | log-all
// WHAT   = PORTS                                             ("80,443/tcp", "ssh", "9000-9010/udp")
//        | [proto PROTO [type TYPES]] [from ADDRESSES [port PORTS]] [to ADDRESSES [port PORTS]]
//        | [from ADDRESSES [app NAMES]] [to ADDRESSES [app NAMES]]      (one side may have port)
// where proto may stand also: mac ADDRESSES, mark BITS[/MASK], user NAMES, group NAMES, unit NAMES;
// and anywhere behind the verdict: comment TEXT; for TIME or until MOMENT; with limit: rate
// COUNT/UNIT, burst COUNT. Lists have commas and no blanks; in, out, log, log-all and comment may
// be in capitals. `words` are the words as a shell splits them. Diagnostics are in file "command",
// line 1, and count columns in the words joined by one blank each. A rule comes back only without
// errors; its `source`, `at` and `layer` are the caller's to set. `now` is when the command came:
// 'for' counts from then, and without it has no place.
std::optional<Rule> parse_rule(const std::vector<std::string>& words, Diagnostics& diagnostics,
                               std::optional<Time> now = {});

// The same from one text, in which words with blanks stand in ' or ". The rule's place and all
// diagnostics are in `source`, where `text` begins at `at`.
std::optional<Rule> parse_rule(std::string_view text, const Source& source, Span at,
                               Diagnostics& diagnostics);

// Whether a list of words begins as a rule does, and not as the number or id of one.
bool begins_rule(std::string_view word);

}  // namespace fwctl::policy
