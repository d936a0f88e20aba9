// Who is banned, as people type it: "203.0.113.9 2001:db8::/32 for 1h comment sshd".
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "rules/diagnostic.h"
#include "rules/moment.h"
#include "rules/prefix.h"

namespace fwctl::policy {

struct Banning {
  std::vector<Prefix> prefixes;                 // each once, at least one
  std::optional<std::chrono::seconds> lasting;  // above 0; nullopt: until it is lifted
  std::string comment;
};

// ADDRESSES {ADDRESSES} [for TIME | until MOMENT] [comment TEXT]
// Diagnostics are in file "command", line 1, and count columns in "ban ADDRESSES ..."; nullopt
// exactly when there is one.
std::optional<Banning> parse_ban(const std::vector<std::string>& words, Time now,
                                 Diagnostics& diagnostics);

// Which bans are to be lifted.
struct Lifting {
  std::vector<Prefix> prefixes;        // each once; none: all
  std::optional<std::string> comment;  // only those that have it
};

// all | ADDRESSES {ADDRESSES} [comment TEXT] | comment TEXT
// As parse_ban(), in "unban ADDRESSES ...".
std::optional<Lifting> parse_unban(const std::vector<std::string>& words, Diagnostics& diagnostics);

// Why no ban can be of these, whatever host this is; nullopt: one can.
std::optional<std::string> not_bannable(const Prefix& prefix);

}  // namespace fwctl::policy
