// Everything is cut off at once, and nothing of the policy is lost by it.
#include <utility>

#include "daemon/clock.h"
#include "daemon/firewall.h"
#include "daemon/panic.h"

namespace fwctl {
namespace {

std::string text(const Panic& panic) {
  std::string out = "panic: nothing passes but on loopback";
  for (const auto& one : panic.spared)
    out += ", and the connection from " + one.peer.text() + " port " +
           std::to_string(one.peer_port) + " to " + one.own.text() + " port " +
           std::to_string(one.own_port);
  return out;
}

}  // namespace

std::vector<compile::Spared> spared(const Panic& panic) {
  std::vector<compile::Spared> out;
  out.reserve(panic.spared.size());
  for (const auto& one : panic.spared)
    out.push_back(
        {.peer = one.peer, .peer_port = one.peer_port, .own = one.own, .own_port = one.own_port});
  return out;
}

std::vector<std::string> difference(const std::optional<Panic>& before,
                                    const std::optional<Panic>& after) {
  std::vector<std::string> out;
  if (before == after) return out;
  if (before) out.push_back("- " + text(*before));
  if (after) out.push_back("+ " + text(*after));
  return out;
}

Change Firewall::set_panic(bool on, const Request& request) {
  if (fallback())
    return tl::unexpected(Failure(
        Refused{"no policy of this host could be loaded ('fwctl status' says why): mend the "
                "files and 'fwctl reload' first"}));
  Candidate candidate = same_as_now();
  candidate.only_news = true;
  const bool already = on == current_.panic.has_value();
  if (!already) candidate.panic.reset();
  if (!already && on) candidate.panic = Panic{.since = now(), .spared = request.callers};
  auto change = commit(std::move(candidate), request);
  if (!change || !already) return change;
  return healed(std::move(*change), on ? "panic is on already" : "panic is off already", request);
}

}  // namespace fwctl
