#include "rules/compile/matches.h"

#include <utility>

#include "rules/compile/bytes.h"

namespace fwctl::compile {

using nft::Bytes;
using nft::Field;

Bytes mask_bytes(std::size_t size, int length) {
  Bytes mask(size, '\0');
  for (int bit = 0; bit < length; ++bit) {
    const auto at = static_cast<std::size_t>(bit) / 8;
    mask[at] = static_cast<char>(static_cast<std::uint8_t>(mask[at]) | (0x80U >> (bit % 8)));
  }
  return mask;
}

void match_protocol(std::vector<nft::Statement>& out, Protocol protocol) {
  out.emplace_back(nft::Match{.field = Field::l4proto, .value = one_byte(protocol.number)});
}

void match_family(std::vector<nft::Statement>& out, Family family) {
  // NFPROTO_IPV4 and NFPROTO_IPV6 of linux/netfilter.h.
  const std::uint8_t number = family == Family::ipv4 ? 2 : 10;
  out.emplace_back(nft::Match{.field = Field::nfproto, .value = one_byte(number)});
}

void match_ports(std::vector<nft::Statement>& out, Field field, PortRange ports) {
  if (ports == all_ports) return;
  if (ports.single())
    out.emplace_back(nft::Match{.field = field, .value = port_bytes(ports.first)});
  else
    out.emplace_back(nft::RangeMatch{
        .field = field, .low = port_bytes(ports.first), .high = port_bytes(ports.last)});
}

void match_range(std::vector<nft::Statement>& out, Field field, const AddressRange& range) {
  const auto length = range.prefix_length();
  if (!length) {
    out.emplace_back(nft::RangeMatch{
        .field = field, .low = range.first.network_order(), .high = range.last.network_order()});
    return;
  }
  nft::Match single{.field = field, .value = range.first.network_order()};
  if (range.first != range.last) single.mask = mask_bytes(single.value.size(), *length);
  out.emplace_back(std::move(single));
}

void match_mac(std::vector<nft::Statement>& out, const MacAddress& mac) {
  out.emplace_back(nft::Match{.field = Field::iiftype, .value = host_order(nft::iiftype_ether)});
  out.emplace_back(
      nft::Match{.field = Field::ether_saddr, .value = Bytes(mac.bytes.begin(), mac.bytes.end())});
}

}  // namespace fwctl::compile
