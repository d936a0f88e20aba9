#include "rules/policy/check.h"

#include <algorithm>
#include <functional>
#include <map>
#include <memory_resource>
#include <set>
#include <unordered_map>

#include "rules/digest.h"
#include "rules/nearest.h"
#include "rules/policy/address_ranges.h"
#include "rules/policy/baseline.h"
#include "rules/policy/items.h"
#include "rules/policy/shadow.h"
#include "rules/policy/translation.h"

namespace fwctl::policy {
namespace {

constexpr std::string_view no_wan =
    "matches nothing while there is no default route: 'wan' is the interfaces of default routes";

// The one of them, sorted and disjoint, that has the address; the end: none.
template <typename Items, typename RangeOf>
auto find_in(const Items& items, const Address& address, RangeOf range_of) {
  const auto after = std::upper_bound(items.begin(), items.end(), address,
                                      [&](const Address& wanted, const auto& item) {
                                        return wanted < std::invoke(range_of, item).first;
                                      });
  const bool none =
      after == items.begin() || !std::invoke(range_of, *std::prev(after)).contains(address);
  return none ? items.end() : std::prev(after);
}

template <typename T>
void add_once(std::vector<T>& out, const T& one) {
  if (std::find(out.begin(), out.end(), one) == out.end()) out.push_back(one);
}

std::vector<Protocol> protocols(const PortItem& item) {
  return item.protocol ? std::vector{*item.protocol} : std::vector{tcp, udp};
}

}  // namespace

bool CheckedSet::contains(const Address& address, Time time) const {
  const auto& lasting_ones = ranges(address.family());
  if (find_in(lasting_ones, address, std::identity()) != lasting_ones.end()) return true;
  const auto& ending_ones = temporary(address.family());
  const auto ending = find_in(ending_ones, address, &TemporaryRange::range);
  return ending != ending_ones.end() && time < ending->until;
}

std::optional<std::size_t> CheckedPolicy::find(std::string_view id) const {
  const auto found = std::find(ids_.begin(), ids_.end(), id);
  if (found == ids_.end()) return {};
  return static_cast<std::size_t>(found - ids_.begin());
}

void CheckedPolicy::append(Rule rule, CheckedRule checked) {
  ids_.push_back(checked.id);
  rules_[static_cast<std::size_t>(traffic(rule.direction))].push_back(std::move(checked));
  policy_.rules.push_back(std::move(rule));
}

void CheckedPolicy::take_back() {
  ids_.pop_back();
  rules_[static_cast<std::size_t>(traffic(policy_.rules.back().direction))].pop_back();
  policy_.rules.pop_back();
}

void CheckedPolicy::extend(std::size_t set, const std::vector<AddressRange>& entries) {
  auto& ranges = policy_.sets[set].ranges;
  ranges.insert(ranges.end(), entries.begin(), entries.end());
  for (const auto& range : entries) {
    auto& lasting = sets_[set].lasting.of(range.family());
    lasting.insert(place_in(lasting, range), range);
  }
}

void CheckedPolicy::take_back(std::size_t set, const std::vector<AddressRange>& entries) {
  auto& ranges = policy_.sets[set].ranges;
  ranges.resize(ranges.size() - entries.size());
  for (const auto& range : entries) {
    auto& lasting = sets_[set].lasting.of(range.family());
    lasting.erase(place_in(lasting, range));
  }
}

std::string unknown_set(const Policy& policy, const std::string& name) {
  std::vector<std::string_view> names;
  names.reserve(policy.sets.size());
  for (const auto& set : policy.sets) names.push_back(set.name);
  return "no set is called '" + name + "'" + suggestion(name, names);
}

Diagnostics ended(const Policy& policy, const Sources& sources, Time now) {
  Diagnostics out;
  for (const auto& rule : policy.rules)
    if (rule.layer == Layer::managed && rule.until && *rule.until <= now)
      out.push_back(warning_in(sources.at(rule.source), rule.at,
                               "this rule has ended, at " + time_text(*rule.until) +
                                   ": it matches nothing any more and can be taken out"));
  for (const auto& set : policy.sets) {
    const auto over = std::ranges::count_if(
        set.temporary, [&](const TemporaryRange& entry) { return entry.until <= now; });
    if (over > 0 && set.source != sources.managed.size())
      out.push_back(
          warning_in(sources.at(set.source), set.at,
                     std::to_string(over) +
                         (over == 1 ? " entry of this set has" : " entries of this set have") +
                         " ended and can be taken out"));
  }
  return out;
}

std::string rule_id(const Rule& rule) {
  if (rule.until) {
    Rule lasting = rule;
    lasting.until.reset();
    return rule_id(lasting);
  }
  return "r" + hex(digest(command_text(rule)), 8);
}

class Checker {
 public:
  Checker(Policy policy, const Sources& sources, ServiceTable services, Diagnostics& diagnostics)
      : sources_(sources), diagnostics_(diagnostics), services_(std::move(services)) {
    checked_.policy_ = std::move(policy);
  }

