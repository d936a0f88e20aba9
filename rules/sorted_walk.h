// Two sorted lists side by side.
#pragma once

#include <cstddef>

namespace fwctl {

// Calls `only_one` with what only `one` has, `only_other` with what only `other` has, and `both`
// with the two that are equal, in order. What stands n times here and m times there is met in pairs
// as far as that goes. The lists have size() and operator[].
template <typename Items, typename Less, typename OnlyOne, typename OnlyOther, typename Both>
void walk_sorted(const Items& one, const Items& other, Less less, OnlyOne only_one,
                 OnlyOther only_other, Both both) {
  std::size_t here = 0;
  std::size_t there = 0;
  while (here < one.size() || there < other.size()) {
    if (there == other.size() || (here < one.size() && less(one[here], other[there])))
      only_one(one[here++]);
    else if (here == one.size() || less(other[there], one[here]))
      only_other(other[there++]);
    else
      both(one[here++], other[there++]);
  }
}

}  // namespace fwctl
