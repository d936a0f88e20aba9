#include "rules/policy/services.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <set>

#include "rules/ascii.h"
#include "rules/number.h"
#include "rules/policy/built_in_services.h"

namespace fwctl::policy {
namespace {

constexpr std::string_view escaped_blank = "%20";

// The next word of `line` separated by blanks; cuts it off.
std::string_view next_word(std::string_view& line) {
  const auto begin = line.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return line = {};
  line.remove_prefix(begin);
  const auto word = line.substr(0, line.find_first_of(" \t"));
  line.remove_prefix(word.size());
  return word;
}

void each_line(std::string_view lines, const std::function<void(std::string_view)>& read) {
  while (!lines.empty()) {
    const auto end = std::min(lines.find('\n'), lines.size());
    read(lines.substr(0, end));
    lines.remove_prefix(std::min(end + 1, lines.size()));
  }
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
  const auto number = parse_number(text, 65535);
  if (!number || *number == 0) return {};
  return static_cast<std::uint16_t>(*number);
}

// What text(ServicePort) writes.
std::optional<ServicePort> parse_service_port(std::string_view text) {
  const auto slash = text.find('/');
  const auto protocol =
      Protocol::parse(slash == std::string_view::npos ? text : text.substr(slash + 1));
  if (!protocol) return {};
  if (slash == std::string_view::npos) return ServicePort{.protocol = *protocol};
  const auto ports = text.substr(0, slash);
  const auto dash = ports.find('-');
  const auto first = parse_port(ports.substr(0, dash));
  const auto last = dash == std::string_view::npos ? first : parse_port(ports.substr(dash + 1));
  if (!first || !last || *last < *first) return {};
  return ServicePort{.protocol = *protocol, .ports = {*first, *last}};
}

std::string escaped(const std::string& name) {
  std::string out;
  for (const char c : name) out += c == ' ' ? std::string(escaped_blank) : std::string(1, c);
  return out;
}

std::string unescaped(std::string_view name) {
  std::string out(name);
  for (std::size_t at = 0; (at = out.find(escaped_blank, at)) != std::string::npos; ++at)
    out.replace(at, escaped_blank.size(), " ");
  return out;
}

// Each name's lines without the name.
std::map<std::string, std::set<std::string>> kept_by_name(std::string_view lines) {
  std::map<std::string, std::set<std::string>> out;
  each_line(lines, [&](std::string_view line) {
    const auto name = next_word(line);
    const auto port = next_word(line);
    if (!port.empty()) out[unescaped(name)].insert(std::string(port));
  });
  return out;
}

}  // namespace

std::string text(const ServicePort& port) {
  if (port.ports == all_ports) return port.protocol.text();
  return port.ports.text() + "/" + port.protocol.text();
}

std::string_view text(Origin origin) {
  switch (origin) {
    case Origin::policy:
      return "policy";
    case Origin::kept:
      return "kept";
    case Origin::system:
      return "system";
    case Origin::profile:
      return "profile";
    case Origin::built_in:
      return "builtin";
  }
  return "?";
}

void ServiceTable::read(std::string_view etc_services) {
  each_line(etc_services, [this](std::string_view line) {
    line = line.substr(0, line.find('#'));
    const auto name = next_word(line);
    const auto port_and_protocol = next_word(line);
    const auto slash = port_and_protocol.find('/');
    const auto port = parse_port(port_and_protocol.substr(0, slash));
    if (name.empty() || slash == std::string_view::npos || !port) return;
    const auto protocol = Protocol::parse(port_and_protocol.substr(slash + 1));
    if (protocol != tcp && protocol != udp) return;
    const auto add = [&](std::string_view one) {
      auto& entry = known_[std::string(one)];
      entry.name = one;
      entry.origin = Origin::system;
      entry.ports.push_back({.protocol = *protocol, .ports = {*port, *port}});
    };
    add(name);
    for (auto alias = next_word(line); !alias.empty(); alias = next_word(line)) add(alias);
  });
}

ServiceTable::ServiceTable(std::string_view etc_services, std::vector<Definition> profiles) {
  read(etc_services);
  for (auto& profile : profiles)
    if (!known_.contains(profile.name)) profiles_[profile.name] = std::move(profile);
  for (const auto& [name, ports, description] : built_in_services()) {
    Definition entry{.name = std::string(name),
                     .title = {},
                     .description = std::string(description),
                     .ports = {},
                     .origin = Origin::built_in,
                     .file = {}};
    for (auto rest = ports; !rest.empty();)
      if (const auto port = parse_service_port(next_word(rest))) entry.ports.push_back(*port);
    // /etc/services has no descriptions worth reading.
    if (const auto found = known_.find(name); found != known_.end())
      found->second.description = entry.description;
    built_in_[entry.name] = std::move(entry);
  }
}

std::vector<std::string_view> ServiceTable::alike(std::string_view name) const {
  std::vector<std::string_view> out;
  for (const auto& [known, definition] : profiles_)
    if (same_but_for_case(known, name)) out.push_back(known);
  return out;
}

const Definition* ServiceTable::find(const std::string& name) const {
  const auto in = [](const Definitions& definitions, const std::string& wanted) {
    const auto found = definitions.find(wanted);
    return found == definitions.end() ? nullptr : &found->second;
  };
  for (const auto* definitions : {&known_, &profiles_})
    if (const auto* found = in(*definitions, name)) return found;
  const auto near = alike(name);
  if (near.size() == 1) return &profiles_.find(near.front())->second;
  if (const auto* found = in(built_in_, name)) return found;
  if (!near.empty()) return nullptr;
  // "SSH" and "LDAP", as ufw's own profiles are called.
  const std::string small = lower(name);
  const auto* found = in(known_, small);
  return found != nullptr ? found : in(built_in_, small);
}

void ServiceTable::define(Definition definition) {
  known_[definition.name] = std::move(definition);
}

void ServiceTable::keep(std::string_view lines) {
  Definitions kept;
  each_line(lines, [&](std::string_view line) {
    const auto name = unescaped(next_word(line));
    auto port = parse_service_port(next_word(line));
    if (!port) return;
    const auto [place, fresh] = kept.try_emplace(name);
    auto& entry = place->second;
    if (fresh) {
      if (const auto* now = find(name)) entry = *now;
      entry.name = name;
      entry.origin = Origin::kept;
      entry.ports.clear();
    }
    entry.profile = next_word(line) == "profile";
    if (entry.profile)
      port->item = static_cast<std::uint32_t>(parse_number(next_word(line), 65535).value_or(0));
    entry.ports.push_back(*port);
  });
  for (auto& [name, entry] : kept) known_[name] = std::move(entry);
}

std::vector<std::string_view> ServiceTable::names() const {
  std::set<std::string_view> out;
  for (const auto* definitions : {&known_, &profiles_, &built_in_})
    for (const auto& [name, definition] : *definitions) out.insert(name);
  return {out.begin(), out.end()};
}

std::vector<const Definition*> ServiceTable::listed() const {
  std::vector<const Definition*> out;
  for (const auto name : names()) {
    const auto* found = find(std::string(name));
    if (found->origin != Origin::system || built_in_.contains(name)) out.push_back(found);
  }
  return out;
}

std::string kept_text(const std::string& name, const Definition& definition) {
  std::string out;
  for (const auto& port : definition.ports) {
    out += escaped(name) + " " + text(port);
    if (definition.profile) out += " profile " + std::to_string(port.item);
    out += "\n";
  }
  return out;
}

std::vector<std::string> kept_difference(std::string_view before, std::string_view after) {
  std::vector<std::string> out;
  const auto old_names = kept_by_name(before);
  const auto new_names = kept_by_name(after);
  const auto only = [&](char sign, const std::string& name, const auto& ports, const auto& others) {
    for (const auto& port : ports)
      if (!others.contains(port))
        out.push_back(
            std::string(1, sign).append(" service ").append(name).append(" ").append(port));
  };
  for (const auto& [name, ports] : old_names) {
    const auto now = new_names.find(name);
    if (now == new_names.end()) continue;
    only('-', name, ports, now->second);
    only('+', name, now->second, ports);
  }
  return out;
}

std::string without_kept(std::string_view lines, std::string_view name) {
  std::string out;
  each_line(lines, [&](std::string_view line) {
    auto rest = line;
    if (!same_but_for_case(unescaped(next_word(rest)), name)) out += std::string(line) + "\n";
  });
  return out;
}

}  // namespace fwctl::policy
