#include "rules/packet_headers.h"

#include <algorithm>
#include <array>
#include <utility>

namespace fwctl {
namespace {

constexpr std::size_t ipv4_header = 20;
constexpr std::size_t ipv6_header = 40;

// IPv6 extension headers, numbered as protocols are.
constexpr std::uint8_t hop_by_hop = 0;
constexpr std::uint8_t routing = 43;
constexpr std::uint8_t fragment = 44;
constexpr std::uint8_t authentication = 51;
constexpr std::uint8_t destination_options = 60;
constexpr std::uint8_t mobility = 135;

// Big-endian numbers at their places; nullopt where the bytes end before.
class Bytes {
 public:
  explicit Bytes(std::string_view bytes) : bytes_(bytes) {}

  std::optional<std::uint8_t> u8(std::size_t at) const {
    if (at >= bytes_.size()) return std::nullopt;
    return static_cast<std::uint8_t>(bytes_[at]);
  }
  std::optional<std::uint16_t> u16(std::size_t at) const {
    const auto low = u8(at + 1);
    if (!low) return std::nullopt;
    return static_cast<std::uint16_t>(*u8(at) << 8 | *low);
  }
  // Only of bytes that are there.
  Address address(Family family, std::size_t at) const {
    std::array<std::uint8_t, 16> value{};
    const auto part = bytes_.substr(at, family == Family::ipv4 ? 4 : 16);
    std::transform(part.begin(), part.end(), value.begin(),
                   [](char byte) { return static_cast<std::uint8_t>(byte); });
    return {family, value};
  }
  std::size_t size() const { return bytes_.size(); }

 private:
  std::string_view bytes_;
};

void read_transport(const Bytes& bytes, std::size_t at, PacketHeaders& headers) {
  if (headers.fragment) return;
  if (headers.protocol.has_ports()) {
    headers.from_port = bytes.u16(at);
    headers.to_port = bytes.u16(at + 2);
  }
  constexpr std::size_t tcp_flags_at = 13;
  if (headers.protocol == tcp) headers.tcp_flags = bytes.u8(at + tcp_flags_at);
  if (headers.protocol == icmp || headers.protocol == icmpv6) {
    headers.icmp_type = bytes.u8(at);
    headers.icmp_code = bytes.u8(at + 1);
  }
}

std::optional<PacketHeaders> decode_ipv4(const Bytes& bytes) {
  if (bytes.size() < ipv4_header) return std::nullopt;
  const std::size_t header = std::size_t{*bytes.u8(0)} % 16 * 4;
  if (header < ipv4_header) return std::nullopt;
  PacketHeaders headers;
  headers.length = *bytes.u16(2);
  headers.fragment = (*bytes.u16(6) & 0x1fffU) != 0;
  headers.ttl = *bytes.u8(8);
  headers.protocol = {*bytes.u8(9)};
  headers.from = bytes.address(Family::ipv4, 12);
  headers.to = bytes.address(Family::ipv4, 16);
  read_transport(bytes, header, headers);
  return headers;
}

bool is_extension(std::uint8_t next) {
  return next == hop_by_hop || next == routing || next == fragment || next == authentication ||
         next == destination_options || next == mobility;
}

// Bytes of the extension header `kind` at `at`; nullopt when its length is cut off.
std::optional<std::size_t> extension_length(const Bytes& bytes, std::uint8_t kind, std::size_t at) {
  if (kind == fragment) return 8;
  const auto length = bytes.u8(at + 1);
  if (!length) return std::nullopt;
  return kind == authentication ? (std::size_t{*length} + 2) * 4 : (std::size_t{*length} + 1) * 8;
}

std::optional<PacketHeaders> decode_ipv6(const Bytes& bytes) {
  if (bytes.size() < ipv6_header) return std::nullopt;
  PacketHeaders headers;
  headers.length = std::uint32_t{*bytes.u16(4)} + ipv6_header;
  headers.ttl = *bytes.u8(7);
  headers.from = bytes.address(Family::ipv6, 8);
  headers.to = bytes.address(Family::ipv6, 24);
  std::uint8_t next = *bytes.u8(6);
  std::size_t at = ipv6_header;
  // Each has 8 bytes at least, so this ends where the bytes do.
  while (is_extension(next) && !headers.fragment) {
    const auto length = extension_length(bytes, next, at);
    const auto after = bytes.u8(at);
    if (!length || !after) break;
    if (next == fragment) headers.fragment = (bytes.u16(at + 2).value_or(0) & 0xfff8U) != 0;
    next = *after;
    at += *length;
  }
  headers.protocol = {next};
  read_transport(bytes, at, headers);
  return headers;
}

}  // namespace

std::optional<PacketHeaders> decode_headers(std::string_view bytes) {
  if (bytes.empty()) return std::nullopt;
  switch (static_cast<std::uint8_t>(bytes.front()) >> 4) {
    case 4:
      return decode_ipv4(Bytes(bytes));
    case 6:
      return decode_ipv6(Bytes(bytes));
    default:
      return std::nullopt;
  }
}

std::optional<PacketHeaders> decode_headers(std::string_view header, std::string_view transport) {
  auto alone = decode_headers(header);
  if (!alone) return alone;
  const bool v4 = alone->from.family() == Family::ipv4;
  const std::size_t whole = v4 ? std::size_t{*Bytes(header).u8(0)} % 16 * 4 : ipv6_header;
  if (header.size() != whole || (!v4 && is_extension(alone->protocol.number))) return alone;
  return decode_headers(std::string(header) += transport);
}

std::string tcp_flag_names(std::uint8_t flags) {
  constexpr std::array<std::pair<std::uint8_t, std::string_view>, 6> names{{{tcp_urg, "URG"},
                                                                            {tcp_ack, "ACK"},
                                                                            {tcp_psh, "PSH"},
                                                                            {tcp_rst, "RST"},
                                                                            {tcp_syn, "SYN"},
                                                                            {tcp_fin, "FIN"}}};
  std::string out;
  for (const auto& [bit, name] : names)
    if ((flags & bit) != 0) out += (out.empty() ? "" : " ") + std::string(name);
  return out;
}

}  // namespace fwctl
