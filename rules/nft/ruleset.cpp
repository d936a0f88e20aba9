#include "rules/nft/ruleset.h"

#include <algorithm>

namespace fwctl::nft {
namespace {

template <typename T>
const T* find_named(const std::vector<T>& sorted, std::string_view name) {
  const auto found = std::ranges::lower_bound(sorted, name, {}, &T::name);
  return found != sorted.end() && found->name == name ? &*found : nullptr;
}

}  // namespace

std::size_t width(Field field) {
  switch (field) {
    case Field::nfproto:
    case Field::l4proto:
    case Field::ip6_hoplimit:
    case Field::icmp_type:
    case Field::icmpv6_type:
    case Field::pkttype:
    case Field::tcp_flags:
      return 1;
    case Field::th_sport:
    case Field::th_dport:
    case Field::iiftype:
    case Field::ct_original_dport:
      return 2;
    case Field::iif:
    case Field::oif:
    case Field::mark:
    case Field::ct_state:
    case Field::ip_saddr:
    case Field::ip_daddr:
    case Field::skuid:
    case Field::skgid:
    case Field::ct_status:
    case Field::ct_original_daddr4:
    case Field::daddr_type:
      return 4;
    case Field::ether_saddr:
      return 6;
    case Field::time:
      return 8;
    case Field::iifname:
    case Field::oifname:
    case Field::ip6_saddr:
    case Field::ip6_daddr:
    case Field::ct_original_daddr6:
      return 16;
  }
  return 0;
}

const Set* Ruleset::find_set(std::string_view name) const {
  return find_named(sets, name);
}

const Chain* Ruleset::find_chain(std::string_view name) const {
  return find_named(chains, name);
}

}  // namespace fwctl::nft
