#include "rules/mac.h"

#include <charconv>

namespace fwctl {

std::optional<MacAddress> MacAddress::parse(std::string_view text) {
  MacAddress out;
  if (text.size() != out.bytes.size() * 3 - 1) return {};
  for (std::size_t index = 0; index < out.bytes.size(); ++index) {
    if (index != 0 && text[index * 3 - 1] != ':') return {};
    const char* digits = text.data() + index * 3;
    const auto [end, error] = std::from_chars(digits, digits + 2, out.bytes.at(index), 16);
    if (error != std::errc() || end != digits + 2) return {};
  }
  return out;
}

std::string MacAddress::text() const {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  for (const auto byte : bytes) {
    if (!out.empty()) out += ':';
    out += digits[byte >> 4];
    out += digits[byte & 0xf];
  }
  return out;
}

}  // namespace fwctl
