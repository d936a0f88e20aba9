#include "rules/packed_ranges.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>
#include <vector>

namespace fwctl {
namespace {

Address unpacked(Family family, std::string_view bytes) {
  std::array<std::uint8_t, 16> out{};
  std::memcpy(out.data(), bytes.data(), bytes.size());
  return {family, out};
}

// Whether there is an address between the two.
bool leaves_a_gap(std::string_view last, std::string_view first) {
  std::array<char, 16> next{};
  std::memcpy(next.data(), last.data(), last.size());
  for (std::size_t at = last.size(); at-- != 0;) {
    next[at] = static_cast<char>(static_cast<unsigned char>(next[at]) + 1);
    if (next[at] != 0) return std::string_view(next.data(), last.size()) < first;
  }
  return false;  // nothing comes after the last
}

}  // namespace

PackedRanges::PackedRanges(Family family, std::string bytes)
    : family_(family), bytes_(std::make_shared<std::string>(std::move(bytes))) {}

AddressRange PackedRanges::operator[](std::size_t index) const {
  return {unpacked(family_, first(index)), unpacked(family_, last(index))};
}

std::string& PackedRanges::writable() {
  if (bytes_ == nullptr)
    bytes_ = std::make_shared<std::string>();
  else if (bytes_.use_count() > 1)
    bytes_ = std::make_shared<std::string>(*bytes_);
  return *bytes_;
}

void PackedRanges::push_back(const AddressRange& range) {
  insert(size(), range);
}

void PackedRanges::insert(std::size_t index, const AddressRange& range) {
  auto& bytes = writable();
  std::size_t at = index * 2 * width();
  for (const auto& address : {range.first, range.last}) {
    bytes.insert(at, reinterpret_cast<const char*>(address.bytes().data()), address.size());
    at += width();
  }
}

bool PackedRanges::apart(std::size_t index) const {
  return leaves_a_gap(last(index), first(index + 1));
}

PackedRanges PackedRanges::sorted() const {
  const std::size_t count = size();
  std::size_t sound = 0;
  while (sound + 1 < count && at(sound) <= at(sound + 1)) ++sound;
  if (sound + 1 >= count) return *this;
  std::vector<std::string_view> in_order(count);
  for (std::size_t index = 0; index < count; ++index) in_order[index] = at(index);
  std::ranges::sort(in_order);
  std::string out;
  out.reserve(bytes().size());
  for (const auto& one : in_order) out.append(one);
  return {family_, std::move(out)};
}

PackedRanges PackedRanges::merged() const {
  const std::size_t count = size();
  std::size_t sound = 0;
  while (sound + 1 < count && apart(sound)) ++sound;
  if (sound + 1 >= count) return *this;
  const PackedRanges all = sorted();
  std::string out;
  for (std::size_t index = 0; index < count; ++index) {
    const std::size_t end = out.size() - std::min(out.size(), width());
    if (out.empty() || leaves_a_gap(std::string_view(out).substr(end), all.first(index)))
      out.append(all.at(index));
    else if (std::string_view(out).substr(end) < all.last(index))
      out.replace(end, width(), all.last(index));
  }
  return {family_, std::move(out)};
}

}  // namespace fwctl
