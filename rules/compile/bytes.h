// Values as the kernel compares them, and matches that several files build.
#pragma once

#include <cstdint>
#include <cstring>

#include "rules/nft/ruleset.h"

namespace fwctl::compile {

// Of fields that the kernel keeps as numbers of its own.
template <typename Integer>
nft::Bytes host_order(Integer value) {
  nft::Bytes bytes(sizeof value, '\0');
  std::memcpy(bytes.data(), &value, sizeof value);
  return bytes;
}

inline nft::Bytes one_byte(std::uint8_t value) {
  return {static_cast<char>(value)};
}

// In network order.
inline nft::Bytes port_bytes(std::uint16_t port) {
  return {static_cast<char>(port >> 8), static_cast<char>(port & 0xff)};
}

// A field of 32 bits of which at least one of `bits` is set.
inline nft::Match any_bit(nft::Field field, std::uint32_t bits) {
  return {.field = field,
          .negated = true,
          .value = host_order(std::uint32_t{0}),
          .mask = host_order(bits)};
}

}  // namespace fwctl::compile
