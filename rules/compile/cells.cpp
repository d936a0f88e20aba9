#include "rules/compile/cells.h"

#include <algorithm>
#include <bit>
#include <optional>

namespace fwctl::compile {
namespace {

using nft::Bytes;

// Beyond these a claim is not worth its trouble: it goes into another lookup.
constexpr std::size_t most_looked_at = 4096;
constexpr std::size_t most_pieces = 64;

// The numbers after and before `value`, read in network order; it has one.
Bytes successor(Bytes value) {
  for (std::size_t i = value.size(); i-- > 0;) {
    value[i] = static_cast<char>(static_cast<unsigned char>(value[i]) + 1);
    if (value[i] != '\0') break;
  }
  return value;
}

Bytes predecessor(Bytes value) {
  for (std::size_t i = value.size(); i-- > 0;) {
    const bool borrow = value[i] == '\0';
    value[i] = static_cast<char>(static_cast<unsigned char>(value[i]) - 1);
    if (!borrow) break;
  }
  return value;
}

}  // namespace

Cells::Cells(const std::vector<nft::Field>& fields) {
  std::size_t start = 0;
  for (const auto field : fields) {
    starts_.push_back(start);
    start += nft::width(field);
  }
  starts_.push_back(start);
}

int Cells::compare(const Bytes& a, const Bytes& b, std::size_t field) const {
  const std::size_t width = starts_[field + 1] - starts_[field];
  return a.compare(starts_[field], width, b, starts_[field], width);
}

std::uint32_t Cells::ranged(const Box& box) const {
  std::uint32_t bits = 0;
  for (std::size_t field = 0; field < fields(); ++field)
    if (compare(box.first, box.last, field) != 0) bits |= 1U << field;
  return bits;
}

Bytes Cells::others(const Bytes& key, std::uint32_t ranged) const {
  Bytes out;
  for (std::size_t field = 0; field < fields(); ++field)
    if ((ranged >> field & 1U) == 0)
      out.append(key, starts_[field], starts_[field + 1] - starts_[field]);
  return out;
}

bool Cells::overlap(const Box& a, const Box& b) const {
  for (std::size_t field = 0; field < fields(); ++field)
    if (compare(a.last, b.first, field) < 0 || compare(b.last, a.first, field) < 0) return false;
  return true;
}

std::optional<std::vector<Box>> Cells::claim(const Box& box, Owner owner) {
  if (box.point() && classes_.empty())
    return insert(box, owner) ? std::vector{box} : std::vector<Box>();
  if (box.point() && points_.contains(box.first)) return std::vector<Box>();
  std::vector<Box> held;
  if (!find_overlapping(box, held)) return {};
  std::vector<Box> pieces{box};
  for (const auto& one : held)
    if (!subtract(one, pieces)) return {};
  std::erase_if(pieces, [&](const Box& piece) { return !insert(piece, owner); });
  return pieces;
}

// False: they are too many.
bool Cells::find_overlapping(const Box& box, std::vector<Box>& found) const {
  std::size_t looked_at = 0;
  return std::ranges::all_of(classes_,
                             [&](const Class& one) { return find_in(one, box, looked_at, found); });
}

bool Cells::find_in(const Class& boxes, const Box& box, std::size_t& looked_at,
                    std::vector<Box>& found) const {
  const auto look = [&](Map::const_iterator from, Map::const_iterator to) {
    for (; from != to; ++from) {
      const Box there{from->first, from->second.last};
      if (overlap(there, box)) found.push_back(there);
      if (++looked_at > most_looked_at || found.size() > most_pieces) return false;
    }
    return true;
  };
  if ((ranged(box) & ~boxes.ranged) != 0)  // a range where these have single values
    return std::ranges::all_of(boxes.buckets, [&](const auto& bucket) {
      return look(bucket.second.begin(), bucket.second.end());
    });
  const auto bucket = boxes.buckets.find(others(box.first, boxes.ranged));
  if (bucket == boxes.buckets.end()) return true;
  const Map& map = bucket->second;
  if (!std::has_single_bit(boxes.ranged)) return look(map.begin(), map.end());
  // All of these differ in one field only, so they are in its order.
  auto first = map.upper_bound(box.first);
  if (first != map.begin()) --first;
  return look(first, map.upper_bound(box.last));
}

// What of the pieces is outside `held`. False: that would be no few boxes.
bool Cells::subtract(const Box& held, std::vector<Box>& pieces) const {
  std::vector<Box> left;
  for (auto& piece : pieces) {
    if (!overlap(piece, held)) {
      left.push_back(std::move(piece));
      continue;
    }
    std::optional<std::size_t> sticks_out;
    for (std::size_t field = 0; field < fields(); ++field) {
      if (compare(held.first, piece.first, field) <= 0 &&
          compare(piece.last, held.last, field) <= 0)
        continue;
      if (sticks_out) return false;
      sticks_out = field;
    }
    if (!sticks_out) continue;
    const std::size_t start = starts_[*sticks_out];
    const std::size_t width = starts_[*sticks_out + 1] - start;
    if (compare(piece.first, held.first, *sticks_out) < 0) {
      Box before = piece;
      before.last.replace(start, width, predecessor(held.first.substr(start, width)));
      left.push_back(std::move(before));
    }
    if (compare(held.last, piece.last, *sticks_out) < 0) {
      piece.first.replace(start, width, successor(held.last.substr(start, width)));
      left.push_back(std::move(piece));
    }
  }
  pieces = std::move(left);
  return true;
}

// A piece of a box may be a point, and is looked up after the others all the same: those who hold
// boxes around it do not hold it. False where it was held as a point.
bool Cells::insert(const Box& box, Owner owner) {
  if (box.point()) {
    const std::size_t before = points_.size();
    points_.try_emplace(points_.end(), box.first,
                        Cell{box.last, owner});  // they often are in order
    return points_.size() != before;
  }
  const std::uint32_t bits = ranged(box);
  auto at = std::ranges::find(classes_, bits, &Class::ranged);
  if (at == classes_.end()) at = classes_.insert(at, Class{.ranged = bits, .buckets = {}});
  ++box_count_;
  return at->buckets[others(box.first, bits)].try_emplace(box.first, Cell{box.last, owner}).second;
}

Cells::Map Cells::boxes() const {
  Map all;
  for (const auto& one : classes_)
    for (const auto& [values, bucket] : one.buckets) all.insert(bucket.begin(), bucket.end());
  return all;
}

}  // namespace fwctl::compile
