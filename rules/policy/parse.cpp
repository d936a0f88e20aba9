#include "rules/policy/parse.h"

#include <algorithm>
#include <array>
#include <bitset>
#include <cassert>
#include <initializer_list>
#include <iterator>
#include <map>
#include <set>
#include <span>

#include "rules/function_ref.h"
#include "rules/nearest.h"
#include "rules/policy/baseline.h"
#include "rules/policy/grammar.h"
#include "rules/policy/items.h"
#include "rules/policy/set_file.h"
#include "rules/policy/translation.h"
#include "rules/policy/trust.h"
#include "rules/yaml.h"

namespace fwctl::policy {
namespace {

using yaml::Kind;
using yaml::Node;

std::string path_of(const Sources& sources, std::string_view file) {
  const auto& beside = sources.added.name;
  return beside.substr(0, beside.rfind('/') + 1) + std::string(file);
}

// Reads one file into the policy; every problem is reported and the rest is read on.
class FileReader {
 public:
  FileReader(const Sources& sources, std::size_t index, bool machine, Policy& policy, Added& added,
             Diagnostics& diagnostics, KnownKeys* known)
      : sources_(sources),
        source_(sources.at(index)),
        index_(index),
        machine_(machine),
        policy_(policy),
        added_(added),
        diagnostics_(diagnostics),
        known_(known) {}

  // What may be said once, and where an earlier file of the same kind has said it.
  struct Places {
    std::map<Traffic, std::string> defaults;
    std::map<std::string, std::string, std::less<>> baseline;
    std::map<std::string, std::string> trusts;
    std::string logging;
    std::string containers;
  };

  void read(Places& places) {
    const auto root = yaml::parse(source_, diagnostics_);
    if (!root || root->kind == Kind::null) return;
    places_ = &places;
    each_entry(
        *root,
        "a policy file is a map: version, defaults, logging, baseline, containers, trust, sets, "
        "services, rules, forward, masquerade",
        {{"version", [this](const Node& value) { read_version(value); }},
         {"defaults", [this](const Node& value) { read_defaults(value); }},
         {"logging", [this](const Node& value) { read_logging(value); }},
         {"baseline", [this](const Node& value) { read_baseline(value); }},
         {"containers", [this](const Node& value) { read_containers(value); }},
         {"trust", [this](const Node& value) { read_trusts(value); }},
         {"sets", [this](const Node& value) { read_sets(value); }},
         {"services", [this](const Node& value) { read_services(value); }},
         {"before", [this](const Node& value) { read_before(value); }},
         {"rules", [this](const Node& value) { read_rules(value, Layer::added); }},
         {"forward", [this](const Node& value) { read_forwards(value); }},
         {"masquerade", [this](const Node& value) { read_masquerades(value); }}});
  }

  // A file of services.d: what `services` has as its value.
  void read_definitions() {
    const auto root = yaml::parse(source_, diagnostics_);
    if (root && root->kind != Kind::null) read_services(*root);
  }

 private:
  using Read = FunctionRef<const Node&>;
  struct Key {
    std::string_view name;
    Read read;
  };
  using Keys = std::span<const Key>;
  static constexpr std::size_t most_keys = 64;

  void complain(Span at, std::string_view message) {
    diagnostics_.push_back(error_in(source_, at, message));
  }

  void each_entry(const Node& map, std::string_view expected, std::initializer_list<Key> keys) {
    each_entry(map, expected, Keys(keys.begin(), keys.size()));
  }

