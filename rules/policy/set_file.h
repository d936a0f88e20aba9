// Files of addresses, which sets are read from.
#pragma once

#include <string_view>
#include <vector>

#include "rules/address.h"
#include "rules/diagnostic.h"

namespace fwctl::policy {

// One address, prefix or range a line; # and ; begin a comment. Of many wrong lines the first are
// told at their places and the rest by their number.
std::vector<AddressRange> parse_set_file(const Source& file, Diagnostics& diagnostics);

// A path that leads from the configuration folder to a file below sets/. No other file can be
// named: what is wrong in one is quoted to whoever may ask about a policy.
bool valid_set_path(std::string_view path);

}  // namespace fwctl::policy
