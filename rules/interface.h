// Names of network interfaces, and patterns of them: "wg*" is every name that begins so, and
// "br-????????????" every name of 15 characters that does. There each ? is a digit, a small letter
// or one of . + , = % -, but neither a capital letter nor _ or @: what the kernel can tell by one
// bit.
#pragma once

#include <algorithm>
#include <string_view>

namespace fwctl {

// As the kernel has them: IFNAMSIZ of linux/if.h, without the NUL.
constexpr std::size_t longest_interface = 15;

// What the characters that ? stands for have in common, and NUL has not.
constexpr char any_character_bit = 0x20;

constexpr bool is_pattern(std::string_view interface) {
  return interface.ends_with('*') || interface.ends_with('?');
}

// The characters before the * or ? at the end of a pattern.
constexpr std::string_view stem(std::string_view pattern) {
  return pattern.substr(0, pattern.find_last_not_of("*?") + 1);
}

inline bool matches_interface(std::string_view pattern, std::string_view name) {
  if (!is_pattern(pattern)) return pattern == name;
  if (pattern.ends_with('*')) return name.starts_with(stem(pattern));
  const auto known = stem(pattern);
  return name.size() == pattern.size() && name.starts_with(known) &&
         std::all_of(name.begin() + static_cast<std::ptrdiff_t>(known.size()), name.end(),
                     [](char c) { return (c & any_character_bit) != 0; });
}

}  // namespace fwctl
