#include "rules/address.h"

#include <arpa/inet.h>

#include <algorithm>

namespace fwctl {

Address::Address(Family family, const std::array<std::uint8_t, 16>& bytes)
    : family_(family), bytes_(bytes) {
  if (family == Family::ipv4) std::fill(bytes_.begin() + 4, bytes_.end(), std::uint8_t{0});
}

std::optional<Address> Address::parse(std::string_view text) {
  const std::string terminated(text);
  if (terminated.size() != text.size() || terminated.find('\0') != std::string::npos) return {};
  std::array<std::uint8_t, 16> bytes{};
  if (inet_pton(AF_INET, terminated.c_str(), bytes.data()) == 1)
    return Address(Family::ipv4, bytes);
  if (inet_pton(AF_INET6, terminated.c_str(), bytes.data()) == 1)
    return Address(Family::ipv6, bytes);
  return {};
}

std::string Address::network_order() const {
  return {bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(size())};
}

std::string Address::text() const {
  std::array<char, INET6_ADDRSTRLEN> buffer{};
  inet_ntop(family_ == Family::ipv4 ? AF_INET : AF_INET6, bytes_.data(), buffer.data(),
            buffer.size());
  return buffer.data();
}

bool Address::is_loopback() const {
  if (family_ == Family::ipv4) return bytes_[0] == 127;
  return std::all_of(bytes_.begin(), bytes_.end() - 1, [](auto byte) { return byte == 0; }) &&
         bytes_[15] == 1;
}

bool Address::is_any() const {
  return std::all_of(bytes_.begin(), bytes_.end(), [](auto byte) { return byte == 0; });
}

std::optional<int> AddressRange::prefix_length() const {
  const int bits = static_cast<int>(first.size()) * 8;
  // The longest common prefix; it is the answer when `first` ends in zeros there, `last` in ones.
  int common = 0;
  const auto bit = [](const Address& address, int index) {
    const auto at = static_cast<std::size_t>(index);
    return (address.bytes()[at / 8] >> (7 - at % 8)) & 1;
  };
  while (common < bits && bit(first, common) == bit(last, common)) ++common;
  for (int index = common; index < bits; ++index)
    if (bit(first, index) != 0 || bit(last, index) != 1) return {};
  return common;
}

std::string AddressRange::text() const {
  if (first == last) return first.text();
  if (const auto length = prefix_length()) return first.text() + "/" + std::to_string(*length);
  return first.text() + "-" + last.text();
}

AddressRange prefix(const Address& address, int length) {
  auto low = address.bytes();
  auto high = address.bytes();
  for (std::size_t index = 0; index < address.size(); ++index) {
    const int kept = std::clamp(length - static_cast<int>(index) * 8, 0, 8);
    const auto mask = static_cast<std::uint8_t>(0xff00U >> kept);
    low[index] = static_cast<std::uint8_t>(low[index] & mask);
    high[index] = static_cast<std::uint8_t>(high[index] | static_cast<std::uint8_t>(~mask));
  }
  return {.first = Address(address.family(), low), .last = Address(address.family(), high)};
}

AddressRange everything(Family family) {
  return prefix(Address(family, {}), 0);
}

std::optional<Address> successor(const Address& address) {
  auto bytes = address.bytes();
  for (std::size_t index = address.size(); index-- > 0;)
    if (++bytes[index] != 0) return Address(address.family(), bytes);
  return {};
}

std::optional<Address> predecessor(const Address& address) {
  auto bytes = address.bytes();
  for (std::size_t index = address.size(); index-- > 0;)
    if (bytes[index]-- != 0) return Address(address.family(), bytes);
  return {};
}

}  // namespace fwctl
