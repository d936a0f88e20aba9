// Addresses of Ethernet.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace fwctl {

struct MacAddress {
  std::array<std::uint8_t, 6> bytes{};

  // "00:16:3e:aa:bb:cc", in small letters or capitals.
  static std::optional<MacAddress> parse(std::string_view text);
  // In small letters.
  std::string text() const;
  auto operator<=>(const MacAddress&) const = default;
};

}  // namespace fwctl
