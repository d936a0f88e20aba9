// Where the kernel finds each field, and what nft calls its type. Encoding and decoding read the
// same table.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rules/nft/ruleset.h"

namespace fwctl::netlink {

enum class Source : std::uint8_t {
  meta,
  ct,
  ct_original,  // of the direction that began the connection
  fib,          // of the destination address
  cgroup,       // of the sending socket
  link_header,
  network_header,
  transport_header
};

struct FieldLayout {
  nft::Field field;
  std::string_view name;
  Source source;
  std::uint32_t where;      // NFT_META_*, NFT_CT_*, NFT_FIB_RESULT_*, a level, or an offset
  std::uint32_t data_type;  // nft's own number, include/datatype.h there
  bool host_order;
};

const FieldLayout& layout(nft::Field field);

// `width` is what is loaded, at most that of the field. The ICMP types share their place with each
// other: `l4proto` (0 when not known) tells them apart.
std::optional<nft::Field> field_at(Source source, std::uint32_t where, std::size_t width,
                                   std::uint8_t l4proto);

// "l4proto.th_dport": what a set's user data says its key is made of, since nft's own data types do
// not tell a source from a destination.
std::string key_name(const std::vector<nft::Field>& key);
std::optional<std::vector<nft::Field>> key_named(std::string_view name);

// nft's number for the concatenation.
std::uint32_t data_type(const std::vector<nft::Field>& key);

// The kernel counts the timeouts of sets in these.
constexpr std::uint64_t milliseconds_per_second = 1000;

// Host order made network order, or the other way round.
inline void turn(nft::Bytes& number) {
  if constexpr (std::endian::native == std::endian::little) std::ranges::reverse(number);
}

// Bytes of a field in a concatenation, where each starts at a multiple of four.
constexpr std::size_t padded(std::size_t width) {
  return (width + 3) / 4 * 4;
}

// Bytes of the key in the kernel: padded, unless it is one field alone.
std::size_t key_length(const std::vector<nft::Field>& key);

}  // namespace fwctl::netlink