  // Calls the reader of each key; complains about unknown, duplicate and empty ones.
  void each_entry(const Node& map, std::string_view expected, Keys keys) {
    assert(keys.size() <= most_keys);
    if (known_ != nullptr) {
      const auto all = names(keys);
      known_->insert_or_assign(std::string(expected),
                               std::vector<std::string>(all.begin(), all.end()));
    }
    if (map.kind != Kind::map) return complain(map.at, std::string(expected));
    std::bitset<most_keys> seen;
    std::set<std::string_view> unknown;
    for (const auto& [key, value] : map.entries) {
      if (key.kind != Kind::scalar) {
        complain(key.at, "a key is a plain word");
        continue;
      }
      const auto found = std::ranges::find(keys, key.scalar, &Key::name);
      const auto index = static_cast<std::size_t>(found - keys.begin());
      const bool again =
          found == keys.end() ? !unknown.insert(key.scalar).second : seen.test(index);
      if (again)
        complain(key.at, "'" + key.scalar + "' a second time");
      else if (found == keys.end())
        complain(key.at, "unknown key '" + key.scalar + "'" + suggestion(key.scalar, names(keys)));
      else if (value.kind == Kind::null)
        complain(key.at, "'" + key.scalar + "' has no value");
      else
        found->read(value);
      if (found != keys.end()) seen.set(index);
    }
  }

  static std::vector<std::string_view> names(Keys keys) {
    std::vector<std::string_view> out;
    out.reserve(keys.size());
    for (const auto& key : keys) out.push_back(key.name);
    return out;
  }

  const std::string* scalar(const Node& node, std::string_view what) {
    if (node.kind == Kind::scalar) return &node.scalar;
    std::string_view instead = "a blank";
    if (node.kind == Kind::list) instead = "a list";
    if (node.kind == Kind::map) instead = "a map";
    complain(node.at, std::string(what) + " is one word, not " + std::string(instead));
    return nullptr;
  }

  // Hands each of a list to `read`, until so much is wrong that it is not worth while.
  void each_item(const Node& list, Read read) {
    for (const auto& item : list.items) {
      if (too_much(diagnostics_, source_, item.at)) return;
      read(item);
    }
  }

  // A scalar or a list of scalars, each handed to `read`.
  void each_scalar(const Node& node, std::string_view what, Read read) {
    if (node.kind == Kind::list) {
      if (node.items.empty()) complain(node.at, "an empty list: leave the key out instead");
      each_item(node, [&](const Node& item) {
        if (scalar(item, what) == nullptr) return;
        if (item.scalar == "any" && node.items.size() > 1)
          complain(item.at, "'any' stands alone, not in a list");
        else
          read(item);
      });
    } else if (scalar(node, what) != nullptr) {
      read(node);
    }
  }

  static Span within(const Node& node, std::size_t offset, std::size_t length) {
    Span at = node.at;
    at.column += static_cast<std::uint32_t>(offset + (node.quoted ? 1 : 0));
    at.length = static_cast<std::uint32_t>(std::max<std::size_t>(length, 1));
    return at;
  }

  template <typename T>
  std::optional<T> accept(const Node& node, Parsed<T> parsed) {
    if (parsed) return *std::move(parsed);
    complain(within(node, parsed.error().offset, parsed.error().length), parsed.error().message);
    return {};
  }

  template <typename T>
  void append(const Node& node, Parsed<std::vector<T>> parsed, std::vector<T>& into) {
    auto items = accept(node, std::move(parsed));
    if (!items) return;
    if constexpr (requires(T item) { item.at; })
      for (auto& item : *items) item.at = within(node, item.at.column - 1, item.at.length);
    if (into.empty())
      into = *std::move(items);
    else
      std::ranges::move(*items, std::back_inserter(into));
  }

  void read_version(const Node& value) {
    const auto* text = scalar(value, "version");
    if (text != nullptr && *text != "1")
      complain(value.at, "version '" + *text + "' is not known here: this program reads version 1");
  }

  void read_defaults(const Node& value) {
    const auto reader = [this](Traffic traffic) {
      return [this, traffic](const Node& node) { read_default(traffic, node); };
    };
    each_entry(value, "defaults is a map: incoming, outgoing, routed",
               {{"incoming", reader(Traffic::incoming)},
                {"outgoing", reader(Traffic::outgoing)},
                {"routed", reader(Traffic::routed)}});
  }

