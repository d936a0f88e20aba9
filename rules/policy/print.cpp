#include "rules/policy/print.h"

#include <algorithm>
#include <iterator>

#include "rules/icmp.h"
#include "rules/joined.h"
#include "rules/policy/grammar.h"
#include "rules/policy/items.h"
#include "rules/policy/translation.h"
#include "rules/yaml.h"

namespace fwctl::policy {

const std::string_view machine_written =
    "# Written by fwctl: change it with 'fwctl allow', 'fwctl delete', ... Rules of your own go "
    "into\n"
    "# policy.yaml or policy.d/.\n";

namespace {

// The protocol that every port item of the rule carries, where it is one.
std::optional<Protocol> common_protocol(const Rule& rule) {
  std::optional<Protocol> common;
  for (const auto* items : {&rule.ports, &rule.from_ports})
    for (const auto& item : *items) {
      if (!item.protocol || (common && *common != *item.protocol)) return {};
      common = item.protocol;
    }
  return common;
}

std::string what(const PortItem& item) {
  const auto* range = std::get_if<PortRange>(&item.what);
  return range != nullptr ? range->text() : std::get<ServiceName>(item.what).name;
}

std::string ports_text(const std::vector<PortItem>& items, bool with_protocol) {
  const bool uniform = std::all_of(items.begin(), items.end(), [&](const PortItem& item) {
    return item.protocol == items.front().protocol;
  });
  std::string out;
  for (const auto& item : items) {
    if (!out.empty()) out += ',';
    out += what(item);
    if (!uniform) out += "/" + (item.protocol ? item.protocol->text() : std::string("any"));
  }
  if (uniform && with_protocol && items.front().protocol)
    out += "/" + items.front().protocol->text();
  return out;
}

// " port 80,443" or, where a name needs it to be read as one, " app 'Web Server'".
std::string ports_clause(const std::vector<PortItem>& items, bool with_protocol) {
  const auto* keyword = " port ";
  const bool names = std::all_of(items.begin(), items.end(), [](const PortItem& item) {
    return std::holds_alternative<ServiceName>(item.what) && !item.protocol;
  });
  for (const auto& item : items)
    if (names && !valid_service(std::get<ServiceName>(item.what).name)) keyword = " app ";
  return keyword + join({ports_text(items, with_protocol)});
}

// As the command line has lists: no blanks.
std::string listed(const std::vector<std::string>& items) {
  return joined(items, ",");
}

template <typename Item>
std::vector<std::string> texts(const std::vector<Item>& items) {
  std::vector<std::string> out;
  out.reserve(items.size());
  for (const auto& item : items) {
    if constexpr (requires { item.text(); })
      out.push_back(item.text());
    else
      out.push_back(text(item));
  }
  return out;
}

std::string addresses_text(const std::vector<AddressItem>& items) {
  return items.empty() ? "any" : listed(texts(items));
}

std::vector<std::string> type_texts(const Rule& rule) {
  const auto family = rule.protocol == icmp ? Family::ipv4 : Family::ipv6;
  std::vector<std::string> out;
  out.reserve(rule.icmp_types.size());
  for (const auto type : rule.icmp_types) out.push_back(icmp_type_text(family, type));
  return out;
}

// What YAML reads as no value at all.
bool null_word(const std::string& text) {
  return text == "null" || text == "Null" || text == "NULL";
}

bool simple(const Rule& rule) {
  return rule.from.empty() && rule.to.empty() && rule.from_ports.empty() && !rule.protocol &&
         rule.macs.empty() && !rule.mark && rule.users.empty() && rule.groups.empty() &&
         rule.units.empty() && !rule.ports.empty();
}

// A scalar that YAML reads as the same text wherever it stands.
std::string scalar(const std::string& text) {
  const auto safe = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("./_-").find(c) != std::string_view::npos;
  };
  const bool plain = !text.empty() && text[0] != '.' && text[0] != '-' && !null_word(text) &&
                     std::all_of(text.begin(), text.end(), safe);
  return plain ? text : yaml::quote(text);
}

std::string list(const std::vector<std::string>& items) {
  if (items.size() == 1) return scalar(items.front());
  std::string out = "[";
  for (const auto& item : items) out += (out.size() > 1 ? ", " : "") + scalar(item);
  return out + "]";
}

// " user postgres group 33,backup unit cron.service"
std::string sender_clauses(const Rule& rule) {
  std::string out;
  if (!rule.users.empty()) out += " user " + listed(texts(rule.users));
  if (!rule.groups.empty()) out += " group " + listed(texts(rule.groups));
  if (!rule.units.empty()) out += " unit " + listed(rule.units);
  return out;
}

std::string entries_text(const AddressSet& set) {
  const auto lasting = set.pairs.empty() ? texts(set.ranges) : texts(set.pairs);
  if (set.temporary.empty()) return lasting.empty() ? "[]" : list(lasting);
  std::string out = "[";
  for (const auto& address : lasting) out += scalar(address) + ", ";
  for (const auto& [range, until] : set.temporary)
    out += (out.ends_with('}') ? ", " : "") + ("{address: " + scalar(range.text())) +
           ", until: " + scalar(time_text(until)) + "}";
  return out + "]";
}

std::string sets_text(const std::vector<AddressSet>& sets) {
  std::string out = sets.empty() ? "" : "sets:\n";
  for (const auto& set : sets) {
    out += "  " + scalar(set.name) + ": " + entries_text(set) + "\n";
  }
  return out;
}

template <typename Item>
std::string list_text(std::string_view key, const std::vector<Item>& items) {
  if (items.empty()) return {};
  std::string out = std::string(key) + ":\n";
  for (const auto& item : items) out += yaml_text(item);
  return out;
}

template <typename Policy>
std::string translations_text(const Policy& policy) {
  return list_text("forward", policy.forwards) + list_text("masquerade", policy.masquerades);
}

// What is said once for the whole policy, apart from the defaults.
std::string settings_text(const Policy& policy) {
  std::string out = "logging: " + yaml::quote(text(policy.logging)) + "\n";
  if (!policy.switched_off.empty()) out += "baseline:\n";
  for (const auto& off : policy.switched_off) out += "  " + scalar(off.item) + ": false\n";
  if (!policy.containers) out += "containers: deny\n";
  std::vector<std::string> trusts;
  trusts.reserve(policy.trusts.size());
  for (const auto& trust : policy.trusts) trusts.push_back(trust.name);
  if (!trusts.empty()) out += "trust: " + list(trusts) + "\n";
  return out;
}

std::string line(std::string_view key, const std::string& value) {
  return "    " + std::string(key) + ": " + value + "\n";
}

std::string comment_line(const std::string& comment) {
  return comment.empty() ? std::string() : line("comment", yaml::quote(comment));
}

// Without its end.
std::string lasting_text(const Rule& rule) {
  const bool routed = rule.direction == Direction::routed;
  std::string out = (routed ? "route " : "") + std::string(text(rule.verdict));
  if (!rule.interfaces.empty())
    out += (routed ? " in" : " " + std::string(text(rule.direction))) + " on " +
           listed(rule.interfaces);
  else if (rule.direction == Direction::out)
    out += " out";
  if (!rule.out_interfaces.empty()) out += " out on " + listed(rule.out_interfaces);
  if (rule.log != Log::off) out += rule.log == Log::all ? " log-all" : " log";
  if (rule.verdict == Verdict::limit && rule.rate != Rate{}) {
    out += " rate " + text(rule.rate);
    if (rule.rate.burst != Rate{}.burst) out += " burst " + std::to_string(rule.rate.burst);
  }
  if (simple(rule)) return out + " " + join({ports_text(rule.ports, true)});
  if (!rule.macs.empty()) out += " mac " + listed(texts(rule.macs));
  if (rule.mark) out += " mark " + text(*rule.mark);
  out += sender_clauses(rule);
  const auto common = common_protocol(rule);
  const auto protocol = rule.protocol ? rule.protocol : common;
  if (protocol) out += " proto " + protocol->text();
  if (!rule.icmp_types.empty()) out += " type " + listed(type_texts(rule));
  const bool has_to = !rule.to.empty() || !rule.ports.empty();
  const bool has_from = !rule.from.empty() || !rule.from_ports.empty();
  const bool on = !rule.interfaces.empty() || !rule.out_interfaces.empty() || !rule.users.empty() ||
                  !rule.groups.empty() || !rule.units.empty();
  if (has_from || (!has_to && (protocol || !on))) out += " from " + addresses_text(rule.from);
  if (!rule.from_ports.empty()) out += ports_clause(rule.from_ports, !common);
  if (has_to) out += " to " + addresses_text(rule.to);
  if (!rule.ports.empty()) out += ports_clause(rule.ports, !common);
  return out;
}

}  // namespace

