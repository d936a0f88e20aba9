#include "rules/packed_ranges.h"

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

void PackedRanges::insert(std::size_t index, const AddressRange& range) {
  intervals_.insert(index, packed(range.first), packed(range.last));
}

}  // namespace fwctl