  void read_default(Traffic traffic, const Node& node) {
    const auto* word = scalar(node, "a default");
    if (word == nullptr) return;
    const auto verdict = parse_default(*word);
    if (!verdict) return complain(node.at, "a default is allow, deny or reject");
    const auto [place, fresh] = places_->defaults.emplace(traffic, place_in(source_, node.at));
    if (!fresh)
      return complain(node.at, "the default for " + std::string(text(traffic)) +
                                   " is already set at " + place->second);
    policy_.defaults[static_cast<std::size_t>(traffic)] = *verdict;
    if (machine_) added_.defaults[static_cast<std::size_t>(traffic)] = verdict;
  }

  void read_logging(const Node& node) {
    const auto* word = scalar(node, "logging");
    if (word == nullptr) return;
    const auto level = parse_logging(*word);
    if (!level) return complain(node.at, "logging is off, low, medium, high or full");
    if (!places_->logging.empty())
      return complain(node.at, "logging is already set at " + places_->logging);
    places_->logging = place_in(source_, node.at);
    policy_.logging = *level;
    if (machine_) added_.logging = level;
  }

  // Whether what is set here was not set before; `place` is where it was, or is now.
  bool once(const Node& node, const std::string& what, std::string& place) {
    if (place.empty()) {
      place = place_in(source_, node.at);
      return true;
    }
    complain(node.at, what + " is already set at " + place);
    return false;
  }

  // Whether this file is one that people own; fwctl does not write such keys.
  bool of_people(const Node& node, const std::string& key) {
    if (machine_)
      complain(node.at,
               "'" + key + "' is for files of your own: rules.yaml, which fwctl writes, has none");
    return !machine_;
  }

  void read_baseline(const Node& value) {
    if (!of_people(value, "baseline")) return;
    const auto items = baseline_items();
    std::vector<Switch> switches;
    std::vector<Key> keys;
    switches.reserve(items.size());
    for (const auto item : items) {
      switches.push_back({.file = this, .item = item});
      keys.push_back({item, switches.back()});
    }
    each_entry(value, "baseline is a map from the names of its items to true or false", keys);
  }

  struct Switch {
    FileReader* file;
    std::string_view item;
    void operator()(const Node& node) const { file->read_switch(item, node); }
  };

  void read_switch(std::string_view item, const Node& node) {
    const std::string name(item);
    const auto* word = scalar(node, "a switch");
    if (word == nullptr) return;
    if (*word != "true" && *word != "false")
      return complain(node.at, "an item of the baseline is true or false");
    if (once(node, "'" + name + "'", places_->baseline[name]) && *word == "false")
      policy_.switched_off.push_back({.item = name, .source = index_, .at = node.at});
  }

  void read_containers(const Node& node) {
    if (!of_people(node, "containers")) return;
    const auto* word = scalar(node, "containers");
    if (word == nullptr) return;
    if (*word != "allow" && *word != "deny")
      return complain(node.at, "containers is allow or deny");
    if (once(node, "containers", places_->containers)) policy_.containers = *word == "allow";
  }

  void read_trusts(const Node& value) {
    if (!of_people(value, "trust")) return;
    each_scalar(value, "a neighbour to trust", [this](const Node& node) { read_trust(node); });
  }

  void read_trust(const Node& node) {
    const auto names = trust_names();
    if (std::find(names.begin(), names.end(), node.scalar) == names.end())
      return complain(
          node.at, "no neighbour is called '" + node.scalar + "'" + suggestion(node.scalar, names));
    if (once(node, "trust: " + node.scalar, places_->trusts[node.scalar]))
      policy_.trusts.push_back({.name = node.scalar, .source = index_, .at = node.at});
  }

  void read_sets(const Node& value) {
    if (value.kind != Kind::map) return complain(value.at, "sets is a map from names to lists");
    for (const auto& [key, list] : value.entries) {
      if (key.kind != Kind::scalar || !valid_name(key.scalar)) {
        complain(key.at, "a set's name is a letter, then letters, digits, - or _");
        continue;
      }
      if (const auto* twin = find(policy_.sets, key.scalar)) {
        complain(key.at,
                 "set '" + key.scalar + "' is already defined at " + sources_.place_of(*twin));
        continue;
      }
      AddressSet set{.name = key.scalar, .ranges = {}, .file = {}, .source = index_, .at = key.at};
      if (list.kind == Kind::map)
        read_set_file(list, set);
      else if (list.kind == Kind::list)
        each_item(list, [&](const Node& item) { read_set_entry(item, set); });
      else
        read_set_entry(list, set);
      if (machine_) added_.sets.push_back(set);
      policy_.sets.push_back(std::move(set));
    }
  }

