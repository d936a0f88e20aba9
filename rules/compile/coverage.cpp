#include "rules/compile/coverage.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "rules/compile/box.h"
#include "rules/compile/bytes.h"
#include "rules/interface.h"

namespace fwctl::compile {
namespace {

using nft::Bytes;

Bytes family_byte(Family family) {
  return one_byte(family == Family::ipv4 ? 4 : 6);
}

}  // namespace

void Coverage::Ranges::add(Bytes first, Bytes last) {
  auto at = ranges_.upper_bound(first);
  if (at != ranges_.begin() && std::prev(at)->second >= first) {
    --at;
    first = at->first;
  }
  while (at != ranges_.end() && at->first <= last) {
    last = std::max(last, at->second);
    at = ranges_.erase(at);
  }
  ranges_.emplace_hint(at, std::move(first), std::move(last));
}

bool Coverage::Ranges::meets(const Bytes& first, const Bytes& last) const {
  const auto after = ranges_.upper_bound(last);
  return after != ranges_.begin() && std::prev(after)->second >= first;
}

// Each begins with what tells apart values that must not be compared: the family, the protocol.
std::array<std::optional<Coverage::Span>, Coverage::field_count> Coverage::spans(
    const Clause& clause) {
  const auto interface = [](const std::optional<std::string>& name) -> std::optional<Span> {
    if (!name || is_pattern(*name)) return {};
    return Span{interface_bytes(*name), interface_bytes(*name)};
  };
  const auto address = [](const std::optional<policy::AddressMatch>& match) -> std::optional<Span> {
    const auto* range = match ? std::get_if<AddressRange>(&*match) : nullptr;
    if (range == nullptr) return {};
    const Bytes family = family_byte(range->family());
    return Span{family + range->first.network_order(), family + range->last.network_order()};
  };
  const auto ports = [&](PortRange range) -> std::optional<Span> {
    if (!clause.flow) return {};
    const Bytes protocol = one_byte(clause.flow->protocol.number);
    if (clause.flow->icmp_type)
      return Span{protocol + one_byte(*clause.flow->icmp_type) + one_byte(0),
                  protocol + one_byte(*clause.flow->icmp_type) + one_byte(255)};
    return Span{protocol + port_bytes(range.first), protocol + port_bytes(range.last)};
  };
  std::optional<Span> family;
  if (clause.family) family = {family_byte(*clause.family), family_byte(*clause.family)};
  return {family,
          ports(clause.flow ? clause.flow->to : all_ports),
          ports(clause.flow ? clause.flow->from : all_ports),
          address(clause.from),
          address(clause.to),
          interface(clause.interface),
          interface(clause.out_interface)};
}

void Coverage::add(const Clause& clause) {
  auto wanted = spans(clause);
  for (std::size_t index = 0; index < field_count; ++index) {
    if (auto& span = wanted[index])
      fields_[index].ranges.add(std::move(span->first), std::move(span->last));
    else
      fields_[index].any = true;
  }
}

bool Coverage::disjoint(const Clause& clause) const {
  const auto wanted = spans(clause);
  for (std::size_t index = 0; index < field_count; ++index) {
    const auto& field = fields_[index];
    if (!field.any && wanted[index] &&
        !field.ranges.meets(wanted[index]->first, wanted[index]->last))
      return true;
  }
  return false;
}

}  // namespace fwctl::compile