std::string command_text(const Rule& rule) {
  return lasting_text(rule) + (rule.until ? " until " + time_text(*rule.until) : "");
}

std::string what_text(const Rule& rule) {
  if (!rule.ports.empty()) return ports_text(rule.ports, true);
  if (rule.protocol)
    return rule.protocol->text() + (rule.icmp_types.empty() ? "" : " " + listed(type_texts(rule)));
  if (const auto common = common_protocol(rule)) return common->text();
  return "any";
}

std::string from_text(const Rule& rule) {
  std::string out = rule.from.empty() ? "anywhere" : addresses_text(rule.from);
  if (!rule.from_ports.empty()) out += " port " + ports_text(rule.from_ports, true);
  if (!rule.to.empty()) out += " to " + addresses_text(rule.to);
  if (!rule.macs.empty()) out += " mac " + listed(texts(rule.macs));
  if (rule.mark) out += " mark " + text(*rule.mark);
  return out + sender_clauses(rule);
}

std::string yaml_text(const Rule& rule) {
  std::string out = "  - " + std::string(text(rule.verdict)) + ": ";
  out += (rule.ports.empty() ? "any" : list(texts(rule.ports))) + "\n";
  const auto line = [&](std::string_view key, const std::string& value) {
    out += policy::line(key, value);
  };
  if (rule.protocol) line("protocol", rule.protocol->text());
  if (!rule.icmp_types.empty()) line("icmp-type", list(type_texts(rule)));
  if (!rule.from.empty()) line("from", list(texts(rule.from)));
  if (!rule.from_ports.empty()) line("from-port", list(texts(rule.from_ports)));
  if (!rule.to.empty()) line("to", list(texts(rule.to)));
  if (!rule.macs.empty()) line("mac", list(texts(rule.macs)));
  if (rule.mark) line("mark", text(*rule.mark));
  if (!rule.users.empty()) line("user", list(texts(rule.users)));
  if (!rule.groups.empty()) line("group", list(texts(rule.groups)));
  if (!rule.units.empty()) line("unit", list(rule.units));
  if (!rule.interfaces.empty()) line("interface", list(rule.interfaces));
  if (!rule.out_interfaces.empty()) line("out-interface", list(rule.out_interfaces));
  if (rule.direction != Direction::in) line("direction", std::string(text(rule.direction)));
  if (rule.log != Log::off) line("log", rule.log == Log::all ? "all" : "true");
  if (rule.verdict == Verdict::limit && rule.rate != Rate{}) {
    line("rate", text(rule.rate));
    line("burst", std::to_string(rule.rate.burst));
  }
  if (rule.until) line("until", scalar(time_text(*rule.until)));
  return out + comment_line(rule.comment);
}

