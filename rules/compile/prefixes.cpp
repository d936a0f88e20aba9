#include "rules/compile/prefixes.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <limits>
#include <utility>

#include "rules/compile/matches.h"

namespace fwctl::compile {
namespace {

// An address of either family.
__extension__ using Number = unsigned __int128;

Number number(std::string_view bytes) {
  Number out = 0;
  for (const char byte : bytes) out = out << 8 | static_cast<unsigned char>(byte);
  return out;
}

void append(std::string& out, Number number, std::size_t width) {
  for (std::size_t left = width; left-- != 0;) out += static_cast<char>(number >> (8 * left));
}

int trailing_zeros(Number number) {
  const auto low = static_cast<std::uint64_t>(number);
  return low != 0 ? std::countr_zero(low)
                  : 64 + std::countr_zero(static_cast<std::uint64_t>(number >> 64));
}

int bit_width(Number number) {
  const auto high = static_cast<std::uint64_t>(number >> 64);
  return high != 0 ? 64 + static_cast<int>(std::bit_width(high))
                   : static_cast<int>(std::bit_width(static_cast<std::uint64_t>(number)));
}

// Of that many addresses, less one.
Number all_ones(int host_bits) {
  return host_bits == 0 ? 0 : ~Number{0} >> (128 - host_bits);
}

// Calls `visit(first, length)` for each prefix, in order.
template <typename Visit>
void each_prefix(const PackedRanges& ranges, Visit visit) {
  const auto& intervals = ranges.intervals();
  const int bits = static_cast<int>(intervals.width()) * 8;
  for (std::size_t index = 0; index < intervals.size(); ++index) {
    Number first = number(intervals.first(index));
    const Number last = number(intervals.last(index));
    for (;;) {
      const Number rest = last - first;
      // The largest block that begins here, and the largest that does not go beyond the end.
      const int fitting = rest == all_ones(bits) ? bits : bit_width(rest + 1) - 1;
      const int host_bits = std::min(trailing_zeros(first), fitting);
      visit(first, bits - host_bits);
      if (rest == all_ones(host_bits)) break;
      first += all_ones(host_bits) + 1;
    }
  }
}

// What dropping a length adds: each of its prefixes becomes so many of the next.
std::uint64_t added_by_dropping(const Part& part, const Part& next) {
  const int further = next.length - part.length;
  if (further >= 32) return std::numeric_limits<std::uint64_t>::max() / 2;
  return part.count * ((std::uint64_t{1} << further) - 1);
}

void expand(const PartsByName& sets, const nft::Rule& rule, std::size_t from,
            std::vector<nft::Rule>& out);

// The lookup at `at` becomes one into each part.
void expand_lookup(const PartsByName& sets, const Parts& parts, const nft::Rule& rule,
                   std::size_t at, std::vector<nft::Rule>& out) {
  const auto whole = std::get<nft::SetLookup>(rule.statements[at]);
  const auto into = [&](const Part& part) {
    nft::SetLookup lookup = whole;
    lookup.set = nft::part_name(whole.set, part.length);
    const std::size_t width = nft::width(whole.key.front());
    if (static_cast<std::size_t>(part.length) != width * 8)
      lookup.mask = mask_bytes(width, part.length);
    return lookup;
  };
  nft::Rule all = rule;
  const auto place = all.statements.begin() + static_cast<std::ptrdiff_t>(at);
  if (whole.negated) {
    std::vector<nft::Statement> lookups;
    for (const auto& part : parts) lookups.emplace_back(into(part));
    const auto behind = all.statements.erase(place);
    all.statements.insert(behind, lookups.begin(), lookups.end());
    expand(sets, all, at + parts.size(), out);
    return;
  }
  for (const auto& part : parts) {
    *place = into(part);
    expand(sets, all, at + 1, out);
  }
}

// `rule` with all lookups from statement `from` on.
void expand(const PartsByName& sets, const nft::Rule& rule, std::size_t from,
            std::vector<nft::Rule>& out) {
  for (std::size_t at = from; at < rule.statements.size(); ++at) {
    const auto* lookup = std::get_if<nft::SetLookup>(&rule.statements[at]);
    const auto found = lookup == nullptr ? sets.end() : sets.find(lookup->set);
    if (found != sets.end()) return expand_lookup(sets, found->second, rule, at, out);
  }
  out.push_back(rule);
}

}  // namespace

void count_prefixes(const PackedRanges& ranges, PrefixCounts& counts) {
  each_prefix(ranges, [&](Number, int length) { ++counts[static_cast<std::size_t>(length)]; });
}

std::uint32_t room_for(std::uint64_t count) {
  return static_cast<std::uint32_t>(std::bit_ceil(count + 1));
}

bool same_lengths(const Parts& some, const Parts& others) {
  return std::ranges::equal(some, others, {}, &Part::length, &Part::length);
}

Parts parts(const PrefixCounts& counts, std::size_t big) {
  Parts out;
  std::uint64_t total = 0;
  for (std::size_t length = 0; length < counts.size(); ++length) {
    if (counts[length] == 0) continue;
    out.push_back({.length = static_cast<int>(length), .count = counts[length]});
    total += counts[length];
  }
  if (total < big || total == 0) return {};
  // A third more elements is what fewer lookups may cost.
  std::uint64_t left = total / 3;
  while (out.size() > 1) {
    std::size_t cheapest = 0;
    for (std::size_t index = 1; index + 1 < out.size(); ++index)
      if (added_by_dropping(out[index], out[index + 1]) <
          added_by_dropping(out[cheapest], out[cheapest + 1]))
        cheapest = index;
    const auto added = added_by_dropping(out[cheapest], out[cheapest + 1]);
    if (added > left) break;
    left -= added;
    out[cheapest + 1].count += out[cheapest].count + added;
    out.erase(out.begin() + static_cast<std::ptrdiff_t>(cheapest));
  }
  // Everything at once is no lookup into a set of values.
  if (out.size() > most_parts || out.front().length == 0) return {};
  return out;
}

std::vector<Intervals> prefixes(const PackedRanges& ranges, const Parts& parts) {
  const std::size_t width = ranges.intervals().width();
  std::vector<std::string> bytes(parts.size());
  for (std::size_t index = 0; index < parts.size(); ++index)
    bytes[index].reserve(std::min<std::size_t>(parts[index].count, 2 * ranges.size()) * width);
  each_prefix(ranges, [&](Number first, int length) {
    const auto part = std::ranges::lower_bound(parts, length, {}, &Part::length);
    assert(part != parts.end());
    const Number step = all_ones(static_cast<int>(width) * 8 - part->length) + 1;
    const std::uint64_t count = std::uint64_t{1} << (part->length - length);
    auto& out = bytes[static_cast<std::size_t>(part - parts.begin())];
    for (std::uint64_t index = 0; index < count; ++index) append(out, first + index * step, width);
  });
  std::vector<Intervals> out;
  out.reserve(parts.size());
  for (auto& one : bytes) out.push_back(Intervals::of_values(width, std::move(one)));
  return out;
}

void look_into_parts(const PartsByName& sets, nft::Ruleset& ruleset) {
  if (sets.empty()) return;
  for (auto& chain : ruleset.chains) {
    std::vector<nft::Rule> rules;
    for (const auto& rule : chain.rules) expand(sets, rule, 0, rules);
    chain.rules = std::move(rules);
  }
}

}  // namespace fwctl::compile
