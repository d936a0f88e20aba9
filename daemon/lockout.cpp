#include "daemon/lockout.h"

#include <algorithm>

#include "rules/policy/baseline.h"
#include "rules/policy/print.h"
#include "rules/policy/translation.h"

namespace fwctl {
namespace {

constexpr std::string_view ways_past =
    "; nothing changed. With '--confirm 60s' it is done and undone again unless you confirm, with "
    "'--allow-lockout' it is done all the same";

std::string of_connection(const TcpConnection& connection) {
  return " from " + connection.peer.text() + " to " + connection.own.text() + " port " +
         std::to_string(connection.own_port) + ", as the one over which you are here";
}

// The written form of what keeps out, where it has one, goes into the failure; its name is
// returned.
std::string culprit(const Welcome& welcome, const policy::CheckedPolicy& policy,
                    const policy::Sources& sources, WouldLockOut& failure) {
  const auto blame = [&](const auto& written, const std::string& id, const std::string& what) {
    const auto& source = sources.at(written.source);
    failure.rule = id;
    failure.diagnostics.push_back(error_in(source, written.at, "this would shut you out"));
    return what + " (" + id + ", " + place_in(source, written.at) + ")";
  };
  if (welcome.forward != nullptr) {
    const auto& written = policy.policy().forwards[welcome.forward->written];
    return blame(written, welcome.forward->id,
                 "'" + policy::command_text(written) + "', which sends it elsewhere");
  }
  if (welcome.rule == nullptr)
    return "the default for incoming traffic, " +
           std::string(text(policy.default_for(policy::Traffic::incoming)));
  if (welcome.rule->written) {
    const auto& written = policy.policy().rules[*welcome.rule->written];
    return blame(written, welcome.rule->id, "'" + policy::command_text(written) + "'");
  }
  failure.rule = welcome.rule->id;
  return "'" + welcome.rule->id + "' of the baseline";
}

}  // namespace

WayIn Seat::way_in() const {
  return {.from = connection.peer,
          .to = connection.own,
          .port = connection.own_port,
          .interface = interface};
}

std::optional<WouldLockOut> lockout(InForce before, InForce after, const policy::Sources& sources,
                                    const std::vector<Seat>& seats, Time now) {
  if (after == nullptr) return {};
  for (const auto& seat : seats) {
    const auto then = welcome(*after, seat.way_in(), now);
    if (then.let_in == Share::all) continue;
    const auto today = before == nullptr ? Welcome() : welcome(*before, seat.way_in(), now);
    if (then.let_in >= today.let_in) continue;
    WouldLockOut failure{
        .message = {}, .connection = seat.connection, .rule = {}, .diagnostics = {}};
    failure.message = then.let_in == Share::none
                          ? "this would shut you out: a new connection"
                          : "this might shut you out: not every new connection";
    failure.message += of_connection(seat.connection);
    failure.message +=
        then.let_in == Share::none ? ", would be kept out by " : ", would be let in because of ";
    failure.message += culprit(then, *after, sources, failure);
    failure.message += ways_past;
    return failure;
  }
  return {};
}

std::optional<WouldLockOut> lockout_by_panic(InForce before, const std::vector<Seat>& seats,
                                             Time now) {
  WouldLockOut failure{.message = {}, .connection = {}, .rule = {}, .diagnostics = {}};
  if (seats.empty()) {
    failure.message =
        "this might shut you out: it is not known over which connection you are here, so none "
        "would be "
        "spared" +
        std::string(ways_past);
    return failure;
  }
  for (const auto& seat : seats) {
    if (before != nullptr && welcome(*before, seat.way_in(), now).let_in == Share::none) continue;
    failure.connection = seat.connection;
    failure.message =
        "this would shut you out as soon as your connection ends: while panic is on, no new "
        "connection" +
        of_connection(seat.connection) + ", is let in" + std::string(ways_past);
    return failure;
  }
  return {};
}

std::optional<WouldLockOut> lockout(const std::vector<AddressRange>& banned,
                                    const std::vector<Seat>& seats) {
  for (const auto& seat : seats) {
    const auto found = std::ranges::find_if(
        banned, [&](const AddressRange& range) { return range.contains(seat.connection.peer); });
    if (found == banned.end()) continue;
    return WouldLockOut{.message = "this would shut you out: " + found->text() +
                                   " is where you are, and this connection" +
                                   of_connection(seat.connection) +
                                   ", would end with it; nothing changed. With '--allow-lockout' "
                                   "it is done all the same",
                        .connection = seat.connection,
                        .rule = {},
                        .diagnostics = {}};
  }
  return {};
}

}  // namespace fwctl
