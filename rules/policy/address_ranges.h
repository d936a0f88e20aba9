// Lists of addresses made sorted and disjoint.
#pragma once

#include <vector>

#include "rules/packed_ranges.h"
#include "rules/policy/model.h"

namespace fwctl::policy {

// What `ranges`, which are merged, leave of both families.
std::vector<AddressRange> complement(const AddressRanges& ranges);

// What `ranges`, which are merged, leave of `temporary`, sorted and disjoint: where several of
// those overlap, the last to end counts. All are of one family.
std::vector<TemporaryRange> left_of(const std::vector<TemporaryRange>& temporary,
                                    const PackedRanges& ranges);

// Index of the first of `ranges`, which are sorted, that does not begin before `range`.
std::size_t place_in(const PackedRanges& ranges, const AddressRange& range);

}  // namespace fwctl::policy