  void read_set_entry(const Node& node, AddressSet& set) {
    if (node.kind == Kind::map) return read_temporary(node, set);
    if (scalar(node, "an address") == nullptr) return;
    const auto entry = accept(node, parse_set_entry(node.scalar));
    if (!entry) return;
    const auto* pair = std::get_if<AddressPort>(&*entry);
    if (set.size() != 0 && set.of_pairs() != (pair != nullptr))
      return complain(within(node, 0, node.scalar.size()), other_kind(*entry));
    if (pair != nullptr)
      set.pairs.push_back(*pair);
    else
      set.ranges.push_back(std::get<AddressRange>(*entry));
  }

  // nullopt after complaining.
  std::optional<AddressRange> read_ending(const Node& node) {
    const auto entry = accept(node, parse_set_entry(node.scalar));
    if (!entry) return {};
    if (const auto* range = std::get_if<AddressRange>(&*entry)) return *range;
    complain(within(node, 0, node.scalar.size()),
             "an entry with a port has no end: give one to a rule of its own");
    return {};
  }

  void read_temporary(const Node& map, AddressSet& set) {
    std::optional<AddressRange> range;
    std::optional<Time> until;
    const std::size_t before = diagnostics_.size();
    each_entry(map, "an entry of a set is a map of an address and its end, or an address",
               {{"address",
                 [&](const Node& value) {
                   if (scalar(value, "an address") != nullptr) range = read_ending(value);
                 }},
                {"until", [&](const Node& value) {
                   if (const auto* word = scalar(value, "a time"))
                     until = accept(value, parse_until(*word));
                 }}});
    if (range && until && set.of_pairs())
      complain(map.at, other_kind(*range));
    else if (range && until)
      set.temporary.push_back({*range, *until});
    else if (diagnostics_.size() == before)
      complain(map.at, "an entry that is a map has both 'address' and 'until'");
  }

  void read_set_file(const Node& map, AddressSet& set) {
    const Node* named = nullptr;
    const std::size_t before = diagnostics_.size();
    each_entry(map, "a set is a list of addresses, or a map with the key 'file'",
               {{"file", [&](const Node& value) { named = &value; }}});
    if (named == nullptr) {
      if (diagnostics_.size() == before)
        complain(map.at, "a set is a list of addresses, or a map with the key 'file'");
      return;
    }
    if (diagnostics_.size() != before) return;
    const auto* path = scalar(*named, "a path");
    if (path == nullptr) return;
    if (machine_)
      return complain(named->at,
                      "sets of rules.yaml, which fwctl writes, have their addresses "
                      "there: define this one in a file of your own");
    if (!valid_set_path(*path))
      return complain(named->at,
                      "the file of a set is in the folder sets of the configuration: write sets/" +
                          set.name + ".txt, for example");
    set.file = *path;
    const auto full = path_of(sources_, *path);
    const auto found = std::find_if(sources_.set_files.begin(), sources_.set_files.end(),
                                    [&](const Source& source) { return source.name == full; });
    if (found == sources_.set_files.end()) return complain(named->at, "there is no file " + full);
    auto read = parse_set_file(*found, diagnostics_);
    set.from_file = std::move(read.ranges);
    set.pairs_from_file = std::move(read.pairs);
  }

  void read_services(const Node& value) {
    if (value.kind != Kind::map)
      return complain(value.at, "services is a map from names to definitions");
    for (const auto& [key, definition] : value.entries) {
      if (key.kind != Kind::scalar || !valid_service(key.scalar)) {
        complain(key.at,
                 "a service's name is a letter, then letters, digits, - or _, and no word of the "
                 "rule language");
        continue;
      }
      if (const auto* twin = find(policy_.services, key.scalar)) {
        complain(key.at,
                 "service '" + key.scalar + "' is already defined at " + sources_.place_of(*twin));
        continue;
      }
      read_service(key, definition);
    }
  }

