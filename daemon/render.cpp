#include "daemon/render.h"

#include <algorithm>
#include <array>
#include <span>

#include "daemon/clock.h"
#include "daemon/protocol/diagnostics.h"
#include "daemon/render_bans.h"
#include "rules/compile/bans.h"
#include "rules/compile/compile.h"
#include "rules/compile/panic.h"
#include "rules/explain.h"
#include "rules/policy/baseline.h"
#include "rules/policy/items.h"
#include "rules/policy/print.h"
#include "rules/policy/translation.h"

namespace fwctl {
namespace {

using protocol::Json;
using protocol::Reply;
using protocol::to_json;

Reply error_reply(std::string_view name, Json parameters) {
  return {.parameters = std::move(parameters),
          .error = std::string(protocol::interface_name) + "." + std::string(name)};
}

void add_hits(Json& json, const std::string& id, const std::map<std::string, Hits>* hits) {
  if (hits == nullptr) return;
  const auto found = hits->find(id);
  const Hits counted = found == hits->end() ? Hits{} : found->second;
  json["packets"] = counted.packets;
  json["bytes"] = counted.bytes;
}

Json rule_json(const Firewall& firewall, std::size_t index,
               const std::map<std::string, Hits>* hits) {
  const auto& rule = firewall.policy().policy().rules[index];
  const auto& id = firewall.policy().ids()[index];
  std::string on;
  for (const auto& interface : rule.interfaces) on += (on.empty() ? "" : ",") + interface;
  for (const auto& interface : rule.out_interfaces)
    on += (&interface != &rule.out_interfaces.front() ? "," : " to ") + interface;
  Json json{
      {"number", index + 1},
      {"id", id},
      {"text", policy::command_text(rule)},
      {"verdict", text(rule.verdict)},
      {"what", policy::what_text(rule)},
      {"from", policy::from_text(rule)},
      {"on", on},
      {"direction", text(rule.direction)},
      {"log", text(rule.log)},
      {"until", rule.until ? time_text(*rule.until) : std::string()},
      {"rate", rule.verdict == policy::Verdict::limit ? text(rule.rate) : std::string()},
      {"comment", rule.comment},
      {"managed", rule.layer == policy::Layer::managed || rule.layer == policy::Layer::trusted},
      {"file", firewall.sources().at(rule.source).name},
      {"line", rule.at.line}};
  if (rule.until)
    json["secondsLeft"] = std::max(*rule.until - now(), std::chrono::seconds(0)).count();
  add_hits(json, id, hits);
  return json;
}

template <typename Translation>
Json translation_json(const Firewall& firewall, const std::string& id, const Translation& written,
                      const std::map<std::string, Hits>* hits) {
  Json json{{"id", id},
            {"text", policy::command_text(written)},
            {"comment", written.comment},
            {"managed", written.managed},
            {"file", firewall.sources().at(written.source).name},
            {"line", written.at.line}};
  add_hits(json, id, hits);
  return json;
}

Json translations_json(const Firewall& firewall, const std::map<std::string, Hits>* hits) {
  const auto& policy = firewall.policy();
  Json out = Json::array();
  for (const auto& forward : policy.forwards())
    out.push_back(
        translation_json(firewall, forward.id, policy.policy().forwards[forward.written], hits));
  for (const auto& masquerade : policy.masquerades())
    out.push_back(translation_json(firewall, masquerade.id,
                                   policy.policy().masquerades[masquerade.written], hits));
  return out;
}

Listener listener(const ListeningSocket& socket) {
  const Address address(socket.ipv6 ? Family::ipv6 : Family::ipv4, socket.address);
  Listener out{.protocol = {socket.protocol}, .port = socket.port};
  if (!address.is_any()) out.address = address;
  out.ipv4 = !socket.ipv6 || (!socket.ipv6_only && address.is_any());
  out.ipv6 = socket.ipv6;
  out.times.first = now();
  return out;
}

Json written_members(const Firewall& firewall, const std::string& id, std::size_t index) {
  const auto& written = firewall.policy().policy().rules[index];
  return {{"rule", id},
          {"number", index + 1},
          {"because", policy::command_text(written)},
          {"file", firewall.sources().at(written.source).name},
          {"line", written.at.line}};
}

template <typename Translation>
Json translation_members(const Firewall& firewall, const std::string& id,
                         const Translation& written) {
  return {{"rule", id},
          {"because", policy::command_text(written)},
          {"file", firewall.sources().at(written.source).name},
          {"line", written.at.line}};
}

Json forward_members(const Firewall& firewall, const policy::CheckedForward& forward) {
  const auto& written = firewall.policy().policy().forwards[forward.written];
  Json json = translation_members(firewall, forward.id, written);
  json["to"] = policy::target_text(written);
  return json;
}

// Which rule it is, for people and for programs; null: the default.
Json rule_members(const Firewall& firewall, const policy::CheckedRule* rule) {
  if (rule == nullptr) return {{"because", "default"}};
  if (rule->written) return written_members(firewall, rule->id, *rule->written);
  return {{"rule", rule->id}, {"because", policy::baseline_description(rule->id)}};
}

Json access_json(const Firewall& firewall, const std::vector<Reachability>& entries) {
  Json access = Json::array();
  for (const auto& entry : entries) {
    Json one = entry.forward == nullptr ? rule_members(firewall, entry.rule)
                                        : forward_members(firewall, *entry.forward);
    one["sources"] = entry.sources;
    one["verdict"] = text(entry.verdict);
    access.push_back(std::move(one));
  }
  return access;
}

// Of the rules that an explanation passes, so many are listed: a reply is for people.
constexpr std::size_t most_passed = 1000;

// The values of Condition, by fwctl::Condition.
constexpr std::array<std::string_view, condition_count> conditions{
    "state",  "protocol",    "family",    "icmpType",     "port", "sourcePort",
    "source", "destination", "interface", "outInterface", "mac",  "mark",
    "user",   "group",       "unit",      "time"};
static_assert(!conditions.back().empty());

Json passed_json(const Firewall& firewall, const Passed& passed) {
  Json json = rule_members(firewall, passed.rule);
  json["unmet"] = Json::array();
  for (std::size_t index = 0; index < conditions.size(); ++index)
    if (passed.unmet[index]) json["unmet"].push_back(conditions.at(index));
  return json;
}

Json explanation_json(const Firewall& firewall, const Explanation& explanation) {
  Json packets = Json::array();
  for (const auto& asked : explanation.packets)
    packets.push_back({{"what", asked.what},
                       {"family", asked.packets.family() == Family::ipv4 ? "ipv4" : "ipv6"}});
  const auto listed = std::min(explanation.passed.size(), most_passed);
  Json passed = Json::array();
  for (std::size_t index = 0; index < listed; ++index)
    passed.push_back(passed_json(firewall, explanation.passed[index]));
  auto access = access_json(firewall, explanation.access);
  auto bans = ban_access(explanation.packets, firewall);
  if (bans.all) {
    (*bans.entry)["sources"] = access.back().at("sources");
    return {{"packets", std::move(packets)},
            {"access", Json::array({*std::move(bans.entry)})},
            {"passed", Json::array()},
            {"redirected", Json::array()},
            {"unlisted", 0}};
  }
  if (bans.entry) access.insert(access.begin(), *std::move(bans.entry));
  return {{"packets", std::move(packets)},
          {"access", std::move(access)},
          {"passed", std::move(passed)},
          {"redirected", access_json(firewall, explanation.redirected)},
          {"unlisted", explanation.passed.size() - listed}};
}

Json connection_json(const TcpConnection& connection) {
  return {{"from", connection.peer.text()},
          {"fromPort", connection.peer_port},
          {"to", connection.own.text()},
          {"toPort", connection.own_port}};
}

Json protection_json(const Firewall& firewall, Protection protection) {
  if (protection == Protection::kernel) return {{"by", "kernel"}};
  return {{"by", "watching"}, {"because", firewall.why_watched()}};
}

}  // namespace

Json rule_members(const Firewall& firewall, const std::string& id) {
  if (id == compile::default_comment) return {{"because", "default"}};
  if (id == compile::panic_comment) return {{"rule", id}, {"because", "panic is on"}};
  if (id == compile::ban_comment) return {{"rule", id}, {"because", "a ban ('fwctl bans')"}};
  const auto& policy = firewall.policy();
  if (const auto index = policy.find(id)) return written_members(firewall, id, *index);
  for (const auto& forward : policy.forwards())
    if (forward.id == id) return forward_members(firewall, forward);
  for (const auto& masquerade : policy.masquerades())
    if (masquerade.id == id)
      return translation_members(firewall, id, policy.policy().masquerades[masquerade.written]);
  Json json{{"rule", id}};
  if (const auto what = policy::baseline_description(id); !what.empty()) json["because"] = what;
  return json;
}

Json to_json(const Outcome& outcome) {
  Json json{{"changed", outcome.changed},       {"generation", outcome.generation},
            {"enabled", outcome.enabled},       {"notes", outcome.notes},
            {"difference", outcome.difference}, {"warnings", to_json(outcome.warnings)}};
  if (outcome.panic) json["panic"] = true;
  if (outcome.confirm) json["confirm"] = outcome.confirm->count();
  return json;
}

Reply to_reply(const Failure& failure) {
  if (const auto* invalid = std::get_if<InvalidPolicy>(&failure))
    return error_reply("InvalidPolicy", {{"diagnostics", to_json(invalid->diagnostics)}});
  if (const auto* refused = std::get_if<Refused>(&failure))
    return error_reply("Refused", {{"message", refused->message}});
  if (const auto* kernel = std::get_if<KernelRefused>(&failure))
    return error_reply("KernelRefused", {{"message", kernel->message},
                                         {"diagnostics", to_json(kernel->diagnostics)}});
  if (const auto* waits = std::get_if<AwaitingConfirmation>(&failure))
    return error_reply("AwaitingConfirmation", {{"message", waits->message},
                                                {"generation", waits->generation},
                                                {"secondsLeft", waits->left.count()}});
  if (const auto* lockout = std::get_if<WouldLockOut>(&failure)) {
    Json parameters{{"message", lockout->message}, {"diagnostics", to_json(lockout->diagnostics)}};
    if (lockout->connection) parameters["connection"] = connection_json(*lockout->connection);
    if (!lockout->rule.empty()) parameters["rule"] = lockout->rule;
    return error_reply("WouldLockOut", std::move(parameters));
  }
  if (const auto* unknown = std::get_if<UnknownGeneration>(&failure))
    return error_reply("UnknownGeneration",
                       {{"message", unknown->message}, {"known", unknown->known}});
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
  for (const auto& ended : policy::ended(policy, firewall.sources(), now()))
    problems.push_back(ended.file + ":" + std::to_string(ended.at.line) + ": " + ended.message);
  if (firewall.enabled()) {
    const auto more = firewall.forwarding_problems();
    problems.insert(problems.end(), more.begin(), more.end());
  }
  const bool counted = firewall.enabled() && look;
  const auto* hits = counted ? &look->hits : nullptr;
  Json rules = Json::array();
  for (std::size_t index = 0; index < policy.rules.size(); ++index)
    rules.push_back(rule_json(firewall, index, hits));
  Json defaults = Json::object();
  for (const auto traffic :
       {policy::Traffic::incoming, policy::Traffic::outgoing, policy::Traffic::routed})
    defaults[std::string(text(traffic))] = text(policy.default_for(traffic));
  Json json{{"enabled", firewall.enabled()},
            {"generation", firewall.generation()},
            {"since", firewall.since()},
            {"defaults", std::move(defaults)},
            {"logging", text(policy.logging)},
            {"rules", std::move(rules)},
            {"translations", translations_json(firewall, hits)},
            {"problems", std::move(problems)},
            {"bans", firewall.bans().count(firewall.instant())},
            {"version", FWCTL_VERSION}};
  if (look && look->protection) json["protection"] = protection_json(firewall, *look->protection);
  if (const auto& panic = firewall.panic()) {
    Json spared = Json::array();
    for (const auto& one : panic->spared) spared.push_back(connection_json(one));
    json["panic"] = {{"since", time_text(panic->since)}, {"spared", std::move(spared)}};
  }
  if (const auto& trial = firewall.trial())
    json["trial"] = {
        {"before", trial->before},
        {"secondsLeft", std::chrono::ceil<std::chrono::seconds>(firewall.trial_left()).count()},
        {"until", time_text(trial->until)}};
  return json;
}

Json to_json(const ListeningSocket& socket, const Firewall& firewall) {
  const Listener open = listener(socket);
  const bool local = open.address && open.address->is_loopback();
  Json access = Json::array();
  if (local) {
    access.push_back(
        {{"sources", "this host"}, {"verdict", "allow"}, {"because", "bound to loopback"}});
  } else if (firewall.panic()) {
    access.push_back({{"sources", "anyone"}, {"verdict", "deny"}, {"because", "panic is on"}});
  } else if (!firewall.enabled()) {
    access.push_back(
        {{"sources", "anyone"}, {"verdict", "allow"}, {"because", "the firewall is not in force"}});
  } else {
    access = access_json(firewall, reach(firewall.policy(), open));
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

Json forwarded_ports_json(const Firewall& firewall) {
  Json out = Json::array();
  if (!firewall.enabled()) return out;
  const auto& policy = firewall.policy();
  for (const auto& forward : policy.forwards())
    for (const auto& flow : forward.conditions.flows) {
      const Family family = forward.to.family();
      const Packets packets{.from = everything(family),
                            .to = everything(family),
                            .protocol = flow.protocol,
                            .to_ports = flow.to,
                            .times = {.first = now(), .last = always.last}};
      out.push_back({{"protocol", flow.protocol.text()},
                     {"ports", flow.to.text()},
                     {"to", policy::target_text(policy.policy().forwards[forward.written])},
                     {"access", access_json(firewall, reach(policy, std::span(&packets, 1)))}});
    }
  return out;
}

Reply explain_reply(const std::vector<Asked>& asked, const Firewall& firewall) {
  Json explanations = Json::array();
  for (const auto& explanation : explain(firewall.policy(), asked))
    explanations.push_back(explanation_json(firewall, explanation));
  return {.parameters = {{"enabled", firewall.enabled()},
                         {"panic", firewall.panic().has_value()},
                         {"traffic", text(asked.front().packets.traffic)},
                         {"explanations", std::move(explanations)}}};
}

Reply invalid_question(const Diagnostics& diagnostics) {
  return error_reply("InvalidQuestion", {{"diagnostics", to_json(diagnostics)}});
}

}  // namespace fwctl
