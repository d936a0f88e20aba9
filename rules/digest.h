// Digests of 64 bits. Not against an adversary.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace fwctl {

// FNV-1a: ids, and what is written to disk.
constexpr std::uint64_t digest(std::string_view text, std::uint64_t state = 0xcbf29ce484222325ULL) {
  for (const char c : text) {
    state ^= static_cast<std::uint8_t>(c);
    state *= 0x100000001b3ULL;
  }
  return state;
}

// Of long texts, in a tenth of the time; another one on machines of another byte order.
inline std::uint64_t fingerprint(std::string_view text, std::uint64_t seed) {
  __extension__ using Product = unsigned __int128;
  constexpr std::uint64_t one = 0xa0761d6478bd642fULL;  // any odd numbers of many ones and zeros
  constexpr std::uint64_t other = 0xe7037ed1a0b428dbULL;
  const auto mix = [](std::uint64_t a, std::uint64_t b) {
    const Product product = Product{a} * b;
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
  };
  std::array<std::uint64_t, 2> words{};
  std::uint64_t state = mix(seed ^ one, text.size() ^ other);
  for (; text.size() > sizeof(words); text.remove_prefix(sizeof(words))) {
    std::memcpy(words.data(), text.data(), sizeof(words));
    state = mix(words[0] ^ one, words[1] ^ state);
  }
  words = {};
  if (!text.empty()) std::memcpy(words.data(), text.data(), text.size());
  return mix(mix(words[0] ^ one, words[1] ^ state) ^ other, one);
}

// The leading `digits` hexadecimal digits, at most 16.
inline std::string hex(std::uint64_t value, int digits = 16) {
  constexpr std::string_view alphabet = "0123456789abcdef";
  std::string out;
  for (int index = 0; index < digits; ++index) out += alphabet[(value >> (60 - index * 4)) & 15];
  return out;
}

}  // namespace fwctl
