#include "rules/trace.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "rules/compile/box.h"
#include "rules/compile/bytes.h"
#include "rules/compile/matches.h"

namespace fwctl {
namespace {

using compile::host_order;
using compile::interface_bytes;
using compile::one_byte;
using compile::port_bytes;
using nft::Bytes;
using nft::Field;

// Behind the reassembly of fragments (-400), before everything else that programs hang in: raw is
// -300, connection tracking -200 (linux/netfilter_ipv4.h).
constexpr int before_all = -350;
// What a busy port costs at most; a person reads less.
constexpr nft::Limit most{.rate = 10, .seconds = 1, .burst = 30};

// What is asked of one kind of packet, as matches.
class KindOfPacket {
 public:
  explicit KindOfPacket(const Asked& asked)
      : packets_(asked.packets), cgroup_(asked.cgroup), any_(asked.what.empty()) {}

  std::vector<nft::Rule> rules(bool connections) {
    interfaces();
    sender();
    if (packets_.mark) is(Field::mark, host_order(*packets_.mark));
    const bool v4 = packets_.family() == Family::ipv4;
    compile::match_family(statements_, packets_.family());
    addresses(v4 ? Field::ip_saddr : Field::ip6_saddr, packets_.from);
    addresses(v4 ? Field::ip_daddr : Field::ip6_daddr, packets_.to);
    if (any_ && connections) return {marking()};
    if (!any_) return {of_protocol(connections)};
    auto others = *this;
    compile::match_protocol(statements_, tcp);
    begins_connection();
    others.is(Field::l4proto, one_byte(tcp.number), true);
    return {marking(), others.marking()};
  }

 private:
  nft::Rule of_protocol(bool connections) {
    compile::match_protocol(statements_, packets_.protocol);
    if (packets_.icmp_type)
      is(packets_.protocol == icmp ? Field::icmp_type : Field::icmpv6_type,
         one_byte(*packets_.icmp_type));
    compile::match_ports(statements_, Field::th_sport, packets_.from_ports);
    compile::match_ports(statements_, Field::th_dport, packets_.to_ports);
    if (packets_.protocol == tcp && !connections) begins_connection();
    return marking();
  }

  nft::Rule marking() const {
    auto statements = statements_;
    statements.emplace_back(most);
    statements.emplace_back(nft::Trace{});
    return {.statements = std::move(statements), .comment = {}};
  }

  void is(Field field, Bytes value, bool negated = false) {
    statements_.emplace_back(
        nft::Match{.field = field, .negated = negated, .value = std::move(value), .mask = {}});
  }

  void begins_connection() {
    statements_.emplace_back(nft::Match{.field = Field::tcp_flags,
                                        .value = one_byte(tcp_syn),
                                        .mask = one_byte(tcp_syn | tcp_ack)});
  }

  // Where none is asked for, all but lo are meant.
  void interfaces() {
    const bool out = packets_.traffic == policy::Traffic::outgoing;
    is(out ? Field::oifname : Field::iifname, interface_bytes(packets_.interface.value_or("lo")),
       !packets_.interface);
    if (packets_.out_interface) is(Field::oifname, interface_bytes(*packets_.out_interface));
  }

  void sender() {
    if (packets_.mac && *packets_.mac) compile::match_mac(statements_, **packets_.mac);
    if (packets_.user && *packets_.user) is(Field::skuid, host_order(**packets_.user));
    if (packets_.group && *packets_.group) is(Field::skgid, host_order(**packets_.group));
    if (cgroup_) is(nft::cgroup_at(cgroup_->level), host_order(cgroup_->id));
  }

  void addresses(Field field, const AddressRange& range) {
    if (range != everything(range.family())) compile::match_range(statements_, field, range);
  }

  const Packets& packets_;
  const std::optional<policy::Cgroup>& cgroup_;
  bool any_;  // protocol
  std::vector<nft::Statement> statements_;
};

nft::HookPoint hook_of(policy::Traffic traffic) {
  switch (traffic) {
    case policy::Traffic::outgoing:
      return nft::HookPoint::output;
    case policy::Traffic::routed:
      return nft::HookPoint::forward;
    case policy::Traffic::incoming:
      break;
  }
  return nft::HookPoint::prerouting;
}

std::optional<Bytes> of_family(Family family, const Address& address) {
  return address.family() == family ? std::optional(address.network_order()) : std::nullopt;
}

std::optional<Bytes> port_of(std::optional<std::uint16_t> port) {
  return port ? std::optional(port_bytes(*port)) : std::nullopt;
}

std::optional<Bytes> name_of(const std::string& interface) {
  return interface.empty() ? std::nullopt : std::optional(interface_bytes(interface));
}

// What a map of ours may ask for (rules/compile/box.cpp, publish.cpp).
std::optional<Bytes> value_of(Field field, const TracedPacket& packet) {
  const auto& headers = packet.headers;
  switch (field) {
    case Field::iifname:
      return name_of(packet.in);
    case Field::oifname:
      return name_of(packet.out);
    case Field::l4proto:
      return one_byte(headers.protocol.number);
    case Field::ip_saddr:
      return of_family(Family::ipv4, headers.from);
    case Field::ip_daddr:
      return of_family(Family::ipv4, headers.to);
    case Field::ip6_saddr:
      return of_family(Family::ipv6, headers.from);
    case Field::ip6_daddr:
      return of_family(Family::ipv6, headers.to);
    case Field::th_sport:
      return port_of(headers.from_port);
    case Field::th_dport:
      return port_of(headers.to_port);
    case Field::icmp_type:
    case Field::icmpv6_type:
      return headers.icmp_type ? std::optional(one_byte(*headers.icmp_type)) : std::nullopt;
    case Field::ct_original_dport:
      return port_of(packet.sent.to_port);
    case Field::ct_original_daddr4:
      return of_family(Family::ipv4, packet.sent.to);
    case Field::ct_original_daddr6:
      return of_family(Family::ipv6, packet.sent.to);
    default:
      return std::nullopt;
  }
}

}  // namespace

nft::Chain trace_chain(std::string name, const std::vector<Asked>& asked, bool connections) {
  nft::Chain chain{.name = std::move(name),
                   .hook = nft::Hook{.point = hook_of(asked.front().packets.traffic),
                                     .priority = before_all,
                                     .policy_drop = false},
                   .comment = {},
                   .rules = {}};
  for (const auto& one : asked)
    for (auto& rule : KindOfPacket(one).rules(connections)) chain.rules.push_back(std::move(rule));
  return chain;
}

const nft::Element* find_element(const nft::Set& map, const std::vector<nft::Field>& key,
                                 const TracedPacket& packet) {
  std::vector<Bytes> values;
  for (const auto field : key) {
    auto value = value_of(field, packet);
    if (!value) return nullptr;
    values.push_back(std::move(*value));
  }
  const auto holds = [&](const nft::Element& element) {
    std::size_t at = 0;
    return std::ranges::all_of(values, [&](const Bytes& value) {
      const auto& last = element.key_end.empty() ? element.key : element.key_end;
      const bool within = element.key.compare(at, value.size(), value) <= 0 &&
                          last.compare(at, value.size(), value) >= 0;
      at += value.size();
      return within;
    });
  };
  const auto found = std::ranges::find_if(map.elements, holds);
  return found == map.elements.end() ? nullptr : &*found;
}

}  // namespace fwctl
