// Lists of addresses made sorted and disjoint.
#pragma once

#include <vector>

#include "rules/policy/model.h"

namespace fwctl::policy {

// Merged where they overlap or touch.
std::vector<AddressRange> merged(std::vector<AddressRange> ranges);

// What `ranges`, which are merged, leave of both families.
std::vector<AddressRange> complement(const std::vector<AddressRange>& ranges);

// What `ranges`, which are merged, leave of `temporary`, sorted and disjoint: where several of
// those overlap, the last to end counts. All are of one family.
std::vector<TemporaryRange> left_of(const std::vector<TemporaryRange>& temporary,
                                    const std::vector<AddressRange>& ranges);

}  // namespace fwctl::policy
