#include <algorithm>
#include <cstring>
#include <optional>
#include <span>

#include "rules/nft/text.h"
#include "rules/nft/value_text.h"

namespace fwctl::nft {
namespace {

constexpr std::uint8_t ipv4 = 2;
constexpr std::uint8_t ipv6 = 10;
constexpr std::uint8_t icmp = 1;
constexpr std::uint8_t tcp = 6;
constexpr std::uint8_t icmpv6 = 58;

std::span<const Field> fields_of(const Statement& statement) {
  struct Fields {
    std::span<const Field> operator()(const Match& match) const { return {&match.field, 1}; }
    std::span<const Field> operator()(const RangeMatch& match) const { return {&match.field, 1}; }
    std::span<const Field> operator()(const Before& before) const { return {&before.field, 1}; }
    std::span<const Field> operator()(const SetLookup& lookup) const { return lookup.key; }
    std::span<const Field> operator()(const MapLookup& lookup) const { return lookup.key; }
    std::span<const Field> operator()(const Counter& /*none*/) const { return {}; }
    std::span<const Field> operator()(const Limit& /*none*/) const { return {}; }
    std::span<const Field> operator()(const Meter& meter) const { return {&meter.field, 1}; }
    std::span<const Field> operator()(const Log& /*none*/) const { return {}; }
    std::span<const Field> operator()(const Reject& /*none*/) const { return {}; }
    std::span<const Field> operator()(const Verdict& /*none*/) const { return {}; }
    std::span<const Field> operator()(const Dnat& /*none*/) const { return {}; }
    std::span<const Field> operator()(const Trace& /*none*/) const { return {}; }
    std::span<const Field> operator()(const Redirect& /*none*/) const { return {}; }
    std::span<const Field> operator()(const Masquerade& /*none*/) const { return {}; }
  };
  return std::visit(Fields{}, statement);
}

// The value of `field` that this statement requires, where it is just one.
std::optional<std::uint8_t> required(const Statement& statement, Field field) {
  const auto* match = std::get_if<Match>(&statement);
  if (match == nullptr || match->field != field || match->negated || !match->mask.empty())
    return std::nullopt;
  return static_cast<std::uint8_t>(match->value.front());
}

// Required of the link: without it, nft does not read what a link-layer field is.
bool requires_ethernet(const Statement& statement) {
  const auto* match = std::get_if<Match>(&statement);
  if (match == nullptr || match->field != Field::iiftype || match->negated || !match->mask.empty())
    return false;
  std::uint16_t type = 0;
  std::memcpy(&type, match->value.data(), std::min(match->value.size(), sizeof(type)));
  return type == iiftype_ether;
}

// The protocol family without which nft reads the field as something else.
std::optional<std::uint8_t> family_implied(Field field) {
  switch (field) {
    case Field::ip_saddr:
    case Field::ip_daddr:
    case Field::icmp_type:
      return ipv4;
    case Field::ip6_saddr:
    case Field::ip6_daddr:
    case Field::ip6_hoplimit:
    case Field::icmpv6_type:
      return ipv6;
    default:
      return std::nullopt;
  }
}

class RuleText {
 public:
  explicit RuleText(const Rule& rule) : rule_(rule) {}

  std::string print() {
    const auto& statements = rule_.statements;
    for (std::size_t i = 0; i < statements.size(); ++i) {
      if (const auto family = required(statements[i], Field::nfproto)) family_ = family;
      if (const auto protocol = required(statements[i], Field::l4proto)) protocol_ = protocol;
      if (requires_ethernet(statements[i])) ethernet_ = true;
      if (implied_by_next(i)) continue;
      if (!text_.empty()) text_ += ' ';
      text_ += std::visit([this](const auto& statement) { return this->print(statement); },
                          statements[i]);
    }
    if (!rule_.comment.empty()) text_ += " comment \"" + rule_.comment + '"';
    return text_;
  }