  std::optional<CheckedPolicy> check() {
    define_services(checked_.policy_, sources_, services_);
    check_sets();
    check_baseline();
    check_each_rule();
    if (checked_.policy_.containers) rules(Traffic::routed).push_back(container_networks());
    check_forwards();
    check_masquerades();
    if (has_errors(diagnostics_)) return {};
    warn_of_shadows();
    return std::move(checked_);
  }

  std::optional<CheckedPolicy> check_rules_alone() {
    define_services(checked_.policy_, sources_, services_);
    check_sets();
    check_each_rule();
    if (has_errors(diagnostics_)) return {};
    return std::move(checked_);
  }

 private:
  void complain(const Rule& rule, Span at, std::string_view message) {
    diagnostics_.push_back(error_in(sources_.at(rule.source), at, message));
  }

  CheckedRules& rules(Traffic traffic) {
    return checked_.rules_[static_cast<std::size_t>(traffic)];
  }

  void check_baseline() {
    const auto& off = checked_.policy_.switched_off;
    for (const auto traffic : {Traffic::incoming, Traffic::outgoing, Traffic::routed})
      for (auto& rule : baseline(traffic, off)) rules(traffic).push_back(std::move(rule));
    for (const auto& [item, source, at] : off) {
      const auto missed = missed_without(item);
      if (!can_be_switched_off(item))
        diagnostics_.push_back(
            error_in(sources_.at(source), at,
                     "'" + item +
                         "' cannot be switched off: a rule decides what begins a connection, and "
                         "without it no answer would pass"));
      else if (!missed.empty())
        diagnostics_.push_back(
            warning_in(sources_.at(source), at, "without '" + item + "', " + std::string(missed)));
    }
  }

  void check_sets() {
    for (auto& set : checked_.policy_.sets) {
      CheckedSet checked{.name = set.name, .lasting = set.from_file};
      for (const auto& range : set.ranges) checked.lasting.push_back(range);
      checked.lasting = checked.lasting.merged();
      std::vector<TemporaryRange> ipv4;
      std::vector<TemporaryRange> ipv6;
      for (const auto& entry : set.temporary)
        (entry.range.family() == Family::ipv4 ? ipv4 : ipv6).push_back(entry);
      checked.temporary_ipv4 = left_of(ipv4, checked.lasting.ipv4);
      checked.temporary_ipv6 = left_of(ipv6, checked.lasting.ipv6);
      // Their order in the file means nothing, and so they are there once.
      set.pairs_from_file = set.pairs_from_file.sorted();
      checked.pairs = set.pairs_from_file;
      for (const auto& pair : set.pairs) checked.pairs.push_back(pair);
      checked.pairs = checked.pairs.sorted();
      set_numbers_[set.name] = checked_.sets_.size();
      checked_.sets_.push_back(std::move(checked));
    }
  }

