#include "rules/policy/surroundings.h"

#include <algorithm>

#include "rules/nearest.h"
#include "rules/number.h"

namespace fwctl::policy {
namespace {

using Numbers = Surroundings::Numbers;

void add_names(const std::vector<Account>& accounts, std::set<std::string, std::less<>>& into) {
  for (const auto& account : accounts)
    if (const auto* name = std::get_if<std::string>(&account.what)) into.insert(*name);
}

void add_hosts(const std::vector<AddressItem>& items, std::set<std::string, std::less<>>& into) {
  for (const auto& item : items)
    if (const auto* host = std::get_if<HostName>(&item.what)) into.insert(host->name);
}

bool names_wan(const std::vector<std::string>& interfaces) {
  return std::find(interfaces.begin(), interfaces.end(), wan_name) != interfaces.end();
}

template <typename Known>
std::set<std::string, std::less<>> unknown(const std::set<std::string, std::less<>>& wanted,
                                           const Known& known) {
  std::set<std::string, std::less<>> out;
  for (const auto& name : wanted)
    if (!known.contains(name)) out.insert(name);
  return out;
}

template <typename Known>
Known only_of(const Known& known, const std::set<std::string, std::less<>>& wanted) {
  Known out;
  for (const auto& [name, meaning] : known)
    if (wanted.contains(name)) out.emplace(name, meaning);
  return out;
}

std::string lines(std::string_view kind, const Numbers& numbers) {
  std::string out;
  for (const auto& [name, number] : numbers)
    out += std::string(kind) + " " + name + " " + std::to_string(number) + "\n";
  return out;
}

// "wan eth0 wg0"
std::string wan_text(const std::vector<std::string>& interfaces) {
  std::string out(wan_name);
  for (const auto& interface : interfaces) out += " " + interface;
  return out;
}

// The next word of a line, taken off it.
std::string_view next_word(std::string_view& line) {
  const std::size_t end = std::min(line.find(' '), line.size());
  const auto word = line.substr(0, end);
  line.remove_prefix(std::min(end + 1, line.size()));
  return word;
}

bool read_host(const std::string& name, std::string_view addresses, Surroundings::Hosts& into) {
  std::vector<Address> found;
  while (!addresses.empty()) {
    const auto address = Address::parse(next_word(addresses));
    if (!address) return false;
    found.push_back(*address);
  }
  return !name.empty() && into.emplace(name, std::move(found)).second;
}

bool read_line(std::string_view line, Surroundings& into) {
  const auto kind = next_word(line);
  if (kind == wan_name) {
    if (into.wan) return false;
    into.wan.emplace();
    while (!line.empty()) into.wan->emplace_back(next_word(line));
    return true;
  }
  const auto name = std::string(next_word(line));
  if (kind == "host") return read_host(name, line, into.hosts);
  const auto number = parse_number(line, UINT32_MAX);
  if (name.empty() || !number) return false;
  auto& numbers = kind == "user" ? into.users : into.groups;
  return (kind == "user" || kind == "group") &&
         numbers.emplace(name, static_cast<std::uint32_t>(*number)).second;
}

// A line for each of `addresses` that the sorted `others` do not have.
void add_lines(const std::string& before, const std::vector<Address>& addresses,
               const std::vector<Address>& others, std::vector<std::string>& out) {
  for (const auto& address : addresses)
    if (!std::binary_search(others.begin(), others.end(), address))
      out.push_back(before + address.text());
}

void compare(std::string_view kind, const Numbers& before, const Numbers& after,
             std::vector<std::string>& out) {
  for (const auto& [name, number] : before) {
    const auto now = after.find(name);
    if (now == after.end() || now->second == number) continue;
    const std::string named = " " + std::string(kind) + " " + name + " ";
    out.push_back("-" + named + std::to_string(number));
    out.push_back("+" + named + std::to_string(now->second));
  }
}

}  // namespace

std::string unknown_account(const Surroundings::Numbers& known, std::string_view kind,
                            std::string_view name) {
  std::vector<std::string_view> names;
  names.reserve(known.size());
  for (const auto& [one, number] : known) names.push_back(one);
  return "no " + std::string(kind) + " of this host is called '" + std::string(name) + "'" +
         suggestion(name, names);
}

Names names(const Policy& policy) {
  Names out;
  for (const auto& rule : policy.rules) {
    add_names(rule.users, out.users);
    add_names(rule.groups, out.groups);
    out.wan = out.wan || names_wan(rule.interfaces) || names_wan(rule.out_interfaces);
    add_hosts(rule.from, out.hosts);
    add_hosts(rule.to, out.hosts);
  }
  for (const auto& forward : policy.forwards) {
    out.wan = out.wan || names_wan(forward.interfaces);
    add_hosts(forward.from, out.hosts);
  }
  for (const auto& masquerade : policy.masquerades) {
    out.wan = out.wan || names_wan(masquerade.out_interfaces);
    add_hosts(masquerade.from, out.hosts);
  }
  return out;
}

Names Surroundings::to_look_up(const Names& wanted) const {
  return {.users = unknown(wanted.users, users),
          .groups = unknown(wanted.groups, groups),
          .wan = wanted.wan,
          .hosts = wanted.hosts};
}

Surroundings Surroundings::only(const Names& wanted) const {
  return {.users = only_of(users, wanted.users),
          .groups = only_of(groups, wanted.groups),
          .wan = wanted.wan ? wan : std::nullopt,
          .hosts = only_of(hosts, wanted.hosts)};
}

void Surroundings::update(const Surroundings& now) {
  users.insert(now.users.begin(), now.users.end());
  groups.insert(now.groups.begin(), now.groups.end());
  if (now.wan) wan = now.wan;
  for (const auto& [name, addresses] : now.hosts) hosts.insert_or_assign(name, addresses);
}

std::string text(const Surroundings& surroundings) {
  std::string out = lines("user", surroundings.users) + lines("group", surroundings.groups);
  if (surroundings.wan) out += wan_text(*surroundings.wan) + "\n";
  for (const auto& [name, addresses] : surroundings.hosts) {
    out += "host " + name;
    for (const auto& address : addresses) out += " " + address.text();
    out += "\n";
  }
  return out;
}

std::optional<Surroundings> parse_surroundings(std::string_view text) {
  Surroundings out;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos || !read_line(text.substr(0, end), out)) return {};
    text.remove_prefix(end + 1);
  }
  return out;
}

std::vector<std::string> difference(const Surroundings& before, const Surroundings& after) {
  std::vector<std::string> out;
  compare("user", before.users, after.users, out);
  compare("group", before.groups, after.groups, out);
  if (before.wan && after.wan && before.wan != after.wan) {
    out.push_back("- " + wan_text(*before.wan));
    out.push_back("+ " + wan_text(*after.wan));
  }
  for (const auto& [name, addresses] : after.hosts) {
    const auto known = before.hosts.find(name);
    const auto old = known == before.hosts.end() ? std::vector<Address>{} : known->second;
    add_lines("- host " + name + " ", old, addresses, out);
    add_lines("+ host " + name + " ", addresses, old, out);
  }
  return out;
}

}  // namespace fwctl::policy
