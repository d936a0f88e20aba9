// What the first bytes of an IP packet say about it. Takes any bytes: what is cut off or makes no
// sense is left out.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "rules/address.h"
#include "rules/port.h"

namespace fwctl {

// Bits of the TCP header.
constexpr std::uint8_t tcp_fin = 0x01;
constexpr std::uint8_t tcp_syn = 0x02;
constexpr std::uint8_t tcp_rst = 0x04;
constexpr std::uint8_t tcp_psh = 0x08;
constexpr std::uint8_t tcp_ack = 0x10;
constexpr std::uint8_t tcp_urg = 0x20;

struct PacketHeaders {
  Address from;
  Address to;
  Protocol protocol;         // behind the extension headers of IPv6
  std::uint32_t length = 0;  // of the packet, as its header says, in bytes
  std::uint8_t ttl = 0;      // the hop limit of IPv6
  // A later fragment: what begins the payload is not here.
  bool fragment = false;
  // Of TCP, UDP, UDP-Lite, SCTP and DCCP.
  std::optional<std::uint16_t> from_port;
  std::optional<std::uint16_t> to_port;
  // Of ICMP and ICMPv6.
  std::optional<std::uint8_t> icmp_type;
  std::optional<std::uint8_t> icmp_code;
  std::optional<std::uint8_t> tcp_flags;

  bool operator==(const PacketHeaders&) const = default;
};

// `bytes` begins with the IP header. Nullopt when the addresses are not there, or it is no IP.
std::optional<PacketHeaders> decode_headers(std::string_view bytes);
// Where what follows the IP header and its extensions comes by itself. If the end of those is cut
// off, it cannot be said what that is.
std::optional<PacketHeaders> decode_headers(std::string_view header, std::string_view transport);

// "SYN", "ACK FIN"; in the order in which the kernel's log has them.
std::string tcp_flag_names(std::uint8_t flags);

}  // namespace fwctl
