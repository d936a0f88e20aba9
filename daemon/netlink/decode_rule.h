#pragma once

#include <optional>
#include <string>
#include <vector>

#include "daemon/netlink/attributes.h"
#include "daemon/result.h"
#include "rules/nft/ruleset.h"

namespace fwctl::netlink {

// The statements a list of expressions stands for. The error is a text: what isn't ours in it.
tl::expected<std::vector<nft::Statement>, std::string> decode_expressions(const nlattr* list);

// Nullopt when it is none that we use.
std::optional<nft::Verdict> decode_verdict(const nlattr* data);

// Of one expression with name and data; nullopt when it isn't a counter.
std::optional<nft::Counter> decode_counter(const nlattr* expression);

}  // namespace fwctl::netlink