  // The id of rule `index`, made unique among those before it.
  std::string unique_id(const Rule& rule) {
    const std::string id = rule_id(rule);
    const int same = ++ids_seen_[id];
    return same == 1 ? id : id + "-" + std::to_string(same);
  }

  void check_each_rule() {
    const std::size_t count = checked_.policy_.rules.size();
    checked_.ids_.reserve(count);
    ids_seen_.reserve(count);
    for (std::size_t index = 0; index < count; ++index) {
      const Rule& rule = checked_.policy_.rules[index];
      if (too_much(diagnostics_, sources_.at(rule.source), rule.at)) return;
      check_rule(index);
    }
  }

  void check_rule(std::size_t index) {
    const Rule& rule = checked_.policy_.rules[index];
    CheckedRule checked{.id = unique_id(rule),
                        .verdict = rule.verdict,
                        .log = rule.log,
                        .rate = rule.rate,
                        .conditions = {.interfaces = interfaces(rule, rule.interfaces),
                                       .out_interfaces = interfaces(rule, rule.out_interfaces),
                                       .macs = rule.macs,
                                       .mark = rule.mark,
                                       .until = rule.until},
                        .written = index};
    checked_.ids_.push_back(checked.id);
    auto& conditions = checked.conditions;
    conditions.flows = flows(rule);
    conditions.from = addresses(rule, rule.from);
    conditions.to = addresses(rule, rule.to);
    check_families(rule, conditions);
    check_pairs(rule);
    if (!rule.macs.empty() && rule.direction == Direction::out)
      complain(rule, rule.at,
               "what goes out has no MAC source yet: 'mac' goes with incoming and routed rules");
    const auto& surroundings = sources_.surroundings;
    conditions.users = resolve(rule, rule.users, "user", surroundings.users);
    conditions.groups = resolve(rule, rule.groups, "group", surroundings.groups);
    for (const auto& unit : rule.units) add_once(conditions.units, unit);
    if (rule.direction != Direction::out &&
        !(rule.users.empty() && rule.groups.empty() && rule.units.empty()))
      complain(rule, sender_at(rule),
               "who sends a packet is known of what this host sends: 'user', 'group' and 'unit' go "
               "with outgoing rules, as in 'deny out user postgres'");
    if (nowhere(rule.interfaces, conditions.interfaces) ||
        nowhere(rule.out_interfaces, conditions.out_interfaces))
      return;
    rules(traffic(rule.direction)).push_back(std::move(checked));
  }

  // The first that names a set of pairs.
  const AddressItem* pairs_in(const std::vector<AddressItem>& items) const {
    const auto found = std::ranges::find_if(items, [&](const AddressItem& item) {
      const auto* set = std::get_if<SetName>(&item.what);
      const auto number = set == nullptr ? set_numbers_.end() : set_numbers_.find(set->name);
      return number != set_numbers_.end() && !checked_.sets_[number->second].pairs.empty();
    });
    return found == items.end() ? nullptr : &*found;
  }

  // What a set of pairs goes with.
  void check_pairs(const Rule& rule) {
    for (const auto* items : {&rule.from, &rule.to}) {
      const auto* item = pairs_in(*items);
      if (item == nullptr) continue;
      const std::string what = "'" + text(*item) + "' is a set of addresses with ports: ";
      if (item->negated)
        complain(rule, item->at,
                 what + "all but that cannot be said; let it pass in a rule before one for all");
      else if (items->size() > 1)
        complain(rule, item->at, what + "it stands alone; make a rule of its own of the rest");
      else if (items == &rule.to && pairs_in(rule.from) != nullptr)
        complain(rule, item->at, what + "one of 'from' and 'to' can be such a one");
      else if (rule.protocol || !rule.ports.empty() || !rule.from_ports.empty())
        complain(rule, item->at, what + "the rule itself names no ports and no protocol");
    }
  }

