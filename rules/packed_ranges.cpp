#include "rules/packed_ranges.h"

#include <endian.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace fwctl {
namespace {

Address unpacked(Family family, std::string_view bytes) {
  std::array<std::uint8_t, 16> out{};
  std::memcpy(out.data(), bytes.data(), bytes.size());
  return {family, out};
}

std::string_view packed(const Address& address) {
  return {reinterpret_cast<const char*>(address.bytes().data()), address.size()};
}

}  // namespace

AddressRange PackedRanges::operator[](std::size_t index) const {
  return {unpacked(family_, intervals_.first(index)), unpacked(family_, intervals_.last(index))};
}

void PackedRanges::push_back(std::uint32_t first, std::uint32_t last) {
  const std::array<std::uint32_t, 2> ordered{htobe32(first), htobe32(last)};
  std::array<char, sizeof ordered> bytes{};
  std::memcpy(bytes.data(), ordered.data(), sizeof ordered);
  intervals_.push_back({bytes.data(), bytes.size()});
}

void PackedRanges::insert(std::size_t index, const AddressRange& range) {
  intervals_.insert(index, packed(range.first), packed(range.last));
}

}  // namespace fwctl
