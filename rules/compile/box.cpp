#include "rules/compile/box.h"

#include "rules/compile/bytes.h"
#include "rules/interface.h"

namespace fwctl::compile {
namespace {

using nft::Bytes;
using nft::Field;

// What the kernel takes as one key, each field padded to a register of 4 bytes.
constexpr std::size_t longest_key = 64;
// Of it, a protocol and two ports.
constexpr std::size_t flow_length = 12;

struct Builder {
  Split out;
  std::size_t room = longest_key;

  void add(Field field, const Bytes& first, const Bytes& last) {
    out.fields.push_back(field);
    out.box.first += first;
    out.box.last += last;
  }
  void add(Field field, const Bytes& value) { add(field, value, value); }

  void take_interface(Field field, std::optional<std::string>& name) {
    if (!name || is_pattern(*name) || room < nft::width(field)) return;
    room -= nft::width(field);
    add(field, interface_bytes(*name));
    name.reset();
  }

  void take_address(Field v4, Field v6, std::optional<policy::AddressMatch>& match) {
    const auto* range = match ? std::get_if<AddressRange>(&*match) : nullptr;
    if (range == nullptr) return;
    add(range->family() == Family::ipv4 ? v4 : v6, range->first.network_order(),
        range->last.network_order());
    match.reset();
  }

  void take_flow(Clause& rest) {
    auto& flow = *rest.flow;
    if (flow.icmp_type) {
      const bool v4 = flow.protocol == icmp;
      const Bytes type = one_byte(*flow.icmp_type);
      add(v4 ? Field::icmp_type : Field::icmpv6_type, type);
      rest.family = v4 ? Family::ipv4 : Family::ipv6;
      flow.icmp_type.reset();
      return;
    }
    add(Field::l4proto, one_byte(flow.protocol.number));
    if (flow.from != all_ports)
      add(Field::th_sport, port_bytes(flow.from.first), port_bytes(flow.from.last));
    if (flow.to != all_ports)
      add(Field::th_dport, port_bytes(flow.to.first), port_bytes(flow.to.last));
    rest.flow.reset();
  }
};

}  // namespace

Bytes interface_bytes(const std::string& name) {
  if (is_pattern(name)) return nft::Bytes(stem(name));
  Bytes bytes = name;
  bytes.resize(nft::width(Field::iifname), '\0');
  return bytes;
}

Split split(const Clause& clause, policy::Traffic traffic) {
  Builder builder{.out = {.rest = clause, .fields = {}, .box = {}}};
  Clause& rest = builder.out.rest;
  // Two addresses of either family and a flow always fit, and most of the time both interfaces.
  builder.room -= flow_length;
  for (const auto& address : {rest.from, rest.to})
    if (address && std::holds_alternative<AddressRange>(*address))
      builder.room -= std::get<AddressRange>(*address).first.size();
  const bool outgoing = traffic == policy::Traffic::outgoing;
  builder.take_interface(outgoing ? Field::oifname : Field::iifname, rest.interface);
  builder.take_interface(Field::oifname, rest.out_interface);
  builder.take_address(Field::ip_saddr, Field::ip6_saddr, rest.from);
  builder.take_address(Field::ip_daddr, Field::ip6_daddr, rest.to);
  if (rest.flow) builder.take_flow(rest);
  return std::move(builder.out);
}

}  // namespace fwctl::compile