  static Span sender_at(const Rule& rule) {
    if (!rule.users.empty()) return rule.users.front().at;
    return rule.groups.empty() ? rule.at : rule.groups.front().at;
  }

  // With those that `wan` is now in its place; each once.
  std::vector<std::string> interfaces(const Rule& rule, const std::vector<std::string>& written) {
    std::vector<std::string> out;
    const auto add = [&](const std::string& name) { add_once(out, name); };
    for (const auto& name : written) {
      const auto& wan = sources_.surroundings.wan;
      if (name != wan_name)
        add(name);
      else if (wan)
        for (const auto& one : *wan) add(one);
    }
    if (nowhere(written, out) && sources_.surroundings.wan)
      diagnostics_.push_back(warning_in(sources_.at(rule.source), rule.at, std::string(no_wan)));
    return out;
  }

  // Names that mean no interface now: what is about them alone matches nothing, and is left out.
  static bool nowhere(const std::vector<std::string>& written,
                      const std::vector<std::string>& interfaces) {
    return interfaces.empty() && !written.empty();
  }

  std::vector<std::uint32_t> resolve(const Rule& rule, const std::vector<Account>& accounts,
                                     std::string_view kind, const Surroundings::Numbers& known) {
    std::vector<std::uint32_t> out;
    for (const auto& account : accounts) {
      const auto* name = std::get_if<std::string>(&account.what);
      const auto found = name == nullptr ? known.end() : known.find(*name);
      std::uint32_t number = 0;
      if (name == nullptr) {
        number = std::get<std::uint32_t>(account.what);
      } else if (found != known.end()) {
        number = found->second;
      } else {
        complain(rule, account.at, unknown_account(known, kind, *name));
        continue;
      }
      add_once(out, number);
    }
    return out;
  }

  std::vector<ServicePort> resolve(const Rule& rule, const std::vector<PortItem>& items) {
    std::vector<ServicePort> out;
    for (const auto& item : items) {
      if (const auto* range = std::get_if<PortRange>(&item.what)) {
        for (const auto protocol : protocols(item))
          out.push_back({.protocol = protocol, .ports = *range});
        continue;
      }
      resolve_service(rule, item, out);
    }
    return out;
  }

  void resolve_service(const Rule& rule, const PortItem& item, std::vector<ServicePort>& out) {
    const auto& name = std::get<ServiceName>(item.what).name;
    const auto* known = services_.find(name);
    if (known == nullptr) return complain(rule, item.at, unknown_service(name));
    if (known->ports.empty()) return;  // the parser has complained
    if (known->profile && item.protocol)
      return complain(rule, item.at,
                      "application profile '" + name + "' brings its own protocols: leave '" +
                          item.protocol->text() + "' out");
    std::uint32_t items_before = 0;
    for (const auto& port : out) items_before = std::max(items_before, port.item);
    bool any = false;
    for (auto port : known->ports) {
      if (item.protocol && *item.protocol != port.protocol) continue;
      any = true;
      if (known->profile) port.item += items_before;
      out.push_back(port);
    }
    if (!any)
      complain(rule, item.at, "service '" + name + "' is not known for " + item.protocol->text());
  }

  std::string unknown_service(const std::string& name) const {
    const auto alike = services_.alike(name);
    if (alike.size() > 1)
      return "several application profiles are called '" + name +
             "' but for upper and lower case: '" + std::string(alike[0]) + "', '" +
             std::string(alike[1]) + "'";
    const bool like_a_port = name[0] >= '0' && name[0] <= '9';
    return (like_a_port ? "'" + name + "' is neither a port nor the name of a service"
                        : "no service is called '" + name + "'") +
           suggestion(name, services_.names());
  }

  // Whether both sides name one and the same application profile: its items then go with each
  // other.
  bool same_profile(const Rule& rule) const {
    if (rule.ports.size() != 1 || rule.from_ports != rule.ports) return false;
    const auto* service = std::get_if<ServiceName>(&rule.ports.front().what);
    const auto* known = service == nullptr ? nullptr : services_.find(service->name);
    return known != nullptr && known->profile;
  }

