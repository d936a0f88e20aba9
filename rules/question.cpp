#include "rules/question.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "rules/icmp.h"
#include "rules/interface.h"
#include "rules/nearest.h"
#include "rules/number.h"
#include "rules/policy/grammar.h"
#include "rules/policy/items.h"

namespace fwctl {
namespace {

using policy::Parsed;
using policy::PortItem;
using policy::ServiceName;
using policy::ServicePort;
using policy::Traffic;
using policy::Word;

constexpr std::array<std::string_view, 13> clause_words{"from",   "to",    "on",   "in",  "out",
                                                        "routed", "proto", "port", "mac", "mark",
                                                        "user",   "group", "unit"};
constexpr std::array<std::pair<std::string_view, Traffic>, 3> traffic_words{
    {{"in", Traffic::incoming}, {"out", Traffic::outgoing}, {"routed", Traffic::routed}}};

// What ping sends, as people say it.
constexpr std::string_view echo = "echo";

std::optional<std::uint8_t> icmp_type(Family family, std::string_view word) {
  return parse_icmp_type(family, word == echo ? "echo-request" : word);
}

template <std::size_t size>
bool contains(const std::array<std::string_view, size>& words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

std::string quoted(std::string_view word) {
  return "'" + std::string(word) + "'";
}

bool is_loopback(const std::optional<AddressRange>& range) {
  return range && range->first.is_loopback() && range->last.is_loopback();
}

// One kind of packet, of whichever families its protocol has.
struct Kind {
  Protocol protocol;
  PortRange ports = all_ports;
  std::optional<std::uint8_t> icmp_type;

  bool has(Family family) const {
    return protocol == icmp ? family == Family::ipv4 : protocol != icmpv6 || family == Family::ipv6;
  }
  std::string text() const {
    if (ports != all_ports) return ports.text() + "/" + protocol.text();
    return protocol.text() + (icmp_type ? " type " + std::to_string(*icmp_type) : "");
  }
};

class Reader : policy::WordReader {
 public:
  Reader(const policy::Command& command, const policy::ServiceTable& services,
         const policy::Surroundings& surroundings, const policy::Units& units, bool open,
         Diagnostics& diagnostics)
      : WordReader(command.words, command.source, diagnostics),
        command_(command),
        services_(services),
        surroundings_(surroundings),
        units_(units),
        open_(open),
        routed_(std::ranges::find(command.words, "routed", &Word::text) != command.words.end()) {}

  std::optional<std::vector<Asked>> read() {
    while (!at_end() && !failed()) read_word(next());
    if (!failed()) settle();
    if (!failed()) check_families();
    if (failed()) return {};
    return asked();
  }

 private:
  // The only item of a list; `one` says what there must be one of.
  template <typename T>
  std::optional<T> single(const Word& word, Parsed<std::vector<T>> parsed, std::string_view one) {
    auto items = accept(word, std::move(parsed));
    if (!items) return {};
    if (items->size() == 1) return std::move(items->front());
    complain(word.at, "ask about one " + std::string(one) + " at a time");
    return {};
  }

  void once(bool& seen, const Word& word) {
    if (std::exchange(seen, true)) complain(word.at, quoted(word.text) + " a second time");
  }

  void read_word(const Word& word) {
    for (const auto& [name, traffic] : traffic_words)
      if (word.text == name) return read_traffic(word, traffic);
    if (word.text == "on") return read_interface(word, interface_);
    if (word.text == "from") return read_side(word, seen_from_, from_);
    if (word.text == "to") return read_side(word, seen_to_, to_);
    if (word.text == "proto") return read_protocol(word);
    if (word.text == "mac") return read_mac(word);
    if (word.text == "mark") return read_mark(word);
    if (word.text == "user") return read_account(word, surroundings_.users, user_);
    if (word.text == "group") return read_account(word, surroundings_.groups, group_);
    if (word.text == "unit") return read_unit(word);
    if (word.text == "port")
      return complain(word.at, "'port' stands behind 'from ADDRESS' or 'to ADDRESS'");
    read_what(word);
  }

  // Of a routed packet, "in" and "out" say which interface "on" names.
  void read_traffic(const Word& word, Traffic traffic) {
    if (routed_ && traffic != Traffic::routed && take("on"))
      return traffic == Traffic::incoming ? read_interface(word, interface_)
                                          : read_interface(word, out_interface_);
    if (std::exchange(seen_traffic_, true))
      return complain(word.at, "a packet is one of in, out and routed");
    traffic_ = traffic;
  }

  void read_interface(const Word& keyword, std::optional<std::string>& interface) {
    if (interface) return complain(keyword.at, "a second interface");
    const Word* name = argument("on", "an interface");
    if (name == nullptr) return;
    interface = single(*name, policy::parse_interfaces(name->text), "interface");
    const auto& wan = surroundings_.wan;
    if (interface == policy::wan_name && wan && wan->size() > 1)
      return complain(
          name->at, "wan is " + wan->at(0) + " and " + wan->at(1) + " now: ask about one of them");
    if (interface == policy::wan_name && wan && !wan->empty()) interface = wan->front();
    if (interface && is_pattern(*interface))
      complain(name->at, "ask about one interface, not about a pattern");
  }

  void read_side(const Word& keyword, bool& seen, std::optional<AddressRange>& range) {
    once(seen, keyword);
    const Word* address = failed() ? nullptr : argument(keyword.text, "an address, or any");
    if (address == nullptr) return;
    if (address->text != "any") read_address(*address, range);
    if (failed() || !take("port")) return;
    const Word* port = argument("port", "a port");
    if (port == nullptr) return;
    if (keyword.text == "from") return read_source_port(*port);
    read_what(*port);
  }

  void read_address(const Word& word, std::optional<AddressRange>& range) {
    const auto item = single(word, policy::parse_addresses(word.text), "address");
    if (!item) return;
    if (const auto* found = std::get_if<AddressRange>(&item->what))
      range = *found;
    else if (std::holds_alternative<AddressSuffix>(item->what))
      complain(word.at, "ask about one address that ends so");
    else
      complain(word.at, std::holds_alternative<policy::SetName>(item->what)
                            ? "ask about an address of the set"
                            : "ask about an address of the host");
  }

  void read_mac(const Word& keyword) {
    if (mac_) return complain(keyword.at, "'mac' a second time");
    if (const Word* word = argument(keyword.text, "a MAC address"))
      mac_ = single(*word, policy::parse_macs(word->text), "MAC address");
  }

  void read_mark(const Word& keyword) {
    if (mark_) return complain(keyword.at, "'mark' a second time");
    const Word* word = argument(keyword.text, "a mark, as 0x1");
    if (word == nullptr) return;
    const auto mark = accept(*word, policy::parse_mark(word->text));
    if (mark && mark->mask != policy::Mark{}.mask)
      return complain(word->at, "ask about one mark, without a mask");
    if (mark) mark_ = mark->value;
  }

  void read_account(const Word& keyword, const policy::Surroundings::Numbers& known,
                    std::optional<std::uint32_t>& number) {
    if (number) return complain(keyword.at, quoted(keyword.text) + " a second time");
    const Word* word = argument(keyword.text, "a name or number");
    if (word == nullptr) return;
    const auto account = single(*word, policy::parse_accounts(word->text), keyword.text);
    if (!account) return;
    sender_at_ = word->at;
    if (const auto* given = std::get_if<std::uint32_t>(&account->what)) {
      number = *given;
      return;
    }
    const auto found = known.find(std::get<std::string>(account->what));
    if (found != known.end()) {
      number = found->second;
      return;
    }
    complain(word->at, policy::unknown_account(known, keyword.text, word->text));
  }

  void read_unit(const Word& keyword) {
    if (unit_) return complain(keyword.at, "'unit' a second time");
    const Word* word = argument(keyword.text, "the name of a unit");
    if (word == nullptr) return;
    unit_ = single(*word, policy::parse_units(word->text), keyword.text);
    sender_at_ = word->at;
    if (unit_ && open_ && !units_.contains(*unit_))
      complain(word->at, quoted(*unit_) + " does not run: it sends nothing");
  }

  void read_source_port(const Word& word) {
    const auto item = single(word, policy::parse_ports(word.text), "source port");
    if (!item) return;
    const auto* range = std::get_if<PortRange>(&item->what);
    if (range == nullptr || item->protocol) return complain(word.at, "a source port is a number");
    from_ports_ = *range;
    from_ports_at_ = word.at;
  }

  void read_protocol(const Word& keyword) {
    const Word* name = argument(keyword.text, "a protocol");
    if (name == nullptr) return;
    if (const auto protocol = accept(*name, policy::parse_protocol(name->text)))
      set_protocol(*name, *protocol);
  }

  void set_protocol(const Word& word, Protocol protocol) {
    if (protocol_) return complain(word.at, "ask about one protocol at a time");
    protocol_ = protocol;
    protocol_at_ = word.at;
    if (protocol != icmp && protocol != icmpv6) return;
    const bool type = !at_end() && !contains(clause_words, WordReader::word().text);
    if (type) read_icmp_type(next(), protocol);
  }

  // A number is of the protocol said; a name behind "icmp" is of both families.
  void read_icmp_type(const Word& word, Protocol protocol) {
    if (!kinds_.empty()) return complain(word.at, "ask about one port or protocol at a time");
    const bool number = parse_number(word.text, 255).has_value();
    std::vector<std::string_view> known{echo};
    for (const auto& [family, its] : {std::pair(Family::ipv4, icmp), {Family::ipv6, icmpv6}}) {
      if (its != protocol && (number || protocol == icmpv6)) continue;
      for (const auto name : icmp_type_names(family)) known.push_back(name);
      if (const auto type = icmp_type(family, word.text))
        kinds_.push_back({.protocol = its, .icmp_type = type});
    }
    if (kinds_.empty())
      complain(word.at, quoted(word.text) + " is no type of " + protocol.text() +
                            ": a name, or 0 to 255" + suggestion(word.text, known));
  }

  void read_what(const Word& word) {
    const bool number = parse_number(word.text, 65535).has_value();
    const auto protocol = number ? std::nullopt : Protocol::parse(word.text);
    if (protocol) return set_protocol(word, *protocol);
    if (const auto ports = policy::parse_ports(word.text);
        !ports && policy::parse_addresses(word.text))
      return complain(word.at, "an address needs 'from' or 'to' before it");
    const auto item = single(word, policy::parse_ports(word.text), "port or service");
    if (!item) return;
    if (!kinds_.empty()) return complain(word.at, "ask about one port or protocol at a time");
    if (const auto* service = std::get_if<ServiceName>(&item->what))
      return read_service(word, service->name, item->protocol);
    for (const auto each : item->protocol ? std::vector{*item->protocol} : std::vector{tcp, udp})
      kinds_.push_back({.protocol = each, .ports = std::get<PortRange>(item->what)});
  }

  void read_service(const Word& word, const std::string& name, std::optional<Protocol> protocol) {
    const auto* known = services_.find(name);
    if (known == nullptr) {
      std::vector<std::string_view> names(clause_words.begin(), clause_words.end());
      for (const auto* one : {"icmp", "icmpv6", "tcp", "udp", "esp"}) names.emplace_back(one);
      for (const auto service : services_.names()) names.push_back(service);
      return complain(word.at, "no service is called " + quoted(name) + suggestion(name, names));
    }
    for (const ServicePort& port : known->ports)
      if (!protocol || port.protocol == *protocol)
        kinds_.push_back({.protocol = port.protocol, .ports = port.ports});
    if (kinds_.empty())
      complain(word.at, "service " + quoted(name) + " is not known for " + protocol->text());
  }

  // Makes one of "proto tcp" and "port 80", and holds them against each other.
  void settle() {
    if (kinds_.empty() && !protocol_ && !open_)
      return complain(command_.whole,
                      "say what to ask about: a port (22/tcp), a service (ssh) or a protocol (icmp "
                      "echo, esp)");
    if (kinds_.empty() && protocol_) kinds_.push_back({.protocol = *protocol_});
    const bool typed = !kinds_.empty() && kinds_.front().icmp_type.has_value();
    if (protocol_ && !typed && kinds_.front().ports != all_ports) {
      if (!protocol_->has_ports())
        return complain(protocol_at_, "protocol " + protocol_->text() + " has no ports");
      std::erase_if(kinds_, [&](const Kind& kind) { return kind.protocol != *protocol_; });
      if (kinds_.empty())
        return complain(protocol_at_, "the ports are not of protocol " + protocol_->text());
    }
    const bool ports = std::all_of(kinds_.begin(), kinds_.end(),
                                   [](const Kind& kind) { return kind.protocol.has_ports(); });
    if ((user_ || group_ || unit_) && traffic_ != Traffic::outgoing)
      return complain(sender_at_,
                      "who sends a packet is known of what this host sends: ask with 'out'");
    if (from_ports_ && kinds_.empty())
      complain(from_ports_at_, "say of which protocol: proto tcp, or proto udp");
    else if (from_ports_ && !ports)
      complain(from_ports_at_, "protocol " + kinds_.front().protocol.text() + " has no ports");
  }

  bool possible(Family family) const {
    return (!from_ || from_->family() == family) && (!to_ || to_->family() == family);
  }

  void check_families() {
    if (from_ && to_ && from_->family() != to_->family())
      return complain(command_.whole, "'from' and 'to' are of different families");
    if (kinds_.empty()) return;
    const bool any = std::any_of(kinds_.begin(), kinds_.end(), [&](const Kind& kind) {
      return (kind.has(Family::ipv4) && possible(Family::ipv4)) ||
             (kind.has(Family::ipv6) && possible(Family::ipv6));
    });
    if (!any)
      complain(protocol_at_, kinds_.front().protocol == icmp
                                 ? "icmp is of IPv4: over IPv6 it is icmpv6"
                                 : "icmpv6 is of IPv6: over IPv4 it is icmp");
  }

  std::vector<Asked> asked() const {
    std::vector<Asked> out;
    if (kinds_.empty())
      for (const auto family : {Family::ipv4, Family::ipv6})
        if (possible(family))
          out.push_back({.what = {}, .packets = packets({}, family), .cgroup = cgroup()});
    for (const auto& kind : kinds_)
      for (const auto family : {Family::ipv4, Family::ipv6})
        if (kind.has(family) && possible(family))
          out.push_back(
              {.what = kind.text(), .packets = packets(kind, family), .cgroup = cgroup()});
    return out;
  }

  std::optional<policy::Cgroup> cgroup() const {
    const auto found = unit_ ? units_.find(*unit_) : units_.end();
    return found == units_.end() ? std::nullopt : std::optional(found->second);
  }

  Packets packets(const Kind& kind, Family family) const {
    Packets out{.traffic = traffic_,
                .from = from_.value_or(everything(family)),
                .to = to_.value_or(everything(family)),
                .protocol = kind.protocol,
                .from_ports = from_ports_.value_or(all_ports),
                .to_ports = kind.ports,
                .icmp_type = kind.icmp_type,
                .interface = interface_,
                .out_interface = out_interface_,
                .mark = mark_};
    if (mac_) out.mac = mac_;
    if (user_) out.user = user_;
    if (group_) out.group = group_;
    if (unit_) out.units = policy::with_slices(*unit_, units_);
    const bool loops = is_loopback(from_) || is_loopback(to_);
    if (loops && !out.interface) out.interface = "lo";
    return out;
  }

  const policy::Command& command_;
  const policy::ServiceTable& services_;
  const policy::Surroundings& surroundings_;
  const policy::Units& units_;
  bool open_;
  bool routed_;
  bool seen_traffic_ = false;
  bool seen_from_ = false;
  bool seen_to_ = false;

  std::vector<Kind> kinds_;
  std::optional<Protocol> protocol_;
  Span protocol_at_;
  Traffic traffic_ = Traffic::incoming;
  std::optional<std::string> interface_;
  std::optional<std::string> out_interface_;
  std::optional<MacAddress> mac_;
  std::optional<std::uint32_t> mark_;
  std::optional<std::uint32_t> user_;
  std::optional<std::uint32_t> group_;
  std::optional<std::string> unit_;
  Span sender_at_;
  std::optional<AddressRange> from_;
  std::optional<AddressRange> to_;
  std::optional<PortRange> from_ports_;
  Span from_ports_at_;
};

}  // namespace

policy::Names names(const std::vector<std::string>& words) {
  policy::Names out;
  for (std::size_t index = 0; index + 1 < words.size(); ++index) {
    if (words[index] == "on") out.wan = out.wan || words[index + 1] == policy::wan_name;
    if (words[index] == "user") out.users.insert(words[index + 1]);
    if (words[index] == "group") out.groups.insert(words[index + 1]);
  }
  return out;
}

policy::UnitNames unit_names(const std::vector<std::string>& words) {
  policy::UnitNames out;
  for (std::size_t index = 0; index + 1 < words.size(); ++index)
    if (words[index] == "unit")
      if (const auto name = policy::unit_name(words[index + 1])) out.insert(*name);
  return out;
}

std::optional<std::vector<Asked>> parse_question(const std::vector<std::string>& words,
                                                 const policy::ServiceTable& services,
                                                 const policy::Surroundings& surroundings,
                                                 const policy::Units& units,
                                                 Diagnostics& diagnostics) {
  const policy::Command command = policy::place(words);
  return Reader(command, services, surroundings, units, false, diagnostics).read();
}

std::optional<std::vector<Asked>> parse_open_question(const std::vector<std::string>& words,
                                                      const policy::ServiceTable& services,
                                                      const policy::Surroundings& surroundings,
                                                      const policy::Units& units,
                                                      Diagnostics& diagnostics) {
  const policy::Command command = policy::place(words);
  return Reader(command, services, surroundings, units, true, diagnostics).read();
}

}  // namespace fwctl
