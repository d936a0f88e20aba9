#include "rules/policy/address_ranges.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

namespace fwctl::policy {
namespace {

// Each address once, with the last of its ends.
std::vector<TemporaryRange> disjoint(const std::vector<TemporaryRange>& temporary) {
  struct Change {
    std::vector<Time> begin;
    std::vector<Time> end;
  };
  // By the address from which on it counts.
  std::map<Address, Change> changes;
  for (const auto& [range, until] : temporary) {
    changes[range.first].begin.push_back(until);
    if (const auto next = successor(range.last)) changes[*next].end.push_back(until);
  }
  std::vector<TemporaryRange> out;
  std::multiset<Time> ends;
  for (auto at = changes.begin(); at != changes.end(); ++at) {
    for (const auto until : at->second.end) ends.erase(ends.find(until));
    ends.insert(at->second.begin.begin(), at->second.begin.end());
    if (ends.empty()) continue;
    const auto next = std::next(at);
    const auto all = everything(at->first.family());
    const AddressRange piece{at->first,
                             next == changes.end() ? all.last : *predecessor(next->first)};
    const Time until = *ends.rbegin();
    const bool goes_on = !out.empty() && out.back().until == until &&
                         successor(out.back().range.last) == piece.first;
    if (goes_on)
      out.back().range.last = piece.last;
    else
      out.push_back({piece, until});
  }
  return out;
}

}  // namespace

std::vector<AddressRange> complement(const AddressRanges& ranges) {
  std::vector<AddressRange> out;
  for (const auto family : {Family::ipv4, Family::ipv6}) {
    const AddressRange all = everything(family);
    std::optional<Address> next = all.first;
    for (const auto range : ranges.of(family)) {
      if (*next < range.first) out.push_back({*next, *predecessor(range.first)});
      next = successor(range.last);
    }
    if (next) out.push_back({*next, all.last});
  }
  return out;
}

std::vector<TemporaryRange> left_of(const std::vector<TemporaryRange>& temporary,
                                    const PackedRanges& ranges) {
  std::vector<TemporaryRange> out;
  auto next = ranges.begin();
  for (const auto& [range, until] : disjoint(temporary)) {
    while (next != ranges.end() && (*next).last < range.first) ++next;
    std::optional<Address> first = range.first;
    for (auto at = next; first && at != ranges.end() && (*at).first <= range.last; ++at) {
      const AddressRange taken = *at;
      if (*first < taken.first) out.push_back({{*first, *predecessor(taken.first)}, until});
      first = taken.last < range.last ? successor(taken.last) : std::nullopt;
    }
    if (first) out.push_back({{*first, range.last}, until});
  }
  return out;
}

std::size_t place_in(const PackedRanges& ranges, const AddressRange& range) {
  const auto place = std::lower_bound(
      ranges.begin(), ranges.end(), range,
      [](const AddressRange& a, const AddressRange& b) { return a.first < b.first; });
  return static_cast<std::size_t>(place - ranges.begin());
}

}  // namespace fwctl::policy
