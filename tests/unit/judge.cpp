#include "tests/unit/judge.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include "rules/nft/value_text.h"
#include "tests/unit/policies.h"

namespace fwctl::testing {

bool is_for_many(const Packet& packet) {
  const auto to = packet.sent_to ? packet.sent_to->address : packet.to;
  const auto first = to.bytes().front();
  if (to.family() == Family::ipv6) return first == 0xff;
  return to == Address::parse("255.255.255.255") || (first >= 224 && first < 240);
}

namespace {

using nft::Bytes;
using nft::Field;

Bytes number(std::uint32_t value) {
  Bytes bytes(sizeof value, '\0');
  std::memcpy(bytes.data(), &value, sizeof value);
  return bytes;
}

Bytes nanoseconds(Time time) {
  const std::int64_t value = std::chrono::nanoseconds(time.time_since_epoch()).count();
  Bytes bytes(sizeof value, '\0');
  std::memcpy(bytes.data(), &value, sizeof value);
  return bytes;
}

Bytes byte(std::uint8_t value) {
  return {static_cast<char>(value)};
}

Bytes port(std::uint16_t value) {
  return {static_cast<char>(value >> 8), static_cast<char>(value & 0xff)};
}

// As far as the destination says: PACKET_HOST, _BROADCAST or _MULTICAST of linux/if_packet.h.
std::uint8_t link_destination(const Packet& packet) {
  if (!is_for_many(packet)) return 0;
  const auto to = packet.sent_to ? packet.sent_to->address : packet.to;
  return to == Address::parse("255.255.255.255") ? 1 : 2;
}

class Judge {
 public:
  Judge(const nft::Ruleset& ruleset, const Packet& packet) : ruleset_(ruleset), packet_(packet) {}

  Judgement judge() {
    constexpr std::array hooks{nft::HookPoint::input, nft::HookPoint::output,
                               nft::HookPoint::forward};
    const auto hook = hooks[static_cast<std::size_t>(packet_.traffic)];
    for (const auto& chain : ruleset_.chains) {
      if (!chain.hook || chain.hook->point != hook) continue;
      if (walk(chain) == Walk::ended) return result_;
      result_.verdict = chain.hook->policy_drop ? policy::Verdict::deny : policy::Verdict::allow;
      result_.by = "policy of " + chain.name;
    }
    return result_;
  }

 private:
  enum class Walk { ended, back };

  Walk walk(const nft::Chain& chain) {
    for (const auto& rule : chain.rules)
      if (const auto outcome = run(rule)) return *outcome;
    return Walk::back;
  }

  // nullopt: on to the next rule.
  std::optional<Walk> run(const nft::Rule& rule) {
    for (const auto& statement : rule.statements) {
      if (const auto* match = std::get_if<nft::Match>(&statement)) {
        if (!matches(*match)) return {};
      } else if (const auto* range = std::get_if<nft::RangeMatch>(&statement)) {
        const Bytes value = field(range->field);
        if (value < range->low || range->high < value) return {};
      } else if (const auto* before = std::get_if<nft::Before>(&statement)) {
        const auto turned = [](Bytes bytes) { return Bytes(bytes.rbegin(), bytes.rend()); };
        if (turned(field(before->field)) >= turned(before->value)) return {};
      } else if (const auto* in_set = std::get_if<nft::SetLookup>(&statement)) {
        // What is in no cgroup of that level ends the rule.
        if (std::ranges::any_of(in_set->key, [&](Field one) { return lacks(one); })) return {};
        if ((find(in_set->set, in_set->key, in_set->mask) != nullptr) == in_set->negated) return {};
      } else if (const auto* in_map = std::get_if<nft::MapLookup>(&statement)) {
        const auto* element = find(in_map->map, in_map->key);
        if (element == nullptr) return {};
        return apply(*element->verdict, element->comment);
      } else if (const auto* meter = std::get_if<nft::Meter>(&statement)) {
        check_meter(*meter);  // no source is ever beyond its limit here
      } else if (const auto* log = std::get_if<nft::Log>(&statement)) {
        result_.logged.push_back(log->prefix);
      } else if (std::holds_alternative<nft::Reject>(statement)) {
        const bool reset = std::get<nft::Reject>(statement).with == nft::RejectWith::tcp_reset;
        if (reset != (packet_.protocol == tcp)) result_.misread = "the wrong answer";
        return end(policy::Verdict::reject, rule.comment);
      } else if (const auto* verdict = std::get_if<nft::Verdict>(&statement)) {
        return apply(*verdict, rule.comment);
      }
    }
    return {};
  }

