#include "rules/packed_pairs.h"

#include <endian.h>

#include <array>
#include <cstring>
#include <string_view>

namespace fwctl {
namespace {

constexpr std::size_t port_length = 3;  // and protocol

}  // namespace

std::string AddressPort::text() const {
  return address.text() + ' ' + std::to_string(port) + '/' + protocol.text();
}

AddressPort PackedPairs::operator[](std::size_t index) const {
  const std::string_view bytes = values_.first(index);
  const std::size_t length = bytes.size() - port_length;
  std::array<std::uint8_t, 16> address{};
  std::memcpy(address.data(), bytes.data(), length);
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(bytes[length + at]); };
  return {.address = Address(family_, address),
          .protocol = Protocol{byte(0)},
          .port = static_cast<std::uint16_t>(byte(1) << 8 | byte(2))};
}

void PackedPairs::push_back(const AddressPort& pair) {
  std::array<char, 16 + port_length> bytes{};
  const std::size_t length = pair.address.size();
  std::memcpy(bytes.data(), pair.address.bytes().data(), length);
  bytes[length] = static_cast<char>(pair.protocol.number);
  bytes[length + 1] = static_cast<char>(pair.port >> 8);
  bytes[length + 2] = static_cast<char>(pair.port & 0xff);
  const std::string_view value(bytes.data(), length + port_length);
  values_.push_back(value);
}

void PackedPairs::push_back(std::uint32_t address, Protocol protocol, std::uint16_t port) {
  const std::uint64_t number =
      std::uint64_t{address} << 24 | std::uint64_t{protocol.number} << 16 | port;
  std::array<char, 8> bytes{};  // one more than it takes, in front
  const std::uint64_t ordered = htobe64(number);
  std::memcpy(bytes.data(), &ordered, sizeof ordered);
  values_.push_back({bytes.data() + 1, bytes.size() - 1});
}

std::size_t PackedPairs::first_from(const Address& address) const {
  const std::string wanted = address.network_order();
  std::size_t at = 0;
  for (std::size_t left = size(); left != 0;) {
    const std::size_t half = left / 2;
    const bool before = values_.first(at + half).substr(0, wanted.size()) < wanted;
    at += before ? half + 1 : 0;
    left = before ? left - half - 1 : half;
  }
  return at;
}

}  // namespace fwctl
