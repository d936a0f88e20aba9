#include "rules/address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstdio>

namespace fwctl {
namespace {

// As inet_pton() takes it, in a tenth of the time: files have millions.
std::optional<std::array<std::uint8_t, 16>> parse_ipv4(std::string_view text) {
  std::array<std::uint8_t, 16> bytes{};
  std::size_t at = 0;
  for (std::size_t index = 0; index < 4; ++index) {
    if (index != 0) {
      if (at == text.size() || text[at] != '.') return {};
      ++at;
    }
    const std::size_t begin = at;
    unsigned value = 0;
    while (at < text.size() && at - begin < 3 && text[at] >= '0' && text[at] <= '9')
      value = value * 10 + static_cast<unsigned>(text[at++] - '0');
    const bool leading_zero = at - begin > 1 && text[begin] == '0';
    if (at == begin || leading_zero || value > 255) return {};
    bytes[index] = static_cast<std::uint8_t>(value);
  }
  return at == text.size() ? std::optional(bytes) : std::nullopt;
}

// As inet_ntop() has it, which goes through snprintf().
std::string ipv4_text(const std::array<std::uint8_t, 16>& bytes) {
  std::array<char, INET_ADDRSTRLEN> buffer{};
  char* end = buffer.data();
  for (std::size_t index = 0; index < 4; ++index) {
    if (index != 0) *end++ = '.';
    end = std::to_chars(end, buffer.data() + buffer.size(), bytes[index]).ptr;
  }
  return {buffer.data(), end};
}

}  // namespace

Address::Address(Family family, const std::array<std::uint8_t, 16>& bytes)
    : family_(family), bytes_(bytes) {
  if (family == Family::ipv4) std::fill(bytes_.begin() + 4, bytes_.end(), std::uint8_t{0});
}

std::optional<Address> Address::parse(std::string_view text) {
  if (const auto bytes = parse_ipv4(text)) return Address(Family::ipv4, *bytes);
  const std::string terminated(text);
  if (terminated.size() != text.size() || terminated.find('\0') != std::string::npos) return {};
  std::array<std::uint8_t, 16> bytes{};
  if (inet_pton(AF_INET6, terminated.c_str(), bytes.data()) == 1)
    return Address(Family::ipv6, bytes);
  return {};
}

std::string Address::network_order() const {
  return {bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(size())};
}

std::string Address::text() const {
  if (family_ == Family::ipv4) return ipv4_text(bytes_);
  std::array<char, INET6_ADDRSTRLEN> buffer{};
  // inet_ntop() takes the last 32 bits for an IPv4 address where nothing but zeros precedes them.
  const bool only_an_end =
      (bytes_[12] != 0 || bytes_[13] != 0) &&
      std::all_of(bytes_.begin(), bytes_.begin() + 12, [](auto byte) { return byte == 0; });
  if (only_an_end) {
    std::snprintf(buffer.data(), buffer.size(), "::%x:%x", bytes_[12] << 8 | bytes_[13],
                  bytes_[14] << 8 | bytes_[15]);
    return buffer.data();
  }
  inet_ntop(AF_INET6, bytes_.data(), buffer.data(), buffer.size());
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
  if (first == last) return bits;
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

AddressSuffix suffix(const Address& address, int length) {
  const auto before = prefix(address, 128 - length).first.bytes();
  auto bits = address.bytes();
  for (std::size_t index = 0; index < bits.size(); ++index)
    bits[index] = static_cast<std::uint8_t>(bits[index] ^ before[index]);
  return {.bits = Address(Family::ipv6, bits), .length = length};
}

bool AddressSuffix::contains(const Address& address) const {
  return address.family() == Family::ipv6 && suffix(address, length).bits == bits;
}

bool AddressSuffix::contains(const AddressSuffix& other) const {
  return other.length >= length && suffix(other.bits, length).bits == bits;
}

bool AddressSuffix::overlaps(const AddressSuffix& other) const {
  return other.length >= length ? contains(other) : other.contains(*this);
}

// Of the prefix that `first` is in, and of the next one, one address each ends so.
bool AddressSuffix::overlaps(const AddressRange& range) const {
  if (range.family() != Family::ipv6) return false;
  const auto of_block = [&](const Address& address) {
    auto bytes = prefix(address, 128 - length).first.bytes();
    for (std::size_t index = 0; index < bytes.size(); ++index)
      bytes[index] = static_cast<std::uint8_t>(bytes[index] | bits.bytes()[index]);
    return Address(Family::ipv6, bytes);
  };
  if (range.contains(of_block(range.first))) return true;
  const auto next = successor(prefix(range.first, 128 - length).last);
  return next && range.contains(of_block(*next));
}

std::string AddressSuffix::text() const {
  return bits.text() + "/-" + std::to_string(length);
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
