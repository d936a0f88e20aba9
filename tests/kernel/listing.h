// Our table as `nft list` prints it, loaded in two ways: what we send must look like what nft makes
// of the text. Each loads into a new network namespace, in which this process then stays.
#pragma once

#include <string>

#include "rules/nft/ruleset.h"

namespace fwctl::testing {

struct Listing {
  std::string text;   // without counts
  std::string error;  // why there is none
};

// Without how long elements had to last, and have: that they end is left.
std::string without_clocks(const std::string& listing);

// Sent by our netlink batch.
Listing list_sent(const nft::Ruleset& ruleset);
// Loaded by `nft -f`.
Listing list_loaded(const std::string& printed);

}  // namespace fwctl::testing
