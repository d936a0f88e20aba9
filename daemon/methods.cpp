#include "daemon/methods.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "daemon/accounts.h"
#include "daemon/callers.h"
#include "daemon/clock.h"
#include "daemon/cut.h"
#include "daemon/journal.h"
#include "daemon/render.h"
#include "daemon/render_bans.h"
#include "daemon/render_history.h"
#include "daemon/render_services.h"
#include "daemon/render_sets.h"
#include "daemon/sockets.h"
#include "rules/nearest.h"
#include "rules/policy/grammar.h"
#include "rules/policy/items.h"
#include "rules/policy/lets_in.h"
#include "rules/policy/print.h"
#include "rules/policy/translation.h"
#include "rules/question.h"

namespace fwctl {
namespace {

using protocol::Json;
using protocol::Reply;

// Names and other words of a peer, cut before they are kept.
constexpr std::size_t longest_reason = 200;

Reply refuse(std::string message) {
  return to_reply(Refused{std::move(message)});
}

// The host's name service is asked only where something is to be kept.
Author author(const Peer& peer, const std::vector<TcpConnection>& callers) {
  return {.uid = peer.uid,
          .user = user_name(peer.uid),
          .from = callers.empty() ? std::string() : callers.front().peer.text()};
}

Request request(const Peer& peer, const Json& parameters, const std::string& what) {
  Request out{.reason = what.substr(0, longest_reason),
              .dry_run = parameters.value("dryRun", false),
              .now = now()};
  if (parameters.contains("connections")) out.callers = callers(parameters.at("connections"));
  out.allow_lockout = parameters.value("allowLockout", false);
  if (!out.dry_run) out.by = author(peer, out.callers);
  if (parameters.contains("confirm"))
    out.confirm = std::chrono::seconds(parameters.at("confirm").get<std::int64_t>());
  return out;
}

Reply outcome(const Change& change) {
  if (!change) return to_reply(change.error());
  return {.parameters = {{"outcome", to_json(*change)}}};
}

// Nobody waits longer to be told of connections that he has not asked about.
constexpr auto longest_look = std::chrono::milliseconds(50);

// Whether what it changed may keep out what was let in before.
bool may_keep_out(const Outcome& done, const policy::Policy& now) {
  if (!done.changed || !(done.enabled || done.panic)) return false;
  if (done.difference.empty()) return true;  // in force from now on
  return !policy::only_lets_in(done.difference, now);
}

// Of a change that was made: the connections that go on although they could not begin any more.
Reply outcome(const Firewall& firewall, const Change& change, const Request& asked, bool cut_now) {
  auto reply = outcome(change);
  if (!change || asked.dry_run || !may_keep_out(*change, firewall.policy().policy())) return reply;
  const Selection denied{.begin_as = {}, .spared = asked.callers};
  const auto flowing =
      cut_now ? cut(firewall, denied) : count_flows(firewall, denied, longest_look);
  auto& json = reply.parameters.at("outcome");
  if (!flowing) {
    json["notes"].push_back("what goes on over connections that are there is not known: " +
                            flowing.error().message());
    return reply;
  }
  json["flowing"] = flowing->count;
  if (flowing->more) json["flowingMore"] = true;
  return reply;
}

// Carries out what `change(request)` does.
template <typename Make>
Reply carry_out(const Firewall& firewall, const Peer& peer, const Json& parameters,
                const std::string& what, const Make& change) {
  const auto asked = request(peer, parameters, what);
  return outcome(firewall, change(asked), asked, parameters.value("cut", false));
}

std::vector<std::string> words(const Json& parameters, const char* key) {
  return parameters.at(key).get<std::vector<std::string>>();
}

Reply add(Firewall& firewall, const Peer& peer, const Json& parameters) {
  const auto rule = words(parameters, "rule");
  policy::Place place;
  if (parameters.contains("position")) {
    const auto position = parameters.at("position").get<std::int64_t>();
    if (position < 0) return refuse("a position is 0 (before all others) or the number of a rule");
    place.number = static_cast<std::size_t>(position);
  }
  return carry_out(firewall, peer, parameters, policy::join(rule),
                   [&](const Request& asked) { return firewall.add(rule, place, asked); });
}

Reply remove(Firewall& firewall, const Peer& peer, const Json& parameters) {
  const auto selection = words(parameters, "selection");
  return carry_out(firewall, peer, parameters, "delete " + policy::join(selection),
                   [&](const Request& asked) { return firewall.remove(selection, asked); });
}

Reply set_default(Firewall& firewall, const Peer& peer, const Json& parameters) {
  const auto direction = parameters.at("direction").get<std::string>();
  const auto word = parameters.at("verdict").get<std::string>();
  const auto traffic = policy::parse_traffic(direction);
  const auto verdict = policy::parse_default(word);
  if (!traffic) return refuse("a direction is incoming, outgoing or routed");
  if (!verdict) return refuse("a default is allow, deny or reject");
  return carry_out(
      firewall, peer, parameters,
      "default " + std::string(text(*verdict)) + " " + std::string(text(*traffic)),
      [&](const Request& asked) { return firewall.set_default(*traffic, *verdict, asked); });
}

Reply set_logging(Firewall& firewall, const Peer& peer, const Json& parameters) {
  const auto word = parameters.at("level").get<std::string>();
  auto level = policy::parse_logging(word);
  // As before it was switched off, if it was not.
  if (word == "on")
    level = firewall.policy().logging() == policy::Logging::off ? policy::Logging::low
                                                                : firewall.policy().logging();
  if (!level) return refuse("a level is on, off, low, medium, high or full");
  return outcome(firewall.set_logging(
      *level, request(peer, parameters, "logging " + std::string(text(*level)))));
}

Reply apply(Firewall& firewall, const Peer& peer, const Json& parameters, bool dry_run) {
  const auto name = parameters.value("name", std::string());
  auto asked = request(peer, parameters, "apply " + name);
  asked.dry_run = asked.dry_run || dry_run;
  return outcome(firewall, firewall.apply(parameters.at("policy").get<std::string>(), name, asked),
                 asked, parameters.value("cut", false));
}

Reply diff(Firewall& firewall, const Peer& peer, const Json& parameters) {
  if (parameters.contains("policy")) return apply(firewall, peer, parameters, true);
  return outcome(firewall.reload({.reason = {}, .dry_run = true, .now = now()}));
}

// What would have to be typed to have the same rules again.
std::string added_commands(const Firewall& firewall) {
  std::string out;
  const auto& rules = firewall.policy().policy().rules;
  const auto command = [](const auto& rule) {
    return policy::command_text(rule) +
           (rule.comment.empty() ? "" : " comment " + policy::join({rule.comment})) + "\n";
  };
  // Each prepended rule goes before those prepended earlier.
  for (auto rule = rules.rbegin(); rule != rules.rend(); ++rule)
    if (rule->layer == policy::Layer::before) out += "fwctl prepend " + command(*rule);
  for (const auto& rule : rules)
    if (rule.layer == policy::Layer::added) out += "fwctl " + command(rule);
  const auto add = [&](const auto& translations) {
    for (const auto& one : translations)
      if (!one.managed) out += "fwctl " + command(one);
  };
  add(firewall.policy().policy().forwards);
  add(firewall.policy().policy().masquerades);
  return out;
}

Reply show(const Firewall& firewall, const Json& parameters) {
  const auto what = parameters.at("what").get<std::string>();
  if (what == "policy")
    return {.parameters = {{"text", policy::yaml_text(firewall.policy().policy())}}};
  if (what == "ruleset") return {.parameters = {{"text", firewall.ruleset_text()}}};
  if (what == "added") return {.parameters = {{"text", added_commands(firewall)}}};
  return refuse("what can be shown is policy, ruleset or added");
}

Reply services(const Firewall& firewall, const Json& parameters) {
  const auto name = parameters.value("name", std::string());
  auto list = services_json(firewall, name);
  if (!name.empty() && list.empty())
    return refuse("no service is called '" + name + "'" +
                  suggestion(name, firewall.services_of_host().names()));
  return {.parameters = {{"services", std::move(list)}}};
}

Reply sets(const Firewall& firewall, const Json& parameters) {
  const auto name = parameters.value("name", std::string());
  auto list = sets_json(firewall, name);
  if (!name.empty() && list.empty())
    return refuse(policy::unknown_set(firewall.policy().policy(), name));
  return {.parameters = {{"sets", std::move(list)}}};
}

Reply edit_set(Firewall& firewall, const Peer& peer, const Json& parameters) {
  const auto name = parameters.at("name").get<std::string>();
  const auto word = parameters.at("action").get<std::string>();
  const auto action = policy::parse_set_action(word);
  if (!action) return refuse("an action is add, remove, replace or delete");
  const auto addresses = parameters.value("addresses", std::vector<std::string>());
  if (addresses.empty() != (*action == policy::SetAction::destroy) &&
      *action != policy::SetAction::replace)
    return refuse(addresses.empty() ? "say which addresses" : "delete takes no addresses");
  return carry_out(
      firewall, peer, parameters, "set " + word + " " + name,
      [&](const Request& asked) { return firewall.edit_set(*action, name, addresses, asked); });
}

Reply bans(Firewall& firewall, const Json& parameters) {
  const auto text = parameters.value("address", std::string());
  if (text.empty()) return bans_reply(firewall, {});
  const auto range = policy::parse_address_range(text);
  if (!range) return refuse("'" + text + "' is no address or prefix");
  return bans_reply(firewall, *range);
}

Reply update_services(Firewall& firewall, const Peer& peer, const Json& parameters) {
  const auto name = parameters.value("name", std::string());
  const auto what = "update services" + (name.empty() ? name : ": " + name);
  return carry_out(firewall, peer, parameters, what,
                   [&](const Request& asked) { return firewall.update_services(name, asked); });
}

Reply ports(const Firewall& firewall) {
  const auto sockets = listening_sockets();
  if (!sockets) return to_reply(sockets.error());
  Json list = Json::array();
  for (const auto& socket : *sockets) list.push_back(to_json(socket, firewall));
  return {.parameters = {{"enabled", firewall.enabled()},
                         {"sockets", std::move(list)},
                         {"forwards", forwarded_ports_json(firewall)}}};
}

Reply explain(const Firewall& firewall, const Json& parameters) {
  Diagnostics diagnostics;
  const auto question = words(parameters, "question");
  auto asked =
      parse_question(question, firewall.services_in_force(), firewall.surroundings(names(question)),
                     firewall.units(unit_names(question)), diagnostics);
  if (asked)
    for (auto& kind : *asked) kind.packets.times.first = now();
  return asked ? explain_reply(*asked, firewall) : invalid_question(diagnostics);
}

Reply cut(const Firewall& firewall, const Peer& peer, const Json& parameters) {
  Selection selection;
  if (parameters.contains("question")) {
    const auto question = words(parameters, "question");
    Diagnostics diagnostics;
    selection.begin_as = parse_open_question(question, firewall.services_in_force(),
                                             firewall.surroundings(names(question)),
                                             firewall.units(unit_names(question)), diagnostics);
    if (!selection.begin_as) return invalid_question(diagnostics);
  }
  if (parameters.contains("connections") && !parameters.value("allowLockout", false))
    selection.spared = callers(parameters.at("connections"));
  const bool dry_run = parameters.value("dryRun", false);
  const auto done = dry_run ? count_flows(firewall, selection, std::chrono::minutes(1))
                            : cut(firewall, selection);
  if (!done) return to_reply(done.error());
  if (!dry_run)
    journal::info(std::to_string(done->count) + " connections cut by uid " +
                  std::to_string(peer.uid) + ": " +
                  (parameters.contains("question")
                       ? policy::join(words(parameters, "question")).substr(0, longest_reason)
                       : "those that the policy does not let begin"));
  return {.parameters = {{"ended", done->count}, {"spared", done->spared}}};
}

Reply rollback(Firewall& firewall, const Peer& peer, const Json& parameters) {
  std::optional<std::uint64_t> number;
  std::string what = "rollback";
  if (parameters.contains("generation")) {
    const auto wanted = parameters.at("generation").get<std::int64_t>();
    if (wanted < 1) return refuse("generations count from 1");
    number = static_cast<std::uint64_t>(wanted);
    what += " " + std::to_string(wanted);
  }
  return carry_out(firewall, peer, parameters, what,
                   [&](const Request& asked) { return firewall.rollback(number, asked); });
}

Reply history(const Firewall& firewall, const Json& parameters) {
  if (!parameters.contains("generation"))
    return {.parameters = {{"generations", history_json(firewall)}}};
  const auto wanted = parameters.at("generation").get<std::int64_t>();
  if (wanted < 1) return refuse("generations count from 1");
  auto generation = generation_json(firewall, static_cast<std::uint64_t>(wanted));
  if (!generation) return to_reply(generation.error());
  return {.parameters = {{"generations", Json::array({*std::move(generation)})}}};
}

Reply reset(Firewall& firewall, const Peer& peer, const Json& parameters) {
  const auto done = firewall.reset(request(peer, parameters, "reset"));
  if (!done) return to_reply(done.error());
  return {.parameters = {{"outcome", to_json(done->outcome)}, {"kept", done->kept}}};
}

}  // namespace

Service::Methods methods(Firewall& firewall) {
  return {
      {"Status",
       [&](const Peer&, const Json&) { return Reply{.parameters = status_json(firewall)}; }},
      {"Add", [&](const Peer& peer, const Json& json) { return add(firewall, peer, json); }},
      {"Delete", [&](const Peer& peer, const Json& json) { return remove(firewall, peer, json); }},
      {"SetDefault",
       [&](const Peer& peer, const Json& json) { return set_default(firewall, peer, json); }},
      {"SetLogging",
       [&](const Peer& peer, const Json& json) { return set_logging(firewall, peer, json); }},
      {"Enable",
       [&](const Peer& peer, const Json& json) {
         return carry_out(firewall, peer, json, "enable",
                          [&](const Request& asked) { return firewall.enable(asked); });
       }},
      {"Disable",
       [&](const Peer& peer, const Json& json) {
         return outcome(firewall.disable(request(peer, json, "disable")));
       }},
      {"Panic",
       [&](const Peer& peer, const Json& json) {
         const bool on = json.at("on").get<bool>();
         return outcome(firewall.set_panic(on, request(peer, json, on ? "panic on" : "panic off")));
       }},
      {"Reload",
       [&](const Peer& peer, const Json& json) {
         return carry_out(firewall, peer, json, "reload",
                          [&](const Request& asked) { return firewall.reload(asked); });
       }},
      {"Apply",
       [&](const Peer& peer, const Json& json) { return apply(firewall, peer, json, false); }},
      {"Diff", [&](const Peer& peer, const Json& json) { return diff(firewall, peer, json); }},
      {"Show", [&](const Peer&, const Json& json) { return show(firewall, json); }},
      {"Services", [&](const Peer&, const Json& json) { return services(firewall, json); }},
      {"Sets", [&](const Peer&, const Json& json) { return sets(firewall, json); }},
      {"EditSet",
       [&](const Peer& peer, const Json& json) { return edit_set(firewall, peer, json); }},
      {"Ban",
       [&](const Peer& peer, const Json& json) {
         return outcome(firewall.ban(words(json, "addresses"), request(peer, json, "ban")));
       }},
      {"Unban",
       [&](const Peer& peer, const Json& json) {
         return outcome(firewall.unban(words(json, "addresses"), request(peer, json, "unban")));
       }},
      {"Bans", [&](const Peer&, const Json& json) { return bans(firewall, json); }},
      {"UpdateServices",
       [&](const Peer& peer, const Json& json) { return update_services(firewall, peer, json); }},
      {"Ports", [&](const Peer&, const Json&) { return ports(firewall); }},
      {"Explain", [&](const Peer&, const Json& json) { return explain(firewall, json); }},
      {"Rollback",
       [&](const Peer& peer, const Json& json) { return rollback(firewall, peer, json); }},
      {"Cut", [&](const Peer& peer, const Json& json) { return cut(firewall, peer, json); }},
      {"Confirm", [&](const Peer&, const Json&) { return outcome(firewall.confirm()); }},
      {"History", [&](const Peer&, const Json& json) { return history(firewall, json); }},
      {"Reset", [&](const Peer& peer, const Json& json) { return reset(firewall, peer, json); }},
  };
}

Service::Streams streams(LogFeed& log, TraceFeed& trace) {
  return {
      {"Log", [&](const Peer&, const Json& json, bool more) { return log.answer(json, more); }},
      {"Trace", [&](const Peer&, const Json& json, bool more) { return trace.answer(json, more); }},
  };
}

}  // namespace fwctl
