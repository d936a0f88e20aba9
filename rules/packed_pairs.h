// Many addresses with a port behind each in little memory.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "rules/address.h"
#include "rules/intervals.h"
#include "rules/port.h"

namespace fwctl {

// An address and a port: a pair.
struct AddressPort {
  Address address;
  Protocol protocol;  // that has ports
  std::uint16_t port = 0;

  // "203.0.113.5 5432/tcp", "2001:db8::5 5432/tcp".
  std::string text() const;
  auto operator<=>(const AddressPort&) const = default;
};

// Pairs of one family, in any order: address, protocol and port in network order, 7 bytes each of
// IPv4, 19 of IPv6. Copies share them.
class PackedPairs {
 public:
  explicit PackedPairs(Family family)
      : family_(family), values_(Intervals::of_values(width(family), {})) {}

  Family family() const { return family_; }
  std::size_t size() const { return values_.size(); }
  bool empty() const { return values_.empty(); }
  AddressPort operator[](std::size_t index) const;

  // Of this family.
  void push_back(const AddressPort& pair);
  // The same of IPv4, the address as a number.
  void push_back(std::uint32_t address, Protocol protocol, std::uint16_t port);

  // Sorted, each once. Shares what is here where it is so already.
  PackedPairs sorted() const { return {family_, values_.distinct()}; }
  // Index of the first that is not of an address before `address`; of sorted pairs.
  std::size_t first_from(const Address& address) const;

  const Intervals& values() const { return values_; }

  bool operator==(const PackedPairs&) const = default;

 private:
  PackedPairs(Family family, Intervals values) : family_(family), values_(std::move(values)) {}
  static std::size_t width(Family family) { return family == Family::ipv4 ? 7 : 19; }

  Family family_;
  Intervals values_;
};

// Of both families.
struct AddressPorts {
  PackedPairs ipv4{Family::ipv4};
  PackedPairs ipv6{Family::ipv6};

  PackedPairs& of(Family family) { return family == Family::ipv4 ? ipv4 : ipv6; }
  const PackedPairs& of(Family family) const { return family == Family::ipv4 ? ipv4 : ipv6; }
  std::size_t size() const { return ipv4.size() + ipv6.size(); }
  bool empty() const { return ipv4.empty() && ipv6.empty(); }
  void push_back(const AddressPort& pair) { of(pair.address.family()).push_back(pair); }
  // Calls `visit` for each pair, those of IPv4 first.
  template <typename Visit>
  void each(Visit visit) const {
    for (const auto* family : {&ipv4, &ipv6})
      for (std::size_t index = 0; index < family->size(); ++index) visit((*family)[index]);
  }
  AddressPorts sorted() const { return {ipv4.sorted(), ipv6.sorted()}; }
  bool operator==(const AddressPorts&) const = default;
};

}  // namespace fwctl
