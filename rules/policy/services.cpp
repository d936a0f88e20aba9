#include "rules/policy/services.h"

#include <array>

#include "rules/number.h"

namespace fwctl::policy {
namespace {

struct BuiltIn {
  std::string_view name;
  std::uint16_t port;
  bool tcp;
  bool udp;
};

// For hosts without /etc/services (minimal images): what a policy is most likely to name. Ports are
// IANA's.
constexpr std::array<BuiltIn, 23> built_in{{
    {"ssh", 22, true, false},          {"smtp", 25, true, false},
    {"domain", 53, true, true},        {"http", 80, true, false},
    {"kerberos", 88, true, true},      {"pop3", 110, true, false},
    {"ntp", 123, false, true},         {"imap2", 143, true, false},
    {"snmp", 161, true, true},         {"ldap", 389, true, true},
    {"https", 443, true, true},        {"submission", 587, true, false},
    {"ldaps", 636, true, true},        {"rsync", 873, true, false},
    {"imaps", 993, true, false},       {"pop3s", 995, true, false},
    {"openvpn", 1194, true, true},     {"nfs", 2049, true, true},
    {"mysql", 3306, true, false},      {"postgresql", 5432, true, false},
    {"wireguard", 51820, false, true}, {"redis", 6379, true, false},
    {"mdns", 5353, false, true},
}};

// The next word of `line` separated by blanks; cuts it off.
std::string_view next_word(std::string_view& line) {
  const auto begin = line.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return line = {};
  line.remove_prefix(begin);
  const auto word = line.substr(0, line.find_first_of(" \t"));
  line.remove_prefix(word.size());
  return word;
}

}  // namespace

void ServiceTable::read(std::string_view lines) {
  while (!lines.empty()) {
    const auto end = std::min(lines.find('\n'), lines.size());
    std::string_view line = lines.substr(0, end);
    lines.remove_prefix(std::min(end + 1, lines.size()));
    line = line.substr(0, line.find('#'));
    const auto name = next_word(line);
    const auto port_and_protocol = next_word(line);
    const auto slash = port_and_protocol.find('/');
    const auto port = parse_number(port_and_protocol.substr(0, slash), 65535);
    if (name.empty() || slash == std::string_view::npos || !port || *port == 0) continue;
    const auto protocol = Protocol::parse(port_and_protocol.substr(slash + 1));
    if (protocol != tcp && protocol != udp) continue;
    const auto number = static_cast<std::uint16_t>(*port);
    const ServicePort entry{*protocol, {number, number}};
    ports_[std::string(name)].push_back(entry);
    for (auto alias = next_word(line); !alias.empty(); alias = next_word(line))
      ports_[std::string(alias)].push_back(entry);
  }
}

ServiceTable::ServiceTable(std::string_view etc_services) {
  read(etc_services);
  for (const auto& [name, port, is_tcp, is_udp] : built_in) {
    if (ports_.contains(std::string(name))) continue;
    auto& entries = ports_[std::string(name)];
    if (is_tcp) entries.push_back({tcp, {port, port}});
    if (is_udp) entries.push_back({udp, {port, port}});
  }
}

const std::vector<ServicePort>& ServiceTable::find(const std::string& name) const {
  static const std::vector<ServicePort> none;
  const auto found = ports_.find(name);
  return found == ports_.end() ? none : found->second;
}

void ServiceTable::prefer(std::string_view lines) {
  ServiceTable preferred;
  preferred.read(lines);
  for (auto& [name, ports] : preferred.ports_) ports_[name] = std::move(ports);
}

void ServiceTable::define(const std::string& name, std::vector<ServicePort> ports) {
  ports_[name] = std::move(ports);
}

std::vector<std::string_view> ServiceTable::names() const {
  std::vector<std::string_view> out;
  out.reserve(ports_.size());
  for (const auto& [name, ports] : ports_) out.push_back(name);
  return out;
}

}  // namespace fwctl::policy