  // The first port of an item of a profile that goes with nothing on the other side.
  static const ServicePort* without_partner(const std::vector<ServicePort>& ports,
                                            const std::vector<ServicePort>& others) {
    std::set<std::uint32_t> met;
    for (const auto& port : ports)
      for (const auto& other : others)
        if (port.protocol == other.protocol) met.insert(port.item);
    const auto alone = std::find_if(ports.begin(), ports.end(), [&](const ServicePort& port) {
      return port.item != 0 && !met.contains(port.item);
    });
    return alone == ports.end() ? nullptr : &*alone;
  }

  std::vector<Flow> flows(const Rule& rule) {
    if (rule.protocol) {
      if (rule.icmp_types.empty()) return {Flow{.protocol = *rule.protocol}};
      std::vector<Flow> out;
      out.reserve(rule.icmp_types.size());
      for (const auto type : rule.icmp_types)
        out.push_back({.protocol = *rule.protocol, .icmp_type = type});
      return out;
    }
    if (rule.ports.empty() && rule.from_ports.empty()) return {};
    const std::size_t before = diagnostics_.size();
    const auto to = resolve(rule, rule.ports);
    const auto from = resolve(rule, rule.from_ports);
    std::vector<Flow> out;
    const auto add = [&](const Flow& flow) { add_once(out, flow); };
    if (rule.from_ports.empty())
      for (const auto& port : to) add({.protocol = port.protocol, .to = port.ports});
    else if (rule.ports.empty())
      for (const auto& port : from) add({.protocol = port.protocol, .from = port.ports});
    else
      add_pairs(from, to, same_profile(rule), add);
    if (diagnostics_.size() != before || to.empty() || from.empty()) return out;
    const auto* alone = without_partner(from, to);
    if (alone == nullptr) alone = without_partner(to, from);
    if (alone != nullptr)
      complain(rule, rule.at,
               "port " + text(*alone) +
                   " of an application profile has nothing of its protocol on "
                   "the other side");
    else if (out.empty())
      complain(rule, rule.at, "the source ports and the destination ports share no protocol");
    return out;
  }

  template <typename Add>
  static void add_pairs(const std::vector<ServicePort>& from, const std::vector<ServicePort>& to,
                        bool by_item, const Add& add) {
    for (const auto& source : from)
      for (const auto& port : to)
        if (source.protocol == port.protocol && (!by_item || source.item == port.item))
          add({.protocol = port.protocol, .from = source.ports, .to = port.ports});
  }

  std::vector<AddressMatch> addresses(const Rule& rule, const std::vector<AddressItem>& items) {
    if (!items.empty() && items.front().negated) return all_but(rule, items);
    std::vector<AddressMatch> out;
    for (const auto& item : items) {
      if (const auto* range = std::get_if<AddressRange>(&item.what)) {
        out.emplace_back(*range);
      } else if (const auto* suffix = std::get_if<AddressSuffix>(&item.what)) {
        out.emplace_back(SuffixMatch{.suffix = *suffix});
      } else if (const auto* host = std::get_if<HostName>(&item.what)) {
        out.emplace_back(SetIndex{.index = host_set(rule, item, host->name)});
      } else if (const auto index = find_set(rule, item)) {
        out.emplace_back(SetIndex{.index = *index});
      }
    }
    return out;
  }

