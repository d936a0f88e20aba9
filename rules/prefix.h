// All addresses that begin alike, as a value to look things up by.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <tuple>

#include "rules/address.h"
#include "rules/digest.h"

namespace fwctl {

// What prefixes have in common that are looked up alike. Single addresses come first.
struct PrefixKind {
  Family family = Family::ipv4;
  std::uint8_t length = 32;

  bool operator==(const PrefixKind&) const = default;
  auto operator<=>(const PrefixKind& other) const {
    return std::tie(family, other.length) <=> std::tie(other.family, length);
  }
};

// A single address is a prefix of all its bits.
struct Prefix {
  Address address;  // the first of them
  std::uint8_t length = 32;

  Family family() const { return address.family(); }
  PrefixKind kind() const { return {.family = family(), .length = length}; }
  AddressRange range() const { return prefix(address, length); }
  // "192.0.2.0/24", "192.0.2.7".
  std::string text() const { return range().text(); }

  auto operator<=>(const Prefix&) const = default;
};

// nullopt: the range is no prefix.
inline std::optional<Prefix> as_prefix(const AddressRange& range) {
  const auto length = range.prefix_length();
  if (!length) return {};
  return Prefix{.address = range.first, .length = static_cast<std::uint8_t>(*length)};
}

}  // namespace fwctl

template <>
struct std::hash<fwctl::Prefix> {
  std::size_t operator()(const fwctl::Prefix& prefix) const noexcept {
    return fwctl::digest(prefix.address.network_order(), prefix.length);
  }
};