  void read_service(const Node& key, const Node& definition) {
    Service service{.name = key.scalar,
                    .ports = {},
                    .protocols = {},
                    .description = {},
                    .source = index_,
                    .at = key.at};
    const std::size_t before = diagnostics_.size();
    each_entry(definition, "a service is a map: ports, protocols, description",
               {{"ports",
                 [&](const Node& value) {
                   each_scalar(value, "a port", [&](const Node& item) {
                     append(item, parse_ports(item.scalar), service.ports);
                   });
                 }},
                {"protocols",
                 [&](const Node& value) {
                   each_scalar(value, "a protocol", [&](const Node& item) {
                     read_service_protocol(item, service.protocols);
                   });
                 }},
                {"description", [&](const Node& value) {
                   if (const auto* words = scalar(value, "a description"))
                     service.description = *words;
                 }}});
    for (const auto& item : service.ports)
      if (std::holds_alternative<ServiceName>(item.what))
        complain(item.at, "a service is made of ports, not of other services");
    if (service.ports.empty() && service.protocols.empty() && diagnostics_.size() == before)
      complain(key.at, "service '" + key.scalar + "' has neither ports nor protocols");
    policy_.services.push_back(std::move(service));
  }

  void read_service_protocol(const Node& item, std::vector<Protocol>& into) {
    const auto protocol = accept(item, parse_protocol(item.scalar));
    if (protocol && protocol->has_ports())
      complain(item.at, "protocol " + protocol->text() + " has ports: write them under 'ports'");
    else if (protocol)
      into.push_back(*protocol);
  }

  template <typename T>
  static const T* find(const std::vector<T>& all, const std::string& name) {
    const auto found =
        std::find_if(all.begin(), all.end(), [&](const T& one) { return one.name == name; });
    return found == all.end() ? nullptr : &*found;
  }

  void read_before(const Node& value) {
    if (machine_) return read_rules(value, Layer::before);
    complain(value.at,
             "'before' is for rules.yaml, which fwctl writes: use 'fwctl prepend', or put the "
             "rule first in this file");
  }

  void read_rules(const Node& value, Layer layer) {
    if (value.kind != Kind::list)
      return complain(value.at, "rules are a list, each item begins with '- '");
    policy_.rules.reserve(policy_.rules.size() + value.items.size());
    each_item(value, [&](const Node& item) {
      const std::size_t before = diagnostics_.size();
      std::optional<Rule> rule;
      if (item.kind == Kind::scalar)
        rule = parse_rule(item.scalar, source_, within(item, 0, item.scalar.size()), diagnostics_);
      else
        rule = read_rule(item);
      if (!rule || diagnostics_.size() != before) return;
      rule->source = index_;
      rule->layer = machine_ ? layer : Layer::managed;
      if (machine_) (layer == Layer::before ? added_.before : added_.rules).push_back(*rule);
      policy_.rules.push_back(*std::move(rule));
    });
  }