  // Of one set or suffix, or the addresses between those that are named.
  std::vector<AddressMatch> all_but(const Rule& rule, const std::vector<AddressItem>& items) {
    AddressRanges named;
    for (const auto& item : items) {
      if (const auto* range = std::get_if<AddressRange>(&item.what)) {
        named.push_back(*range);
        continue;
      }
      const auto* suffix = std::get_if<AddressSuffix>(&item.what);
      if (items.size() > 1) {
        complain(rule, item.at,
                 suffix != nullptr
                     ? "a negated suffix stands alone: make a rule of its own of the rest"
                     : "a negated set stands alone: put the other addresses into it");
        return {};
      }
      if (suffix != nullptr) return {SuffixMatch{.suffix = *suffix, .negated = true}};
      if (const auto index = find_set(rule, item))
        return {SetIndex{.index = *index, .negated = true}};
      return {};
    }
    std::vector<AddressMatch> out;
    for (const auto& range : complement(named.merged())) out.emplace_back(range);
    if (out.empty()) complain(rule, items.front().at, "no address is left: no packet can match");
    return out;
  }

  // A set of the host's own, empty for as long as it has no address.
  std::size_t host_set(const Rule& rule, const AddressItem& item, const std::string& name) {
    const auto& known = sources_.surroundings.hosts;
    const auto found = known.find(name);
    if (found == known.end())
      diagnostics_.push_back(warning_in(sources_.at(rule.source), item.at,
                                        "'" + text(item) +
                                            "' has no address yet: no packet matches it until it "
                                            "is resolved"));
    const auto [number, fresh] = host_numbers_.emplace(name, checked_.sets_.size());
    if (!fresh) return number->second;
    CheckedSet set{.name = name, .host = true, .lasting = {}};
    if (found != known.end())
      for (const auto& address : found->second) set.lasting.push_back({address, address});
    checked_.sets_.push_back(std::move(set));
    return number->second;
  }

  std::optional<std::size_t> find_set(const Rule& rule, const AddressItem& item) {
    const auto& name = std::get<SetName>(item.what).name;
    const auto found = set_numbers_.find(name);
    if (found != set_numbers_.end()) return found->second;
    complain(rule, item.at, unknown_set(checked_.policy_, name));
    return {};
  }

  static bool has_family(const std::vector<AddressMatch>& matches, Family family) {
    if (matches.empty()) return true;
    // A set may be empty today and hold either family tomorrow.
    const auto of_set = [](const SetIndex& /*set*/) { return true; };
    return std::ranges::any_of(
        matches, [&](const AddressMatch& match) { return possible_in(family, match, of_set); });
  }

  void check_families(const Rule& rule, const Conditions& conditions) {
    bool any = false;
    for (const auto family : {Family::ipv4, Family::ipv6})
      any = any || (has_family(conditions.from, family) && has_family(conditions.to, family));
    if (any) return check_protocol_family(rule, conditions);
    const Span at = rule.from.empty() ? rule.at : rule.from.front().at;
    complain(rule, at, "'from' and 'to' share no address family: no packet can match");
  }

  // IGMP and IPv6 in IPv4 are there in IPv4 only.
  void check_protocol_family(const Rule& rule, const Conditions& conditions) {
    if (!rule.protocol || (*rule.protocol != igmp && *rule.protocol != ipv6_in_ipv4)) return;
    if (has_family(conditions.from, Family::ipv4) && has_family(conditions.to, Family::ipv4))
      return;
    complain(rule, rule.at,
             "protocol " + rule.protocol->text() + " is of IPv4 only: no packet can match");
  }

  // What a rule would be with the same `from` and ports, for what is checked as of a rule.
  template <typename Translation>
  static Rule like_a_rule(const Translation& translation) {
    Rule rule;
    rule.source = translation.source;
    rule.at = translation.at;
    rule.from = translation.from;
    return rule;
  }

  void check_no_pairs(const Rule& translation) {
    if (const auto* item = pairs_in(translation.from))
      complain(
          translation, item->at,
          "'" + text(*item) + "' is a set of addresses with ports, which goes with rules only");
  }

  template <typename Translation>
  std::string translation_id(char kind, const Translation& translation) {
    const std::string id = kind + hex(digest(command_text(translation)), 8);
    const int same = ++ids_seen_[id];
    return same == 1 ? id : id + "-" + std::to_string(same);
  }