 private:
  // nft adds these matches itself when it reads what follows.
  bool implied_by_next(std::size_t index) const {
    const auto& statements = rule_.statements;
    if (index + 1 >= statements.size()) return false;
    const Statement& next = statements[index + 1];
    if (requires_ethernet(statements[index])) return contains(fields_of(next), Field::ether_saddr);
    if (required(statements[index], Field::l4proto)) return needs_protocol(next);
    // Of a frame it would add a match of the EtherType instead.
    if (ethernet_ || !required(statements[index], Field::nfproto)) return false;
    const auto protocol = required(next, Field::l4proto);
    if (protocol && index + 2 < statements.size()) {
      const auto fields = fields_of(statements[index + 2]);
      return (protocol == icmp && family_ == ipv4 && contains(fields, Field::icmp_type)) ||
             (protocol == icmpv6 && family_ == ipv6 && contains(fields, Field::icmpv6_type));
    }
    return std::ranges::any_of(fields_of(next), [this](Field field) {
      return field != Field::icmp_type && field != Field::icmpv6_type &&
             family_implied(field) == family_;
    });
  }

  bool needs_protocol(const Statement& next) const {
    return std::ranges::any_of(fields_of(next), [this](Field field) {
      if (field == Field::icmp_type) return protocol_ == icmp && family_ == ipv4;
      if (field == Field::icmpv6_type) return protocol_ == icmpv6 && family_ == ipv6;
      if (field == Field::tcp_flags) return protocol_ == tcp;
      const bool port = field == Field::th_sport || field == Field::th_dport;
      return port && !transport_name(*protocol_).empty();
    });
  }

  static bool contains(std::span<const Field> fields, Field field) {
    return std::ranges::find(fields, field) != fields.end();
  }

  // "tcp dport" when the protocol is known, "th dport" else. Without the match that makes a header
  // field what it is, the bytes at its place are all that can be said.
  std::string name(Field field) const {
    const bool known = !family_implied(field) || family_implied(field) == family_;
    switch (kind(field)) {
      case Field::iif:
        return "iif";
      case Field::iifname:
        return "iifname";
      case Field::oif:
        return "oif";
      case Field::oifname:
        return "oifname";
      case Field::nfproto:
        return "meta nfproto";
      case Field::l4proto:
        return "meta l4proto";
      case Field::mark:
        return "meta mark";
      case Field::ct_state:
        return "ct state";
      case Field::ip_saddr:
        return known ? "ip saddr" : "@nh,96,32";
      case Field::ip_daddr:
        return known ? "ip daddr" : "@nh,128,32";
      case Field::ip6_saddr:
        return known ? "ip6 saddr" : "@nh,64,128";
      case Field::ip6_daddr:
        return known ? "ip6 daddr" : "@nh,192,128";
      case Field::ip6_hoplimit:
        return known ? "ip6 hoplimit" : "@nh,56,8";
      case Field::th_sport:
        return transport() + " sport";
      case Field::th_dport:
        return transport() + " dport";
      case Field::icmp_type:
        return known && protocol_ == icmp ? "icmp type" : "@th,0,8";
      case Field::icmpv6_type:
        return known && protocol_ == icmpv6 ? "icmpv6 type" : "@th,0,8";
      case Field::iiftype:
        return "meta iiftype";
      case Field::ether_saddr:
        return ethernet_ ? "ether saddr" : "@ll,48,48";
      case Field::skuid:
        return "meta skuid";
      case Field::skgid:
        return "meta skgid";
      case Field::ct_status:
        return "ct status";
      case Field::ct_original_dport:
        return "ct original proto-dst";
      case Field::ct_original_daddr4:
        return "ct original ip daddr";
      case Field::ct_original_daddr6:
        return "ct original ip6 daddr";
      case Field::daddr_type:
        return "fib daddr type";
      case Field::pkttype:
        return "meta pkttype";
      case Field::time:
        return "meta time";
      case Field::tcp_flags:
        return protocol_ == tcp ? "tcp flags" : "@th,104,8";
      case Field::cgroup:
        return "socket cgroupv2 level " + std::to_string(*cgroup_level(field));
    }
    return {};
  }

  std::string transport() const {
    const std::string_view own = protocol_ ? transport_name(*protocol_) : std::string_view();
    return std::string(own.empty() ? "th" : own);
  }

  std::string name(const std::vector<Field>& key) const {
    std::string all;
    for (const Field field : key) all += (all.empty() ? "" : " . ") + name(field);
    return all;
  }