  std::optional<Rule> read_rule(const Node& node) {
    Rule rule;
    rule.at = node.at;
    int verdicts = 0;
    const auto verdict = [&](Verdict which) {
      return [this, which, &rule, &verdicts](const Node& value) {
        if (verdicts++ > 0) complain(value.at, "one rule has one verdict");
        rule.verdict = which;
        each_scalar(value, "a port or service",
                    [&](const Node& item) { append(item, parse_ports(item.scalar), rule.ports); });
      };
    };
    const auto addresses = [this](std::vector<AddressItem>& into) {
      return [this, &into](const Node& value) {
        each_scalar(value, "an address",
                    [&](const Node& item) { append(item, parse_addresses(item.scalar), into); });
      };
    };
    const auto accounts = [this](std::vector<Account>& into, std::string_view what) {
      return [this, &into, what](const Node& value) {
        each_scalar(value, what,
                    [&](const Node& item) { append(item, parse_accounts(item.scalar), into); });
      };
    };
    std::optional<Span> rate_at;
    std::optional<Span> out_at;
    const Node* icmp_types = nullptr;
    const std::size_t before = diagnostics_.size();
    each_entry(node,
               "a rule is a map that begins with allow, deny, reject or limit, or a text as on the "
               "command line",
               {{"allow", verdict(Verdict::allow)},
                {"deny", verdict(Verdict::deny)},
                {"reject", verdict(Verdict::reject)},
                {"limit", verdict(Verdict::limit)},
                {"rate",
                 [&](const Node& value) {
                   rate_at = value.at;
                   if (const auto* word = scalar(value, "a rate"))
                     if (const auto rate = accept(value, parse_rate(*word, rule.rate)))
                       rule.rate = *rate;
                 }},
                {"burst",
                 [&](const Node& value) {
                   rate_at = value.at;
                   if (const auto* word = scalar(value, "a burst"))
                     if (const auto burst = accept(value, parse_burst(*word)))
                       rule.rate.burst = *burst;
                 }},
                {"from", addresses(rule.from)},
                {"to", addresses(rule.to)},
                {"from-port",
                 [&](const Node& value) {
                   each_scalar(value, "a port", [&](const Node& item) {
                     append(item, parse_ports(item.scalar), rule.from_ports);
                   });
                 }},
                {"protocol", [&](const Node& value) { read_protocol(value, rule); }},
                {"interface",
                 [&](const Node& value) {
                   each_scalar(value, "an interface", [&](const Node& item) {
                     append(item, parse_interfaces(item.scalar), rule.interfaces);
                   });
                 }},
                {"out-interface",
                 [&](const Node& value) {
                   out_at = value.at;
                   each_scalar(value, "an interface", [&](const Node& item) {
                     append(item, parse_interfaces(item.scalar), rule.out_interfaces);
                   });
                 }},
                {"mac",
                 [&](const Node& value) {
                   each_scalar(value, "a MAC address", [&](const Node& item) {
                     append(item, parse_macs(item.scalar), rule.macs);
                   });
                 }},
                {"mark",
                 [&](const Node& value) {
                   if (const auto* word = scalar(value, "a mark"))
                     rule.mark = accept(value, parse_mark(*word));
                 }},
                {"user", accounts(rule.users, "a user")},
                {"group", accounts(rule.groups, "a group")},
                {"unit",
                 [&](const Node& value) {
                   each_scalar(value, "a unit", [&](const Node& item) {
                     append(item, parse_units(item.scalar), rule.units);
                   });
                 }},
                {"icmp-type", [&](const Node& value) { icmp_types = &value; }},
                {"until",
                 [&](const Node& value) {
                   if (const auto* word = scalar(value, "a time"))
                     rule.until = accept(value, parse_until(*word));
                 }},
                {"direction", [&](const Node& value) { read_direction(value, rule); }},
                {"log", [&](const Node& value) { read_log(value, rule); }},
                {"comment", [&](const Node& value) { read_comment(value, rule.comment); }}});
    if (verdicts == 0 && diagnostics_.size() == before)
      complain(node.at, "a rule needs a verdict: allow, deny, reject or limit");
    if (rate_at && rule.verdict != Verdict::limit)
      complain(*rate_at, "rate and burst go with limit only");
    if (out_at && rule.direction != Direction::routed)
      complain(*out_at,
               "out-interface goes with 'direction: routed'; 'interface' is where packets go out "
               "with 'direction: out'");
    if (icmp_types != nullptr) read_icmp_types(*icmp_types, rule);
    for (const auto* addresses_of : {&rule.from, &rule.to})
      if (const auto odd = mixed_negation(*addresses_of)) complain(odd->at, odd->message);
    if (diagnostics_.size() != before) return {};
    if (const auto disagreement = settle_protocol(rule)) {
      complain(disagreement->at, disagreement->message);
      return {};
    }
    return rule;
  }

  void read_protocol(const Node& value, Rule& rule) {
    const auto* word = scalar(value, "a protocol");
    if (word == nullptr || *word == "any") return;
    if (const auto protocol = accept(value, parse_protocol(*word))) rule.protocol = *protocol;
  }

