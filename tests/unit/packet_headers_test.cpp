#include "rules/packet_headers.h"

#include <gtest/gtest.h>

#include <random>

namespace fwctl {
namespace {

using namespace std::string_literals;

const std::string syn =
    "\x9c\x40\x0b\xb8\x00\x00\x00\x01\x00\x00\x00\x00\xa0\x02\xfa\xf0\x00\x00\x00\x00"s;

std::string ipv4(std::uint8_t protocol, const std::string& payload, const std::string& options = {},
                 std::uint16_t fragment_offset = 0) {
  std::string out(20, '\0');
  out[0] = static_cast<char>(0x45 + options.size() / 4);
  out[3] = static_cast<char>(20 + options.size() + payload.size());
  out[6] = static_cast<char>(fragment_offset >> 8);
  out[7] = static_cast<char>(fragment_offset & 0xff);
  out[8] = 64;
  out[9] = static_cast<char>(protocol);
  out.replace(12, 8, "\xc0\x00\x02\x02\xc0\x00\x02\x01"s);
  return out + options + payload;
}

std::string ipv6(std::uint8_t next, const std::string& payload) {
  std::string out(40, '\0');
  out[0] = 0x60;
  out[5] = static_cast<char>(payload.size());
  out[6] = static_cast<char>(next);
  out[7] = 63;
  out.replace(8, 4, "\x20\x01\x0d\xb8"s);
  out[23] = 2;
  out.replace(24, 4, "\x20\x01\x0d\xb8"s);
  out[39] = 1;
  return out + payload;
}

TEST(PacketHeaders, OfTcpOverIpv4) {
  const auto headers = decode_headers(ipv4(6, syn));
  ASSERT_TRUE(headers);
  EXPECT_EQ(*headers, (PacketHeaders{.from = *Address::parse("192.0.2.2"),
                                     .to = *Address::parse("192.0.2.1"),
                                     .protocol = tcp,
                                     .length = 40,
                                     .ttl = 64,
                                     .from_port = 40000,
                                     .to_port = 3000,
                                     .tcp_flags = tcp_syn}));
}

TEST(PacketHeaders, OptionsAreSkipped) {
  const auto headers = decode_headers(ipv4(6, syn, std::string(8, '\x01')));
  ASSERT_TRUE(headers);
  EXPECT_EQ(headers->to_port, 3000);
}

TEST(PacketHeaders, OfIcmp) {
  const auto headers = decode_headers(ipv4(1, "\x03\x0a\x00\x00"s));
  ASSERT_TRUE(headers);
  EXPECT_EQ(headers->icmp_type, 3);
  EXPECT_EQ(headers->icmp_code, 10);
  EXPECT_FALSE(headers->to_port);
}

TEST(PacketHeaders, OfALaterFragmentHasNoPorts) {
  const auto headers = decode_headers(ipv4(17, syn, {}, 185));
  ASSERT_TRUE(headers);
  EXPECT_TRUE(headers->fragment);
  EXPECT_FALSE(headers->to_port);
  const auto first = decode_headers(ipv4(17, syn, {}, 0x2000));
  EXPECT_FALSE(first->fragment) << "more follow, but this is the first";
  EXPECT_EQ(first->to_port, 3000);
}

TEST(PacketHeaders, OfIpv6BehindExtensionHeaders) {
  const std::string hop_by_hop = "\x3c\x00\x00\x00\x00\x00\x00\x00"s;      // then 60
  const std::string options = "\x33\x01"s + std::string(14, '\0');         // then 51
  const std::string authentication = "\x2c\x04"s + std::string(22, '\0');  // then 44
  const std::string first_fragment = "\x06\x00\x00\x01\x00\x00\x00\x07"s;  // then TCP
  const auto headers =
      decode_headers(ipv6(0, hop_by_hop + options + authentication + first_fragment + syn));
  ASSERT_TRUE(headers);
  EXPECT_EQ(headers->from, Address::parse("2001:db8::2"));
  EXPECT_EQ(headers->to, Address::parse("2001:db8::1"));
  EXPECT_EQ(headers->protocol, tcp);
  EXPECT_EQ(headers->ttl, 63);
  EXPECT_EQ(headers->length, 40U + 8 + 16 + 24 + 8 + 20);
  EXPECT_FALSE(headers->fragment);
  EXPECT_EQ(headers->to_port, 3000);
  EXPECT_EQ(headers->tcp_flags, tcp_syn);
}

TEST(PacketHeaders, OfALaterFragmentOfIpv6) {
  const auto headers = decode_headers(ipv6(44, "\x11\x00\x05\xc8\x00\x00\x00\x07"s + syn));
  ASSERT_TRUE(headers);
  EXPECT_TRUE(headers->fragment);
  EXPECT_EQ(headers->protocol, udp);
  EXPECT_FALSE(headers->from_port);
}

// The same answer with less in it, and never one byte beyond (the sanitizers watch).
TEST(PacketHeaders, WhatIsCutOffIsLeftOut) {
  const std::string routed = ipv6(43, "\x3a\x00\x00\x00\x00\x00\x00\x00\x80\x00"s);
  for (const std::string& whole : {ipv4(6, syn), ipv4(1, "\x08\x00"s), routed, ipv6(6, syn)}) {
    const bool v4 = (whole[0] & 0x70) == 0x40;
    for (std::size_t size = 0; size <= whole.size(); ++size) {
      const std::string cut(whole.data(), size);
      const auto headers = decode_headers(cut);
      ASSERT_EQ(headers.has_value(), size >= (v4 ? 20U : 40U)) << size;
      if (headers) {
        EXPECT_EQ(headers->from, decode_headers(whole)->from);
        if (headers->to_port) {
          EXPECT_EQ(headers->to_port, 3000);
        }
      }
    }
  }
}

TEST(PacketHeaders, NonsenseIsNoPacket) {
  EXPECT_FALSE(decode_headers(""));
  EXPECT_FALSE(decode_headers(std::string(100, '\0')));
  EXPECT_FALSE(decode_headers(std::string(100, '\xff')));
  EXPECT_FALSE(decode_headers("\x44"s + std::string(40, '\0'))) << "a header of 16 bytes";
}

// A chain of extension headers ends with the bytes, whatever they say.
TEST(PacketHeaders, AnyBytesAreTaken) {
  std::mt19937 random(7);  // NOLINT(*-msc51-cpp): the same bytes each time
  for (int count = 0; count < 20'000; ++count) {
    std::string bytes(random() % 120, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random() % 4 == 0 ? random() : 0);
    if (!bytes.empty()) bytes[0] = random() % 2 == 0 ? '\x45' : '\x60';
    const auto headers = decode_headers(bytes);
    if (headers && headers->fragment) {
      EXPECT_FALSE(headers->to_port || headers->icmp_type);
    }
  }
}

TEST(PacketHeaders, FlagsHaveNames) {
  EXPECT_EQ(tcp_flag_names(tcp_syn), "SYN");
  EXPECT_EQ(tcp_flag_names(tcp_fin | tcp_ack), "ACK FIN");
  EXPECT_EQ(tcp_flag_names(0), "");
}

}  // namespace
}  // namespace fwctl
