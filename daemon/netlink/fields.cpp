#include "daemon/netlink/fields.h"

#include <linux/netfilter/nf_tables.h>

#include <algorithm>
#include <array>

namespace fwctl::netlink {
namespace {

using nft::Field;

constexpr std::array layouts{
    FieldLayout{Field::iif, "iif", Source::meta, NFT_META_IIF, 20, true},
    FieldLayout{Field::iifname, "iifname", Source::meta, NFT_META_IIFNAME, 41, false},
    FieldLayout{Field::oif, "oif", Source::meta, NFT_META_OIF, 20, true},
    FieldLayout{Field::oifname, "oifname", Source::meta, NFT_META_OIFNAME, 41, false},
    FieldLayout{Field::nfproto, "nfproto", Source::meta, NFT_META_NFPROTO, 2, false},
    FieldLayout{Field::l4proto, "l4proto", Source::meta, NFT_META_L4PROTO, 12, false},
    FieldLayout{Field::mark, "mark", Source::meta, NFT_META_MARK, 19, true},
    FieldLayout{Field::ct_state, "ct_state", Source::ct, NFT_CT_STATE, 26, true},
    FieldLayout{Field::ip_saddr, "ip_saddr", Source::network_header, 12, 7, false},
    FieldLayout{Field::ip_daddr, "ip_daddr", Source::network_header, 16, 7, false},
    FieldLayout{Field::ip6_saddr, "ip6_saddr", Source::network_header, 8, 8, false},
    FieldLayout{Field::ip6_daddr, "ip6_daddr", Source::network_header, 24, 8, false},
    FieldLayout{Field::ip6_hoplimit, "ip6_hoplimit", Source::network_header, 7, 4, false},
    FieldLayout{Field::th_sport, "th_sport", Source::transport_header, 0, 13, false},
    FieldLayout{Field::th_dport, "th_dport", Source::transport_header, 2, 13, false},
    FieldLayout{Field::icmp_type, "icmp_type", Source::transport_header, 0, 14, false},
    FieldLayout{Field::icmpv6_type, "icmpv6_type", Source::transport_header, 0, 29, false},
    FieldLayout{Field::iiftype, "iiftype", Source::meta, NFT_META_IIFTYPE, 21, true},
    FieldLayout{Field::ether_saddr, "ether_saddr", Source::link_header, 6, 9, false},
    FieldLayout{Field::skuid, "skuid", Source::meta, NFT_META_SKUID, 24, true},
    FieldLayout{Field::skgid, "skgid", Source::meta, NFT_META_SKGID, 25, true},
    FieldLayout{Field::ct_status, "ct_status", Source::ct, NFT_CT_STATUS, 28, true},
    FieldLayout{Field::ct_original_dport, "ct_original_dport", Source::ct_original,
                NFT_CT_PROTO_DST, 13, false},
    FieldLayout{Field::ct_original_daddr4, "ct_original_daddr4", Source::ct_original, NFT_CT_DST_IP,
                7, false},
    FieldLayout{Field::ct_original_daddr6, "ct_original_daddr6", Source::ct_original,
                NFT_CT_DST_IP6, 8, false},
    FieldLayout{Field::daddr_type, "daddr_type", Source::fib, NFT_FIB_RESULT_ADDRTYPE, 38, true},
    FieldLayout{Field::pkttype, "pkttype", Source::meta, NFT_META_PKTTYPE, 31, false},
    FieldLayout{Field::time, "time", Source::meta, NFT_META_TIME_NS, 43, true},
    FieldLayout{Field::tcp_flags, "tcp_flags", Source::transport_header, 13, 15, false},
    FieldLayout{nft::cgroup_at(1), "cgroup_1", Source::cgroup, 1, 46, true},
    FieldLayout{nft::cgroup_at(2), "cgroup_2", Source::cgroup, 2, 46, true},
    FieldLayout{nft::cgroup_at(3), "cgroup_3", Source::cgroup, 3, 46, true},
    FieldLayout{nft::cgroup_at(4), "cgroup_4", Source::cgroup, 4, 46, true},
    FieldLayout{nft::cgroup_at(5), "cgroup_5", Source::cgroup, 5, 46, true},
    FieldLayout{nft::cgroup_at(6), "cgroup_6", Source::cgroup, 6, 46, true},
    FieldLayout{nft::cgroup_at(7), "cgroup_7", Source::cgroup, 7, 46, true},
    FieldLayout{nft::cgroup_at(8), "cgroup_8", Source::cgroup, 8, 46, true},
};

constexpr std::uint8_t icmpv6 = 58;

bool is_header(Source source) {
  return source == Source::link_header || source == Source::network_header ||
         source == Source::transport_header;
}

// A prefix of a header field may be loaded alone (10.0.0.0/8 is one byte); the rest comes whole.
bool may_be_shorter(const FieldLayout& entry) {
  return entry.source == Source::network_header;
}

}  // namespace

const FieldLayout& layout(Field field) {
  return layouts.at(static_cast<std::size_t>(field));
}

std::optional<Field> field_at(Source source, std::uint32_t where, std::size_t width,
                              std::uint8_t l4proto) {
  for (const FieldLayout& entry : layouts) {
    if (entry.source != source || entry.where != where) continue;
    if (entry.field == Field::icmp_type && l4proto == icmpv6) continue;
    const std::size_t whole = nft::width(entry.field);
    if (!is_header(source) || width == whole || (width < whole && may_be_shorter(entry)))
      return entry.field;
  }
  return std::nullopt;
}

std::string key_name(const std::vector<Field>& key) {
  std::string name;
  for (const Field field : key) {
    if (!name.empty()) name += '.';
    name += layout(field).name;
  }
  return name;
}

std::optional<std::vector<Field>> key_named(std::string_view name) {
  std::vector<Field> key;
  for (;;) {
    const std::string_view part = name.substr(0, name.find('.'));
    const auto* const entry = std::ranges::find(layouts, part, &FieldLayout::name);
    if (entry == layouts.end()) return std::nullopt;
    key.push_back(entry->field);
    if (part.size() == name.size()) return key;
    name.remove_prefix(part.size() + 1);
  }
}

std::uint32_t data_type(const std::vector<Field>& key) {
  std::uint32_t type = 0;
  for (const Field field : key) type = type << 6 | layout(field).data_type;
  return type;
}

std::size_t key_length(const std::vector<Field>& key) {
  if (key.size() == 1) return nft::width(key.front());
  std::size_t length = 0;
  for (const Field field : key) length += padded(nft::width(field));
  return length;
}

}  // namespace fwctl::netlink
