#pragma once

#include <optional>
#include <string>
#include <vector>

#include "daemon/netlink/object.h"
#include "daemon/result.h"
#include "rules/nft/ruleset.h"

namespace fwctl::netlink {

// The statements the rule's expressions stand for. The error is a text: what isn't ours in it.
tl::expected<std::vector<nft::Statement>, std::string> decode_expressions(nftnl_rule& rule);

// Nullopt when it is none that we use. `chain` is kept where there is a jump to it.
std::optional<nft::Verdict> decode_verdict(std::uint32_t code, std::string chain);

// Nullopt when it isn't a counter.
std::optional<nft::Counter> decode_counter(const Expression& expression);

}  // namespace fwctl::netlink
