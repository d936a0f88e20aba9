// What stands before everything while panic is on: nothing comes in, goes out or passes through but
// what this host says to itself and the connections that are spared.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "rules/address.h"
#include "rules/nft/ruleset.h"

namespace fwctl::compile {

// A TCP connection of this host. Its packets pass whatever connection tracking makes of them, as
// far as the policy lets them pass, too.
struct Spared {
  Address peer;
  std::uint16_t peer_port = 0;
  Address own;  // of the same family
  std::uint16_t own_port = 0;
};

// Comment of the rules.
constexpr std::string_view panic_comment = "panic";

// `ruleset` may be that of a policy or empty.
void add_panic(const std::vector<Spared>& spared, nft::Ruleset& ruleset);

}  // namespace fwctl::compile
