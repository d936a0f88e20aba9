// Files of addresses, which sets are read from.
#pragma once

#include <string_view>

#include "rules/diagnostic.h"
#include "rules/packed_pairs.h"
#include "rules/packed_ranges.h"

namespace fwctl::policy {

// What is in one: addresses or pairs.
struct SetFile {
  AddressRanges ranges;
  AddressPorts pairs;
};

// One entry a line, all of one kind; # and ; begin a comment. Of many wrong lines the first are
// told at their places and the rest by their number.
SetFile parse_set_file(const Source& file, Diagnostics& diagnostics);

// A path that leads from the configuration folder to a file below sets/. No other file can be
// named: what is wrong in one is quoted to whoever may ask about a policy.
bool valid_set_path(std::string_view path);

}  // namespace fwctl::policy
