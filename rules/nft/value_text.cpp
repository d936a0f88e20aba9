#include "rules/nft/value_text.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <ctime>
#include <optional>
#include <span>
#include <utility>

namespace fwctl::nft {
namespace {

struct Name {
  std::uint8_t number;
  std::string_view name;
};

constexpr std::array protocols{Name{1, "icmp"},       Name{6, "tcp"},    Name{17, "udp"},
                               Name{33, "dccp"},      Name{50, "esp"},   Name{51, "ah"},
                               Name{58, "ipv6-icmp"}, Name{132, "sctp"}, Name{136, "udplite"}};
constexpr std::array families{Name{2, "ipv4"}, Name{10, "ipv6"}};
constexpr std::array pkttypes{Name{0, "host"}, Name{1, "broadcast"}, Name{2, "multicast"},
                              Name{3, "other"}};
constexpr std::array icmp_types{Name{0, "echo-reply"},           Name{3, "destination-unreachable"},
                                Name{4, "source-quench"},        Name{5, "redirect"},
                                Name{8, "echo-request"},         Name{9, "router-advertisement"},
                                Name{10, "router-solicitation"}, Name{11, "time-exceeded"},
                                Name{12, "parameter-problem"}};
constexpr std::array icmpv6_types{
    Name{1, "destination-unreachable"}, Name{2, "packet-too-big"},
    Name{3, "time-exceeded"},           Name{4, "parameter-problem"},
    Name{128, "echo-request"},          Name{129, "echo-reply"},
    Name{130, "mld-listener-query"},    Name{131, "mld-listener-report"},
    Name{132, "mld-listener-done"},     Name{133, "nd-router-solicit"},
    Name{134, "nd-router-advert"},      Name{135, "nd-neighbor-solicit"},
    Name{136, "nd-neighbor-advert"},    Name{137, "nd-redirect"},
    Name{143, "mld2-listener-report"}};

std::string named(std::span<const Name> names, std::string_view value) {
  const auto number = static_cast<std::uint8_t>(value.front());
  const auto found = std::ranges::find(names, number, &Name::number);
  return found != names.end() ? std::string(found->name) : std::to_string(number);
}

std::uint32_t host_number(std::string_view value) {
  std::uint32_t number = 0;
  std::memcpy(&number, value.data(), std::min(value.size(), sizeof(number)));
  return number;
}

std::uint16_t host_half(std::string_view value) {
  std::uint16_t number = 0;
  std::memcpy(&number, value.data(), std::min(value.size(), sizeof(number)));
  return number;
}

std::uint64_t host_double(std::string_view value) {
  std::uint64_t number = 0;
  std::memcpy(&number, value.data(), std::min(value.size(), sizeof(number)));
  return number;
}

std::string hexadecimal(std::uint32_t number) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text = "0x";
  for (int shift = 28; shift >= 0; shift -= 4)
    if (number >> shift != 0 || shift == 0) text += digits[number >> shift & 0xf];
  return text;
}

// As nft has it where the time zone is UTC.
std::string utc(std::string_view value) {
  std::int64_t nanoseconds = 0;
  std::memcpy(&nanoseconds, value.data(), std::min(value.size(), sizeof(nanoseconds)));
  const std::time_t seconds = nanoseconds / 1'000'000'000;
  std::tm fields{};
  ::gmtime_r(&seconds, &fields);
  std::array<char, 32> text{};
  const std::size_t length =
      std::strftime(text.data(), text.size(), "\"%Y-%m-%d %H:%M:%S\"", &fields);
  return {text.data(), length};
}

std::string interface_index(std::string_view value) {
  const std::uint32_t index = host_number(value);
  return index == 1 ? "\"lo\"" : std::to_string(index);
}

// What is not padded is a pattern.
std::string interface_name(std::string_view value) {
  const std::size_t end = value.find('\0');
  if (end == std::string_view::npos) return '"' + std::string(value) + "*\"";
  return '"' + std::string(value.substr(0, end)) + '"';
}

using BitName = std::pair<std::uint32_t, std::string_view>;

constexpr std::array<BitName, 5> state_names{{{ct_invalid, "invalid"},
                                              {ct_established, "established"},
                                              {ct_related, "related"},
                                              {ct_new, "new"},
                                              {64, "untracked"}}};
constexpr std::array<BitName, 7> status_names{{{1, "expected"},
                                               {2, "seen-reply"},
                                               {4, "assured"},
                                               {8, "confirmed"},
                                               {ct_status_snat, "snat"},
                                               {ct_status_dnat, "dnat"},
                                               {0x200, "dying"}}};

bool is_bits(Field field) {
  return field == Field::ct_state || field == Field::ct_status;
}

std::string bits(Field field, std::uint32_t mask) {
  const std::span<const BitName> names =
      field == Field::ct_state ? std::span<const BitName>(state_names) : status_names;
  std::string text;
  std::uint32_t left = mask;
  for (const auto& [bit, name] : names) {
    if ((left & bit) == 0) continue;
    if (!text.empty()) text += ',';
    text += name;
    left &= ~bit;
  }
  return left == 0 && !text.empty() ? text : hexadecimal(mask);
}

bool is_address(Field field) {
  return type_name(field) == "ipv4_addr" || type_name(field) == "ipv6_addr";
}

bool is_interface_name(Field field) {
  return field == Field::iifname || field == Field::oifname;
}

std::string address(Field field, std::string_view value) {
  std::array<char, 16> bytes{};
  std::ranges::copy(value, bytes.begin());
  std::array<char, INET6_ADDRSTRLEN> text{};
  inet_ntop(width(field) == 4 ? AF_INET : AF_INET6, bytes.data(), text.data(), text.size());
  std::string result = text.data();
  if (value.size() < width(field)) result += '/' + std::to_string(value.size() * 8);
  return result;
}

std::string ethernet_address(std::string_view value) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (const char byte : value) {
    if (!text.empty()) text += ':';
    text += digits[static_cast<std::uint8_t>(byte) >> 4];
    text += digits[static_cast<std::uint8_t>(byte) & 0xf];
  }
  return text;
}