  void check_forwards() {
    const auto& forwards = checked_.policy_.forwards;
    for (std::size_t index = 0; index < forwards.size(); ++index) {
      const Forward& forward = forwards[index];
      Rule rule = like_a_rule(forward);
      rule.ports = forward.ports;
      CheckedForward checked{.id = translation_id('f', forward),
                             .conditions = {.flows = flows(rule),
                                            .from = addresses(rule, rule.from),
                                            .interfaces = interfaces(rule, forward.interfaces)},
                             .to = forward.to,
                             .to_port = forward.to_port,
                             .written = index};
      check_no_pairs(rule);
      check_target(rule, forward, checked.conditions);
      if (nowhere(forward.interfaces, checked.conditions.interfaces)) continue;
      checked_.forwards_.push_back(std::move(checked));
    }
  }

  void check_target(const Rule& rule, const Forward& forward, const Conditions& conditions) {
    if (forward.to.is_loopback() || forward.to.is_any())
      complain(rule, forward.to_at, "a forward leads to another machine, not to this host");
    if (!has_family(conditions.from, forward.to.family()))
      complain(rule, forward.to_at, "'from' and 'to' share no address family: no packet can match");
    for (const auto& flow : conditions.flows) {
      if (!flow.protocol.has_ports())
        return complain(rule, forward.ports.front().at,
                        "protocol " + flow.protocol.text() + " has no ports to forward");
      const PortRange first = conditions.flows.front().to;
      if (forward.to_port && (!flow.to.single() || flow.to != first))
        return complain(rule, forward.to_at,
                        "several ports cannot lead to one: leave the port out behind the address, "
                        "and each keeps its own");
    }
  }

  void check_masquerades() {
    const auto& masquerades = checked_.policy_.masquerades;
    for (std::size_t index = 0; index < masquerades.size(); ++index) {
      const Rule rule = like_a_rule(masquerades[index]);
      CheckedMasquerade checked{
          .id = translation_id('m', masquerades[index]),
          .conditions = {.from = addresses(rule, rule.from),
                         .out_interfaces = interfaces(rule, masquerades[index].out_interfaces)},
          .written = index};
      check_no_pairs(rule);
      if (nowhere(masquerades[index].out_interfaces, checked.conditions.out_interfaces)) continue;
      checked_.masquerades_.push_back(std::move(checked));
    }
  }

  // Whether it is also about interfaces that nobody has looked up.
  bool not_looked_up(const Rule& rule) const {
    const auto names_wan = [](const std::vector<std::string>& names) {
      return std::find(names.begin(), names.end(), wan_name) != names.end();
    };
    return !sources_.surroundings.wan &&
           (names_wan(rule.interfaces) || names_wan(rule.out_interfaces));
  }

  void warn_of_shadows() {
    const auto& written = checked_.policy_.rules;
    std::size_t count = 0;
    for (const auto traffic : {Traffic::incoming, Traffic::outgoing, Traffic::routed}) {
      const auto& all = checked_.rules(traffic);
      for (const auto& shadow : find_shadows(all)) {
        const auto& hidden = all[shadow.hidden];
        const auto& by = all[shadow.by];
        if (!hidden.written) continue;
        const Rule& rule = written[*hidden.written];
        if (not_looked_up(rule) || ++count > most_problems) continue;
        std::string message = "never matches: ";
        if (by.written) {
          const Rule& first = written[*by.written];
          message += "rule " + std::to_string(*by.written + 1) + ", '" + command_text(first) +
                     "' (" + sources_.place_of(first) + "), decides all of it before";
        } else {
          message += "'" + by.id + "', " + std::string(baseline_description(by.id)) +
                     ", is always decided before";
        }
        diagnostics_.push_back(warning_in(sources_.at(rule.source), rule.at, std::move(message)));
      }
    }
    if (count > most_problems)
      diagnostics_.push_back(warning_in(
          sources_.at(0), {},
          std::to_string(count - most_problems) + " more rules never match, for such reasons"));
  }