  std::optional<Walk> apply(const nft::Verdict& verdict, const std::string& comment) {
    if (verdict.kind == nft::VerdictKind::accept) return end(policy::Verdict::allow, comment);
    if (verdict.kind == nft::VerdictKind::drop) return end(policy::Verdict::deny, comment);
    if (verdict.kind == nft::VerdictKind::go_back) return Walk::back;
    if (result_.by.empty()) result_.by = comment;
    const auto* chain = ruleset_.find_chain(verdict.chain);
    if (chain == nullptr) {
      result_.misread = "no chain " + verdict.chain;
      return Walk::ended;
    }
    const auto outcome = walk(*chain);
    if (outcome == Walk::ended || verdict.kind == nft::VerdictKind::go_to) return outcome;
    return {};
  }

  Walk end(policy::Verdict verdict, const std::string& comment) {
    result_.verdict = verdict;
    if (result_.by.empty()) result_.by = comment;
    return Walk::ended;
  }

  bool matches(const nft::Match& match) {
    if (lacks(match.field)) return false;
    const Bytes value = masked(field(match.field).substr(0, match.value.size()), match.mask);
    return (value == match.value) != match.negated;
  }

  static Bytes masked(Bytes value, const Bytes& mask) {
    for (std::size_t index = 0; index < mask.size(); ++index)
      value[index] = static_cast<char>(value[index] & mask[index]);
    return value;
  }

  // What no socket sends has no owner, and nothing of it is equal or not.
  bool lacks(Field field) const {
    if (field == Field::skuid) return !packet_.user;
    if (field == Field::skgid) return !packet_.group;
    const auto level = nft::cgroup_level(field);
    return level && packet_.units.size() < *level;
  }

  // Those that no rule can name have ids of their own.
  Bytes cgroup(std::uint8_t level) {
    if (packet_.traffic != policy::Traffic::outgoing)
      result_.misread = "the cgroup of what this host does not send";
    const auto known = units().find(packet_.units.at(level - 1U));
    const std::uint64_t id = known == units().end() ? 7000U + level : known->second.id;
    Bytes bytes(sizeof id, '\0');
    std::memcpy(bytes.data(), &id, sizeof id);
    return bytes;
  }

  void check_meter(const nft::Meter& meter) {
    field(meter.field);
    const auto* set = ruleset_.find_set(meter.set);
    if (set == nullptr || !set->dynamic() || set->key != std::vector{meter.field} ||
        meter.limit.over)
      result_.misread = "no dynamic set " + meter.set + " of this type";
  }

  const nft::Element* find(const std::string& name, const std::vector<Field>& key,
                           const Bytes& mask = {}) {
    const auto* set = ruleset_.find_set(name);
    const auto same_type = [](Field a, Field b) { return nft::type_name(a) == nft::type_name(b); };
    if (set == nullptr || !std::ranges::equal(set->key, key, same_type)) {
      result_.misread = "no set " + name + " of this type";
      return nullptr;
    }
    elements_ = nft::all_elements(*set);
    const auto found = std::find_if(elements_.begin(), elements_.end(), [&](const auto& element) {
      if (element.until <= packet_.time) return false;
      std::size_t from = 0;
      for (const auto one : key) {
        const auto width = nft::width(one);
        const Bytes value = masked(field(one), mask);
        const auto& last = element.key_end.empty() ? element.key : element.key_end;
        if (value < element.key.substr(from, width) || last.substr(from, width) < value)
          return false;
        from += width;
      }
      return true;
    });
    return found == elements_.end() ? nullptr : &*found;
  }