  void read_icmp_types(const Node& value, Rule& rule) {
    if (rule.protocol != icmp && rule.protocol != icmpv6)
      return complain(value.at, "icmp-type goes with 'protocol: icmp' or 'protocol: icmpv6'");
    each_scalar(value, "an ICMP type", [&](const Node& item) {
      append(item, parse_icmp_types(*rule.protocol, item.scalar), rule.icmp_types);
    });
    if (!rule.ports.empty() || !rule.from_ports.empty())
      complain(value.at, "a rule with ICMP types has no ports");
  }

  void read_direction(const Node& value, Rule& rule) {
    const auto* word = scalar(value, "a direction");
    if (word == nullptr) return;
    if (const auto direction = parse_direction(*word))
      rule.direction = *direction;
    else
      complain(value.at, "a direction is in, out or routed");
  }

  void read_log(const Node& value, Rule& rule) {
    const auto* word = scalar(value, "log");
    if (word == nullptr) return;
    if (*word == "true")
      rule.log = Log::fresh;
    else if (*word == "all")
      rule.log = Log::all;
    else if (*word != "false")
      complain(value.at, "log is true, false or all");
  }

  void read_comment(const Node& value, std::string& into) {
    const auto* words = scalar(value, "a comment");
    if (words == nullptr) return;
    if (const auto why = not_a_comment(*words)) complain(value.at, *why);
    into = *words;
  }

  void read_interfaces(const Node& value, std::vector<std::string>& into) {
    each_scalar(value, "an interface",
                [&](const Node& item) { append(item, parse_interfaces(item.scalar), into); });
  }

  void read_addresses(const Node& value, std::vector<AddressItem>& into) {
    each_scalar(value, "an address",
                [&](const Node& item) { append(item, parse_addresses(item.scalar), into); });
    if (const auto odd = mixed_negation(into)) complain(odd->at, odd->message);
  }

  void read_forwards(const Node& value) {
    if (value.kind != Kind::list)
      return complain(value.at, "forward is a list, each item begins with '- '");
    each_item(value, [this](const Node& item) { read_forward(item); });
  }

  void read_forward(const Node& node) {
    Forward forward;
    forward.at = node.at;
    const std::size_t before = diagnostics_.size();
    each_entry(
        node, "a forward is a map: port, to, from, interface, comment",
        {{"port",
          [&](const Node& value) {
            each_scalar(value, "a port or service", [&](const Node& item) {
              append(item, parse_ports(item.scalar), forward.ports);
            });
            if (forward.ports.empty() && diagnostics_.size() == before)
              complain(value.at, "a forward is of ports: 8080/tcp");
          }},
         {"to", [&](const Node& value) { read_target(value, forward); }},
         {"from", [&](const Node& value) { read_addresses(value, forward.from); }},
         {"interface", [&](const Node& value) { read_interfaces(value, forward.interfaces); }},
         {"comment", [&](const Node& value) { read_comment(value, forward.comment); }}});
    if (diagnostics_.size() != before) return;
    if (forward.ports.empty()) return complain(node.at, "a forward needs 'port'");
    if (forward.to_at == Span{}) return complain(node.at, "a forward needs 'to'");
    keep(std::move(forward), policy_.forwards, added_.forwards);
  }

  void read_target(const Node& value, Forward& forward) {
    const auto* word = scalar(value, "where a forward leads");
    if (word == nullptr) return;
    forward.to_at = within(value, 0, word->size());
    const auto target = accept(value, parse_target(*word));
    if (!target) return;
    forward.to = target->address;
    forward.to_port = target->port;
  }

  void read_masquerades(const Node& value) {
    if (value.kind != Kind::list) return read_masquerade(value);
    each_item(value, [this](const Node& item) { read_masquerade(item); });
  }

