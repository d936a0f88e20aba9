// A checked policy as nftables objects. Total: what check() passed compiles.
//
// Each kind of traffic has a base chain that only jumps to a chain with all there is to decide
// (incoming, outgoing, routed), so that a change can put a whole new chain in its place at once.
// Runs of rules that ask only for protocol and port, or ICMP type, become one lookup in a verdict
// map; others stay rules of their own, in the policy's order. Every rule and element bears the id
// of the policy's rule as its comment and counts what it decides.
#pragma once

#include "rules/nft/ruleset.h"
#include "rules/policy/check.h"

namespace fwctl::compile {

nft::Ruleset compile(const policy::CheckedPolicy& policy);

// The NFLOG group of all that is logged: who reads it, gets it.
constexpr std::uint16_t log_group = 7227;

// Comment of the rules that apply a default verdict.
constexpr std::string_view default_comment = "default";

}  // namespace fwctl::compile