  std::string print(const Match& match) const {
    const std::string field = name(match.field) + ' ';
    if (!match.mask.empty())
      return field + masked_text(match.field, match.negated, match.value, match.mask);
    // Without an operator, nft takes these as bits of which one must be set.
    const bool bits = match.field == Field::ct_state || match.field == Field::ct_status ||
                      match.field == Field::tcp_flags;
    const std::string_view equal = bits ? "== " : "";
    return field + std::string(match.negated ? "!= " : equal) +
           value_text(match.field, match.value);
  }

  std::string print(const RangeMatch& match) const {
    return name(match.field) + ' ' + range_text(match.field, match.low, match.high);
  }

  std::string print(const Before& before) const {
    return name(before.field) + " < " + value_text(before.field, before.value);
  }

  std::string print(const SetLookup& lookup) const {
    if (lookup.mask.empty())
      return name(lookup.key) + (lookup.negated ? " != @" : " @") + lookup.set;
    return name(lookup.key) + " & " + value_text(lookup.key.front(), lookup.mask) +
           (lookup.negated ? " != @" : " == @") + lookup.set;
  }

  std::string print(const MapLookup& lookup) const {
    return name(lookup.key) + " vmap @" + lookup.map;
  }

  static std::string print(const Counter& counter) {
    if (counter.packets == 0 && counter.bytes == 0) return "counter";
    return "counter packets " + std::to_string(counter.packets) + " bytes " +
           std::to_string(counter.bytes);
  }

  static std::string print(const Limit& limit) {
    return (limit.over ? "limit rate over " : "limit rate ") + std::to_string(limit.rate) + '/' +
           unit(limit.seconds) + " burst " + std::to_string(limit.burst) + " packets";
  }

  std::string print(const Meter& meter) const {
    const std::string mask = meter.mask.empty() ? "" : " & " + value_text(meter.field, meter.mask);
    return "update @" + meter.set + " { " + name(meter.field) + mask + ' ' + print(meter.limit) +
           " }";
  }

  static std::string unit(std::uint64_t seconds) {
    switch (seconds) {
      case 1:
        return "second";
      case 60:
        return "minute";
      case 3600:
        return "hour";
      case 86400:
        return "day";
      case 604800:
        return "week";
      default:
        return std::to_string(seconds) + "s";  // nft has no word for it
    }
  }

  static std::string print(const Log& log) {
    return (log.prefix.empty() ? "log" : "log prefix \"" + log.prefix + '"') +
           (log.group ? " group " + std::to_string(*log.group) : " level info");
  }

  static std::string print(const Trace& /*none*/) { return "meta nftrace set 1"; }

  static std::string print(const Reject& reject) {
    return reject.with == RejectWith::tcp_reset ? "reject with tcp reset"
                                                : "reject with icmpx port-unreachable";
  }

  static std::string print(const Verdict& verdict) { return text(verdict); }

  static std::string print(const Dnat& dnat) {
    std::string address = value_text(dnat.ipv6 ? Field::ip6_daddr : Field::ip_daddr, dnat.address);
    if (dnat.ipv6 && dnat.port) address = '[' + address + ']';
    return (dnat.ipv6 ? "dnat ip6 to " : "dnat ip to ") + address +
           (dnat.port ? ':' + std::to_string(*dnat.port) : "");
  }

  static std::string print(const Redirect& redirect) {
    return "redirect to :" + std::to_string(redirect.port);
  }

  static std::string print(const Masquerade& /*none*/) { return "masquerade"; }

  const Rule& rule_;
  std::string text_;
  std::optional<std::uint8_t> family_;
  std::optional<std::uint8_t> protocol_;
  bool ethernet_ = false;
};

}  // namespace

std::string text(const Rule& rule) {
  return RuleText(rule).print();
}

std::string text(const Verdict& verdict) {
  switch (verdict.kind) {
    case VerdictKind::accept:
      return "accept";
    case VerdictKind::drop:
      return "drop";
    case VerdictKind::jump:
      return "jump " + verdict.chain;
    case VerdictKind::go_to:
      return "goto " + verdict.chain;
    case VerdictKind::go_back:
      return "return";
  }
  return {};
}

}  // namespace fwctl::nft