std::string command_text(const Forward& forward) {
  std::string out = "forward " + join({ports_text(forward.ports, true)});
  out += " to " + target_text(forward);
  if (!forward.from.empty()) out += " from " + addresses_text(forward.from);
  if (!forward.interfaces.empty()) out += " on " + listed(forward.interfaces);
  return out;
}

std::string command_text(const Masquerade& masquerade) {
  std::string out = "masquerade out on " + listed(masquerade.out_interfaces);
  if (!masquerade.from.empty()) out += " from " + addresses_text(masquerade.from);
  return out;
}

std::string yaml_text(const Forward& forward) {
  std::string out = "  - port: " + list(texts(forward.ports)) + "\n";
  out += line("to", scalar(target_text(forward)));
  if (!forward.from.empty()) out += line("from", list(texts(forward.from)));
  if (!forward.interfaces.empty()) out += line("interface", list(forward.interfaces));
  return out + comment_line(forward.comment);
}

std::string yaml_text(const Masquerade& masquerade) {
  std::string out = "  - out-interface: " + list(masquerade.out_interfaces) + "\n";
  if (!masquerade.from.empty()) out += line("from", list(texts(masquerade.from)));
  return out + comment_line(masquerade.comment);
}

std::string yaml_text(const Added& added) {
  std::string out(machine_written);
  out += "version: 1\n";
  std::string defaults;
  for (const auto traffic : {Traffic::incoming, Traffic::outgoing, Traffic::routed})
    if (const auto verdict = added.defaults[static_cast<std::size_t>(traffic)])
      defaults += "  " + std::string(text(traffic)) + ": " + std::string(text(*verdict)) + "\n";
  if (!defaults.empty()) out += "defaults:\n" + defaults;
  if (added.logging) out += "logging: " + yaml::quote(text(*added.logging)) + "\n";
  return out + sets_text(added.sets) + list_text("before", added.before) +
         translations_text(added) + list_text("rules", added.rules);
}

std::optional<std::size_t> end_of_entries(std::string_view text, const std::string& set) {
  const auto sets = text.find("\nsets:\n");
  if (sets == std::string_view::npos) return {};
  const std::string start = "\n  " + scalar(set) + ": [";
  const auto line = text.find(start, sets);
  const auto end = text.find('\n', line == std::string_view::npos ? line : line + 1);
  // One entry alone has no brackets; what ends is a map.
  if (end == std::string_view::npos || text[end - 1] != ']' || text[end - 2] == '[' ||
      text[end - 2] == '}')
    return {};
  return end - 1;
}

std::string entry_text(const AddressRange& range) {
  return scalar(range.text());
}

std::string yaml_text(const Policy& policy) {
  std::string out = "version: 1\ndefaults:\n";
  for (const auto traffic : {Traffic::incoming, Traffic::outgoing, Traffic::routed})
    out += "  " + std::string(text(traffic)) + ": " +
           std::string(text(policy.default_for(traffic))) + "\n";
  out += settings_text(policy);
  out += sets_text(policy.sets);
  if (!policy.services.empty()) out += "services:\n";
  for (const auto& service : policy.services) {
    out += "  " + scalar(service.name) + ":\n";
    if (!service.ports.empty()) out += "    ports: " + list(texts(service.ports)) + "\n";
    if (!service.protocols.empty())
      out += "    protocols: " + list(texts(service.protocols)) + "\n";
    if (!service.description.empty())
      out += "    description: " + yaml::quote(service.description) + "\n";
  }
  std::vector<Rule> written;
  std::copy_if(policy.rules.begin(), policy.rules.end(), std::back_inserter(written),
               [](const Rule& rule) { return rule.layer != Layer::trusted; });
  return out + list_text("rules", written) + translations_text(policy);
}

}  // namespace fwctl::policy
