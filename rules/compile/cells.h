// Boxes claimed by rules in order, kept disjoint: what two claim is of the first.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "rules/compile/box.h"

namespace fwctl::compile {

// Points and larger boxes are held apart, since the kernel finds a point in constant time. Points
// are asked about first: a point that lies in a box was claimed before it.
class Cells {
 public:
  using Owner = const policy::CheckedRule*;
  struct Cell {
    nft::Bytes last;
    Owner owner;
  };
  // By Box::first. No two boxes of one map overlap.
  using Map = std::map<nft::Bytes, Cell>;

  explicit Cells(const std::vector<nft::Field>& fields);

  // What of `box` nobody holds yet becomes `owner`'s, and is returned. nullopt where it would take
  // too long to find out or leave too many pieces; then nothing has changed. Takes time by the
  // logarithm of what is there when its ranges are in the same fields as those of all others.
  std::optional<std::vector<Box>> claim(const Box& box, Owner owner);

  const Map& points() const { return points_; }
  Map boxes() const;
  std::size_t size() const { return points_.size() + box_count_; }

 private:
  // Boxes with ranges in the same fields, by their values of the others.
  struct Class {
    std::uint32_t ranged;  // bit i: a range in field i
    std::unordered_map<nft::Bytes, Map> buckets;
  };

  std::size_t fields() const { return starts_.size() - 1; }
  int compare(const nft::Bytes& a, const nft::Bytes& b, std::size_t field) const;
  std::uint32_t ranged(const Box& box) const;
  nft::Bytes others(const nft::Bytes& key, std::uint32_t ranged) const;
  bool overlap(const Box& a, const Box& b) const;
  bool find_overlapping(const Box& box, std::vector<Box>& found) const;
  bool find_in(const Class& boxes, const Box& box, std::size_t& looked_at,
               std::vector<Box>& found) const;
  bool subtract(const Box& held, std::vector<Box>& pieces) const;
  bool insert(const Box& box, Owner owner);

  std::vector<std::size_t> starts_;  // of each field in a key; then the key's length
  Map points_;
  std::vector<Class> classes_;
  std::size_t box_count_ = 0;
};

}  // namespace fwctl::compile
