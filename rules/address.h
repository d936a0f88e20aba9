// Addresses, prefixes and ranges of both families as values.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace fwctl {

enum class Family : std::uint8_t { ipv4, ipv6 };

// Ordered by family, then numerically.
class Address {
 public:
  Address() = default;
  // Network order; IPv4 takes the first 4 bytes.
  Address(Family family, const std::array<std::uint8_t, 16>& bytes);

  // "192.0.2.1" or "2001:db8::1"; no zone, no port, no leading zeros in IPv4.
  static std::optional<Address> parse(std::string_view text);

  Family family() const { return family_; }
  std::size_t size() const { return family_ == Family::ipv4 ? 4 : 16; }
  const std::array<std::uint8_t, 16>& bytes() const { return bytes_; }
  // The `size()` bytes in network order.
  std::string network_order() const;
  std::string text() const;

  bool is_loopback() const;  // 127.0.0.0/8, ::1
  bool is_any() const;       // 0.0.0.0, ::

  auto operator<=>(const Address&) const = default;

 private:
  Family family_ = Family::ipv4;
  std::array<std::uint8_t, 16> bytes_{};
};

// first <= last, one family.
struct AddressRange {
  Address first;
  Address last;

  Family family() const { return first.family(); }
  bool contains(const Address& address) const { return first <= address && address <= last; }
  bool contains(const AddressRange& other) const {
    return family() == other.family() && first <= other.first && other.last <= last;
  }
  bool overlaps(const AddressRange& other) const {
    return family() == other.family() && first <= other.last && other.first <= last;
  }
  // The prefix length when the range is exactly one prefix.
  std::optional<int> prefix_length() const;
  // "192.0.2.1", "10.0.0.0/8", or "10.0.0.1-10.0.0.9".
  std::string text() const;

  auto operator<=>(const AddressRange&) const = default;
};

// The prefix of that length around `address`; host bits are cleared.
AddressRange prefix(const Address& address, int length);

// IPv6 addresses that end alike, whatever the provider's prefix is today: the last `length` bits
// are those of `bits`. Made by suffix().
struct AddressSuffix {
  Address bits;     // zero before the last `length` bits
  int length = 64;  // 1 to 127

  bool contains(const Address& address) const;
  // Every address that ends as `other` says is also one of these.
  bool contains(const AddressSuffix& other) const;
  // Some address is one of both.
  bool overlaps(const AddressRange& range) const;
  bool overlaps(const AddressSuffix& other) const;
  // "::1:2/-64".
  std::string text() const;

  auto operator<=>(const AddressSuffix&) const = default;
};

// The last `length` bits of an IPv6 address, 1 to 127; those before are cleared.
AddressSuffix suffix(const Address& address, int length);

// All addresses of the family.
AddressRange everything(Family family);

// The next address; nullopt after the last.
std::optional<Address> successor(const Address& address);
// The one before; nullopt before the first.
std::optional<Address> predecessor(const Address& address);

}  // namespace fwctl
