// Numbers as people write them in a policy: decimal digits, nothing else.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace fwctl {

// Refuses an empty text, signs, blanks, leading zeros ("022" is 18 to some and 22 to others) and
// anything above `limit`.
constexpr std::optional<std::uint64_t> parse_number(std::string_view text, std::uint64_t limit) {
  if (text.empty() || text.size() > 19 || (text.size() > 1 && text[0] == '0')) return {};
  std::uint64_t value = 0;
  for (const char digit : text) {
    if (digit < '0' || digit > '9') return {};
    value = value * 10 + static_cast<std::uint64_t>(digit - '0');
  }
  if (value > limit) return {};
  return value;
}

}  // namespace fwctl
