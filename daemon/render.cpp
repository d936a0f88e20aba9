#include "daemon/render.h"

#include <algorithm>

#include "daemon/protocol/diagnostics.h"
#include "rules/policy/baseline.h"
#include "rules/policy/print.h"
#include "rules/reach.h"

namespace fwctl {
namespace {

using protocol::Json;
using protocol::Reply;
using protocol::to_json;

Reply error_reply(std::string_view name, Json parameters) {
  return {.parameters = std::move(parameters),
          .error = std::string(protocol::interface_name) + "." + std::string(name)};
}

Json rule_json(const Firewall& firewall, std::size_t index,
               const std::map<std::string, Hits>* hits) {
  const auto& rule = firewall.policy().policy().rules[index];
  const auto& id = firewall.policy().ids()[index];
  std::string on;
  for (const auto& interface : rule.interfaces) on += (on.empty() ? "" : ",") + interface;
  for (const auto& interface : rule.out_interfaces)
    on += (&interface != &rule.out_interfaces.front() ? "," : " to ") + interface;
  Json json{{"number", index + 1},
            {"id", id},
            {"text", policy::command_text(rule)},
            {"verdict", text(rule.verdict)},
            {"what", policy::what_text(rule)},
            {"from", policy::from_text(rule)},
            {"on", on},
            {"direction", text(rule.direction)},
            {"log", text(rule.log)},
            {"comment", rule.comment},
            {"managed", rule.layer == policy::Layer::managed},
            {"file", firewall.sources().at(rule.source).name},
            {"line", rule.at.line}};
  if (hits == nullptr) return json;
  const auto found = hits->find(id);
  const Hits counted = found == hits->end() ? Hits{} : found->second;
  json["packets"] = counted.packets;
  json["bytes"] = counted.bytes;
  return json;
}

Listener listener(const ListeningSocket& socket) {
  const Address address(socket.ipv6 ? Family::ipv6 : Family::ipv4, socket.address);
  Listener out{.protocol = {socket.protocol}, .port = socket.port};
  if (!address.is_any()) out.address = address;
  out.ipv4 = !socket.ipv6 || (!socket.ipv6_only && address.is_any());
  out.ipv6 = socket.ipv6;
  return out;
}

// Why a packet meets this entry, for people.
std::string because(const Firewall& firewall, const Reachability& entry) {
  if (entry.rule == nullptr) return "default";
  if (!entry.rule->written) return std::string(policy::baseline_description(entry.rule->id));
  return policy::command_text(firewall.policy().policy().rules[*entry.rule->written]);
}

}  // namespace

Json to_json(const Outcome& outcome) {
  return {{"changed", outcome.changed},       {"generation", outcome.generation},
          {"enabled", outcome.enabled},       {"notes", outcome.notes},
          {"difference", outcome.difference}, {"warnings", to_json(outcome.warnings)}};
}

Reply to_reply(const Failure& failure) {
  if (const auto* invalid = std::get_if<InvalidPolicy>(&failure))
    return error_reply("InvalidPolicy", {{"diagnostics", to_json(invalid->diagnostics)}});
  if (const auto* refused = std::get_if<Refused>(&failure))
    return error_reply("Refused", {{"message", refused->message}});
  if (const auto* kernel = std::get_if<KernelRefused>(&failure))
    return error_reply("KernelRefused", {{"message", kernel->message},
                                         {"diagnostics", to_json(kernel->diagnostics)}});
  return error_reply("Failed", {{"message", std::get<Error>(failure).message()}});
}

Json status_json(Firewall& firewall) {
  const auto& policy = firewall.policy().policy();
  auto problems = firewall.problems();
  const auto look = firewall.look();
  if (!look) problems.push_back("the kernel cannot be asked: " + look.error().message());
  if (look && look->drifted)
    problems.emplace_back(
        "table inet fwctl is not as fwctl left it, another program changed it: 'fwctl reload' "
        "restores it");
  const bool counted = firewall.enabled() && look;
  Json rules = Json::array();
  for (std::size_t index = 0; index < policy.rules.size(); ++index)
    rules.push_back(rule_json(firewall, index, counted ? &look->hits : nullptr));
  Json defaults = Json::object();
  for (const auto traffic :
       {policy::Traffic::incoming, policy::Traffic::outgoing, policy::Traffic::routed})
    defaults[std::string(text(traffic))] = text(policy.default_for(traffic));
  return {{"enabled", firewall.enabled()},   {"generation", firewall.generation()},
          {"since", firewall.since()},       {"defaults", std::move(defaults)},
          {"logging", text(policy.logging)}, {"rules", std::move(rules)},
          {"problems", std::move(problems)}, {"version", FWCTL_VERSION}};
}

Json to_json(const ListeningSocket& socket, const Firewall& firewall) {
  const Listener open = listener(socket);
  const bool local = open.address && open.address->is_loopback();
  Json access = Json::array();
  if (local) {
    access.push_back(
        {{"sources", "this host"}, {"verdict", "allow"}, {"because", "bound to loopback"}});
  } else if (!firewall.enabled()) {
    access.push_back(
        {{"sources", "anyone"}, {"verdict", "allow"}, {"because", "the firewall is not in force"}});
  } else {
    for (const auto& entry : reach(firewall.policy(), open)) {
      Json one{{"sources", entry.sources},
               {"verdict", text(entry.verdict)},
               {"because", because(firewall, entry)}};
      if (entry.rule != nullptr) one["rule"] = entry.rule->id;
      if (entry.rule != nullptr && entry.rule->written) one["number"] = *entry.rule->written + 1;
      access.push_back(std::move(one));
    }
  }
  const Address address(socket.ipv6 ? Family::ipv6 : Family::ipv4, socket.address);
  const std::string shown =
      socket.ipv6 && address.is_any() && !socket.ipv6_only ? "*" : address.text();
  return {{"protocol", Protocol{socket.protocol}.text()},
          {"address", shown},
          {"port", socket.port},
          {"inode", socket.inode},
          {"uid", socket.uid},
          {"local", local},
          {"access", std::move(access)}};
}

}  // namespace fwctl