  const Sources& sources_;
  Diagnostics& diagnostics_;
  ServiceTable services_;
  std::map<std::string, std::size_t> set_numbers_;
  std::map<std::string, std::size_t> host_numbers_;
  // Gone all at once.
  std::pmr::monotonic_buffer_resource memory_of_ids_;
  std::pmr::unordered_map<std::string, int> ids_seen_{&memory_of_ids_};
  CheckedPolicy checked_;
};

std::optional<CheckedPolicy> check(ParsedPolicy parsed, const Sources& sources,
                                   ServiceTable services, Diagnostics& diagnostics) {
  return Checker(std::move(parsed.policy), sources, std::move(services), diagnostics).check();
}

std::optional<CheckedPolicy> check_rules(const ParsedPolicy& parsed, const Sources& sources,
                                         ServiceTable services, Diagnostics& diagnostics) {
  return Checker(parsed.policy, sources, std::move(services), diagnostics).check_rules_alone();
}

std::optional<CheckedPolicy> load(const Sources& sources, ServiceTable services,
                                  Diagnostics& diagnostics) {
  return check(parse(sources, diagnostics), sources, std::move(services), diagnostics);
}

std::optional<CheckedPolicy> load(const Sources& sources, std::string_view etc_services,
                                  Diagnostics& diagnostics) {
  return load(sources, ServiceTable(etc_services), diagnostics);
}

void define_services(const Policy& policy, const Sources& sources, ServiceTable& services) {
  for (const auto& service : policy.services) {
    Definition definition{.name = service.name,
                          .title = {},
                          .description = service.description,
                          .ports = {},
                          .origin = Origin::policy,
                          .file = sources.at(service.source).name,
                          .line = service.at.line};
    for (const auto& item : service.ports) {
      const auto* range = std::get_if<PortRange>(&item.what);
      if (range == nullptr) continue;  // the parser has complained
      for (const auto protocol : protocols(item))
        definition.ports.push_back({.protocol = protocol, .ports = *range});
    }
    for (const auto protocol : service.protocols)
      definition.ports.push_back({.protocol = protocol});
    services.define(std::move(definition));
  }
}

namespace {

// Calls `use` with the name of each.
template <typename Use>
void each_service(const Policy& policy, const Use& use) {
  const auto look = [&](const std::vector<PortItem>& items) {
    for (const auto& item : items)
      if (const auto* service = std::get_if<ServiceName>(&item.what)) use(service->name);
  };
  for (const auto& rule : policy.rules) {
    look(rule.ports);
    look(rule.from_ports);
  }
  for (const auto& forward : policy.forwards) look(forward.ports);
}

}  // namespace

ParsedPolicy alone(const CheckedPolicy& policy, Policy typed) {
  typed.services = policy.policy().services;
  for (const auto& set : policy.policy().sets) {
    typed.sets.emplace_back();
    typed.sets.back().name = set.name;
    if (!set.pairs.empty()) typed.sets.back().pairs = {set.pairs.front()};
    for (const auto family : {Family::ipv4, Family::ipv6})
      if (const auto& pairs = set.pairs_from_file.of(family); !pairs.empty())
        typed.sets.back().pairs = {pairs[0]};
  }
  return {.policy = std::move(typed), .added = {}};
}

bool names_services(const Policy& policy) {
  bool any = false;
  each_service(policy, [&](const std::string& /*name*/) { any = true; });
  return any;
}

std::string used_services(const Policy& policy, const ServiceTable& services) {
  std::set<std::string> names;
  each_service(policy, [&](const std::string& name) { names.insert(name); });
  for (const auto& service : policy.services) names.erase(service.name);
  std::string out;
  for (const auto& name : names)
    if (const auto* known = services.find(name)) out += kept_text(name, *known);
  return out;
}

}  // namespace fwctl::policy