bool bit_at(std::string_view bytes, std::size_t bit) {
  return (static_cast<unsigned char>(bytes[bit / 8]) >> (7 - bit % 8) & 1) != 0;
}

// Of a mask: leading ones, then only zeros.
std::optional<std::size_t> prefix_length(std::string_view mask) {
  const std::size_t bits = mask.size() * 8;
  std::size_t length = 0;
  while (length < bits && bit_at(mask, length)) ++length;
  for (std::size_t bit = length; bit < bits; ++bit)
    if (bit_at(mask, bit)) return std::nullopt;
  return length;
}

// Of an interval: the ends are equal up to there, then all zeros and all ones.
std::optional<std::size_t> prefix_length(std::string_view low, std::string_view high) {
  const std::size_t bits = low.size() * 8;
  std::size_t length = 0;
  while (length < bits && bit_at(low, length) == bit_at(high, length)) ++length;
  for (std::size_t bit = length; bit < bits; ++bit)
    if (bit_at(low, bit) || !bit_at(high, bit)) return std::nullopt;
  return length;
}

}  // namespace

std::string value_text(Field field, std::string_view value) {
  switch (kind(field)) {
    case Field::iif:
    case Field::oif:
      return interface_index(value);
    case Field::iifname:
    case Field::oifname:
      return interface_name(value);
    case Field::nfproto:
      return named(families, value);
    case Field::l4proto:
      return named(protocols, value);
    case Field::mark:
      return hexadecimal(host_number(value));
    case Field::ct_state:
    case Field::ct_status:
      return bits(field, host_number(value));
    case Field::iiftype:
      return std::to_string(host_half(value));
    case Field::skuid:
    case Field::skgid:
      return std::to_string(host_number(value));
    case Field::ether_saddr:
      return ethernet_address(value);
    case Field::ip_saddr:
    case Field::ip_daddr:
    case Field::ip6_saddr:
    case Field::ip6_daddr:
    case Field::ct_original_daddr4:
    case Field::ct_original_daddr6:
      return address(field, value);
    case Field::ip6_hoplimit:
      return std::to_string(static_cast<std::uint8_t>(value.front()));
    case Field::th_sport:
    case Field::th_dport:
    case Field::ct_original_dport:
      return std::to_string(static_cast<std::uint8_t>(value[0]) << 8 |
                            static_cast<std::uint8_t>(value[1]));
    case Field::icmp_type:
      return named(icmp_types, value);
    case Field::icmpv6_type:
      return named(icmpv6_types, value);
    case Field::daddr_type:
      return host_number(value) == daddr_local ? "local" : std::to_string(host_number(value));
    case Field::pkttype:
      return named(pkttypes, value);
    case Field::time:
      return utc(value);
    case Field::tcp_flags:
      return hexadecimal(static_cast<std::uint8_t>(value.front()));
    case Field::cgroup:
      return std::to_string(host_double(value));
  }
  return {};
}