  void read_masquerade(const Node& node) {
    Masquerade masquerade;
    masquerade.at = node.at;
    const std::size_t before = diagnostics_.size();
    if (node.kind == Kind::scalar)
      read_interfaces(node, masquerade.out_interfaces);
    else
      each_entry(
          node, "a masquerade is a map: out-interface, from, comment; or an interface",
          {{"out-interface",
            [&](const Node& value) { read_interfaces(value, masquerade.out_interfaces); }},
           {"from", [&](const Node& value) { read_addresses(value, masquerade.from); }},
           {"comment", [&](const Node& value) { read_comment(value, masquerade.comment); }}});
    if (diagnostics_.size() != before) return;
    if (masquerade.out_interfaces.empty())
      return complain(node.at, "a masquerade needs 'out-interface'");
    keep(std::move(masquerade), policy_.masquerades, added_.masquerades);
  }

  template <typename Item>
  void keep(Item item, std::vector<Item>& all, std::vector<Item>& added) {
    item.source = index_;
    item.managed = !machine_;
    if (machine_) added.push_back(item);
    all.push_back(std::move(item));
  }

  const Sources& sources_;
  const Source& source_;
  std::size_t index_;
  bool machine_;
  Policy& policy_;
  Added& added_;
  Diagnostics& diagnostics_;
  KnownKeys* known_;
  Places* places_ = nullptr;
};

}  // namespace

std::vector<const Source*> Sources::files() const {
  std::vector<const Source*> out;
  for (const auto* sources : {&managed, &definitions, &set_files})
    for (const auto& source : *sources) out.push_back(&source);
  out.push_back(&added);
  return out;
}

const std::string* Sources::text_of(const std::string& name) const {
  for (const auto* source : files())
    if (source->name == name) return &source->text;
  return nullptr;
}

std::vector<std::string> set_files(const Sources& sources) {
  std::vector<std::string> out;
  // Most policies have none, and are not worth reading twice.
  if (std::none_of(sources.managed.begin(), sources.managed.end(), [](const Source& source) {
        return source.text.find("file") != std::string::npos;
      }))
    return out;
  Diagnostics ignored;
  for (const auto& set : parse(sources, ignored).policy.sets) {
    auto path = path_of(sources, set.file);
    if (!set.file.empty() && std::find(out.begin(), out.end(), path) == out.end())
      out.push_back(std::move(path));
  }
  return out;
}

ParsedPolicy parse(const Sources& sources, Diagnostics& diagnostics, KnownKeys* known) {
  ParsedPolicy result;
  FileReader::Places managed_places;
  FileReader::Places added_places;
  for (std::size_t index = 0; index < sources.managed.size(); ++index)
    FileReader(sources, index, false, result.policy, result.added, diagnostics, known)
        .read(managed_places);
  FileReader(sources, sources.managed.size(), true, result.policy, result.added, diagnostics, known)
      .read(added_places);
  for (std::size_t index = 0; index < sources.definitions.size(); ++index)
    FileReader(sources, sources.managed.size() + 1 + index, false, result.policy, result.added,
               diagnostics, known)
        .read_definitions();
  // Those that stand before all files were read last.
  auto& rules = result.policy.rules;
  const auto before = static_cast<std::ptrdiff_t>(result.added.before.size());
  const auto first = std::find_if(rules.begin(), rules.end(),
                                  [](const Rule& rule) { return rule.layer == Layer::before; });
  if (first != rules.end()) std::rotate(rules.begin(), first, first + before);
  for (const auto& trust : result.policy.trusts)
    for (auto& rule : rules_of(trust)) rules.push_back(std::move(rule));
  return result;
}

std::optional<Rule> parse_added_rule(const std::string& item, const Sources& sources,
                                     std::uint32_t line) {
  Sources alone;
  alone.added = {.name = sources.added.name, .text = "rules:\n" + item};
  Diagnostics diagnostics;
  auto rules = parse(alone, diagnostics).policy.rules;
  if (!diagnostics.empty() || rules.size() != 1) return {};
  Rule& rule = rules.front();
  rule.source = sources.managed.size();
  const std::uint32_t down = line - 2;
  rule.at.line += down;
  const auto move = [&](auto& items) {
    for (auto& one : items) one.at.line += down;
  };
  move(rule.from);
  move(rule.to);
  move(rule.from_ports);
  move(rule.ports);
  move(rule.users);
  move(rule.groups);
  return std::move(rule);
}

}  // namespace fwctl::policy
