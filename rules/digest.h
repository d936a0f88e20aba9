// FNV-1a, 64 bits: ids and torn-write checks. Not against an adversary.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace fwctl {

constexpr std::uint64_t digest(std::string_view text, std::uint64_t state = 0xcbf29ce484222325ULL) {
  for (const char c : text) {
    state ^= static_cast<std::uint8_t>(c);
    state *= 0x100000001b3ULL;
  }
  return state;
}

// The leading `digits` hexadecimal digits, at most 16.
inline std::string hex(std::uint64_t value, int digits = 16) {
  constexpr std::string_view alphabet = "0123456789abcdef";
  std::string out;
  for (int index = 0; index < digits; ++index) out += alphabet[(value >> (60 - index * 4)) & 15];
  return out;
}

}  // namespace fwctl