namespace {

std::string end_text(Field field, std::string_view value) {
  return value.size() == 1 ? std::to_string(static_cast<std::uint8_t>(value.front()))
                           : value_text(field, value);
}

}  // namespace

std::string range_text(Field field, std::string_view low, std::string_view high) {
  if (low == high) return is_bits(field) ? hexadecimal(host_number(low)) : value_text(field, low);
  if (is_address(field))
    if (const auto length = prefix_length(low, high))
      return address(field, low) + '/' + std::to_string(*length);
  if (is_interface_name(field)) {
    const auto length = prefix_length(low, high);
    if (length && *length % 8 == 0) return '"' + std::string(low.substr(0, *length / 8)) + "*\"";
  }
  return end_text(field, low) + '-' + end_text(field, high);
}

std::string masked_text(Field field, bool negated, std::string_view value, std::string_view mask) {
  const std::string equal = negated ? "!= " : "";
  if (is_address(field))
    if (const auto length = prefix_length(mask))
      return equal + address(field, value) + '/' + std::to_string(*length);
  const bool any_of = negated && std::ranges::all_of(value, [](char byte) { return byte == '\0'; });
  if (is_bits(field) && any_of) return bits(field, host_number(mask));
  const auto operand = [&](std::string_view bytes) {
    return is_bits(field) ? hexadecimal(host_number(bytes)) : value_text(field, bytes);
  };
  return "& " + operand(mask) + (negated ? " != " : " == ") + operand(value);
}

std::string_view type_name(Field field) {
  switch (kind(field)) {
    case Field::iif:
    case Field::oif:
      return "iface_index";
    case Field::iifname:
    case Field::oifname:
      return "ifname";
    case Field::nfproto:
      return "nf_proto";
    case Field::l4proto:
      return "inet_proto";
    case Field::mark:
      return "mark";
    case Field::ct_state:
      return "ct_state";
    case Field::ct_status:
      return "ct_status";
    case Field::iiftype:
      return "iface_type";
    case Field::ether_saddr:
      return "ether_addr";
    case Field::skuid:
      return "uid";
    case Field::skgid:
      return "gid";
    case Field::ip_saddr:
    case Field::ip_daddr:
    case Field::ct_original_daddr4:
      return "ipv4_addr";
    case Field::ip6_saddr:
    case Field::ip6_daddr:
    case Field::ct_original_daddr6:
      return "ipv6_addr";
    case Field::ip6_hoplimit:
      return "integer";
    case Field::th_sport:
    case Field::th_dport:
    case Field::ct_original_dport:
      return "inet_service";
    case Field::icmp_type:
      return "icmp_type";
    case Field::icmpv6_type:
      return "icmpv6_type";
    case Field::daddr_type:
      return "fib_addrtype";
    case Field::pkttype:
      return "pkt_type";
    case Field::time:
      return "time";
    case Field::tcp_flags:
      return "tcp_flag";
    case Field::cgroup:
      return "cgroupsv2";
  }
  return {};
}

std::string_view transport_name(std::uint8_t protocol) {
  switch (protocol) {
    case 6:
      return "tcp";
    case 17:
      return "udp";
    case 33:
      return "dccp";
    case 132:
      return "sctp";
    case 136:
      return "udplite";
    default:
      return {};
  }
}

}  // namespace fwctl::nft
