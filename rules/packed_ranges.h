// Many ranges of addresses in little memory.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <utility>

#include "rules/address.h"
#include "rules/intervals.h"

namespace fwctl {

// Ranges of one family, in any order: 8 bytes each of IPv4, 32 of IPv6. Copies share them.
class PackedRanges {
 public:
  // By value, in place: for algorithms over sorted ranges.
  class Iterator {
   public:
    using iterator_category = std::random_access_iterator_tag;
    using value_type = AddressRange;
    using difference_type = std::ptrdiff_t;
    using pointer = void;
    using reference = AddressRange;

    Iterator() = default;
    Iterator(const PackedRanges* of, std::size_t index) : of_(of), index_(index) {}

    AddressRange operator*() const { return (*of_)[index_]; }
    AddressRange operator[](difference_type offset) const { return *(*this + offset); }
    Iterator& operator+=(difference_type offset) {
      index_ += static_cast<std::size_t>(offset);
      return *this;
    }
    Iterator& operator-=(difference_type offset) { return *this += -offset; }
    Iterator& operator++() { return *this += 1; }
    Iterator& operator--() { return *this -= 1; }
    Iterator operator++(int) { return {of_, index_++}; }
    Iterator operator--(int) { return {of_, index_--}; }
    friend Iterator operator+(Iterator at, difference_type offset) { return at += offset; }
    friend Iterator operator+(difference_type offset, Iterator at) { return at += offset; }
    friend Iterator operator-(Iterator at, difference_type offset) { return at -= offset; }
    friend difference_type operator-(const Iterator& a, const Iterator& b) {
      return static_cast<difference_type>(a.index_) - static_cast<difference_type>(b.index_);
    }
    auto operator<=>(const Iterator& other) const { return index_ <=> other.index_; }
    bool operator==(const Iterator& other) const { return index_ == other.index_; }

   private:
    const PackedRanges* of_ = nullptr;
    std::size_t index_ = 0;
  };

  PackedRanges() : PackedRanges(Family::ipv4) {}
  explicit PackedRanges(Family family) : PackedRanges(family, Intervals(width(family))) {}

  Family family() const { return family_; }
  std::size_t size() const { return intervals_.size(); }
  bool empty() const { return intervals_.empty(); }
  AddressRange operator[](std::size_t index) const;
  Iterator begin() const { return {this, 0}; }
  Iterator end() const { return {this, size()}; }

  // Of this family.
  void push_back(const AddressRange& range) { insert(size(), range); }
  // The same of IPv4, as numbers.
  void push_back(std::uint32_t first, std::uint32_t last);
  // Before the one at `index`; and that one goes.
  void insert(std::size_t index, const AddressRange& range);
  void erase(std::size_t index) { intervals_.erase(index); }

  // As Intervals has them.
  PackedRanges sorted() const { return {family_, intervals_.sorted()}; }
  PackedRanges merged() const { return {family_, intervals_.merged()}; }

  // Of their addresses.
  const Intervals& intervals() const { return intervals_; }

  bool operator==(const PackedRanges&) const = default;

 private:
  PackedRanges(Family family, Intervals intervals)
      : family_(family), intervals_(std::move(intervals)) {}
  static std::size_t width(Family family) { return family == Family::ipv4 ? 4 : 16; }

  Family family_;
  Intervals intervals_;
};

// Of both families.
struct AddressRanges {
  PackedRanges ipv4{Family::ipv4};
  PackedRanges ipv6{Family::ipv6};

  PackedRanges& of(Family family) { return family == Family::ipv4 ? ipv4 : ipv6; }
  const PackedRanges& of(Family family) const { return family == Family::ipv4 ? ipv4 : ipv6; }
  std::size_t size() const { return ipv4.size() + ipv6.size(); }
  void push_back(const AddressRange& range) { of(range.family()).push_back(range); }
  // Calls `visit` for each range, those of IPv4 first.
  template <typename Visit>
  void each(Visit visit) const {
    for (const auto* family : {&ipv4, &ipv6})
      for (const auto range : *family) visit(range);
  }
  AddressRanges sorted() const { return {ipv4.sorted(), ipv6.sorted()}; }
  AddressRanges merged() const { return {ipv4.merged(), ipv6.merged()}; }
  bool operator==(const AddressRanges&) const = default;
};

}  // namespace fwctl