  Bytes of_family(Family family, const Address& address) {
    if (address.family() != family) result_.misread = "an address of the other family";
    return address.network_order();
  }

  Bytes type_of(Protocol protocol, Family family) {
    if (packet_.protocol != protocol || packet_.from.family() != family)
      result_.misread = "an ICMP type of what is no such ICMP";
    return byte(packet_.icmp_type);
  }

  Bytes ethernet_source() const {
    const auto bytes = packet_.mac.value_or(MacAddress{}).bytes;
    return {bytes.begin(), bytes.end()};
  }

  // nft numbers addresses and states as the kernel does; interface names are padded.
  Bytes field(Field field) {
    const auto padded = [](Bytes name) {
      name.resize(nft::width(Field::iifname), '\0');
      return name;
    };
    const bool routed = packet_.traffic == policy::Traffic::routed;
    const bool out = packet_.traffic == policy::Traffic::outgoing;
    switch (field) {
      case Field::iifname:
        if (out) result_.misread = "an incoming interface of an outgoing packet";
        return padded(packet_.interface);
      case Field::oifname:
        if (!out && !routed) result_.misread = "an outgoing interface of an incoming packet";
        return padded(routed ? packet_.out_interface : packet_.interface);
      case Field::nfproto:
        return byte(packet_.from.family() == Family::ipv4 ? 2 : 10);
      case Field::l4proto:
        return byte(packet_.protocol.number);
      case Field::ct_state:
        return number(static_cast<std::uint8_t>(packet_.state));
      case Field::ip_saddr:
        return of_family(Family::ipv4, packet_.from);
      case Field::ip_daddr:
        return of_family(Family::ipv4, packet_.to);
      case Field::ip6_saddr:
        return of_family(Family::ipv6, packet_.from);
      case Field::ip6_daddr:
        return of_family(Family::ipv6, packet_.to);
      case Field::th_sport:
        return port(packet_.from_port);
      case Field::th_dport:
        return port(packet_.to_port);
      case Field::mark:
        return number(packet_.mark);
      case Field::skuid:
      case Field::skgid:
        if (!out) result_.misread = "the owner of what this host does not send";
        return number((field == Field::skuid ? packet_.user : packet_.group).value_or(0));
      case Field::ct_status:
        return number(packet_.sent_to ? nft::ct_status_dnat : 0);
      case Field::ct_original_dport:
        return port(packet_.sent_to ? packet_.sent_to->port : packet_.to_port);
      case Field::ct_original_daddr4:
        return of_family(Family::ipv4, packet_.sent_to ? packet_.sent_to->address : packet_.to);
      case Field::ct_original_daddr6:
        return of_family(Family::ipv6, packet_.sent_to ? packet_.sent_to->address : packet_.to);
      case Field::iiftype:
        if (out) result_.misread = "an incoming link of an outgoing packet";
        ethernet_ = packet_.mac.has_value();
        // ARPHRD_ETHER and ARPHRD_LOOPBACK of linux/if_arp.h.
        return number(ethernet_ ? 1 : 772).substr(0, 2);
      case Field::ether_saddr:
        if (!ethernet_) result_.misread = "an Ethernet source where none was made sure of";
        return ethernet_source();
      case Field::pkttype:
        return byte(link_destination(packet_));
      case Field::time:
        return nanoseconds(packet_.time);
      case Field::icmp_type:
        return type_of(icmp, Family::ipv4);
      case Field::icmpv6_type:
        return type_of(icmpv6, Family::ipv6);
      default:
        if (const auto level = nft::cgroup_level(field)) return cgroup(*level);
        result_.misread = "a field no policy asks for";
        return Bytes(nft::width(field), '\0');
    }
  }

  const nft::Ruleset& ruleset_;
  std::vector<nft::Element> elements_;  // of the set that was looked into last
  const Packet& packet_;
  bool ethernet_ = false;  // the packet is known to have an Ethernet source
  Judgement result_;
};

}  // namespace

Judgement judge(const nft::Ruleset& ruleset, const Packet& packet) {
  return Judge(ruleset, packet).judge();
}

}  // namespace fwctl::testing
