// Who must not be shut out by a change. What the daemon does by itself has no caller: names that
// mean something else and rules that end are what somebody asked for earlier.
#include <algorithm>

#include "daemon/clock.h"
#include "daemon/firewall.h"

namespace fwctl {

std::span<const TcpConnection> Firewall::guarded(const Request& request) {
  if (request.allow_lockout || request.confirm) return {};
  return request.callers;
}

std::vector<Seat> Firewall::seats(const Request& request) const {
  std::vector<Seat> out;
  for (const auto& caller : guarded(request))
    out.push_back({.connection = caller, .interface = places_.interface_of(caller)});
  return out;
}

std::optional<WouldLockOut> Firewall::find_lockout(const policy::CheckedPolicy& next,
                                                   const Candidate& candidate,
                                                   const Request& request) const {
  if (request.allow_lockout || request.confirm) return {};
  const InForce before = current_.enabled ? &*policy_ : nullptr;
  const InForce after = candidate.enabled ? &next : nullptr;
  if (candidate.panic && !current_.panic) return lockout_by_panic(before, seats(request), now());
  if (after == nullptr || (current_.panic && !candidate.panic)) return {};
  return fwctl::lockout(before, after, as_named(candidate), seats(request), now());
}

std::optional<Failure> Firewall::lockout(const policy::CheckedPolicy& next,
                                         const Candidate& candidate, const Request& request) const {
  if (auto failure = find_lockout(next, candidate, request)) return *std::move(failure);
  return {};
}

// Whether that rule, behind all others, may be what shuts out the caller: the whole policy has to
// be looked at then.
bool Firewall::endangers(const policy::CheckedRule& rule, policy::Traffic traffic,
                         const Request& request) const {
  if (!current_.enabled || traffic != policy::Traffic::incoming) return false;
  if (rule.verdict == policy::Verdict::allow || rule.verdict == policy::Verdict::limit)
    return false;
  return std::ranges::any_of(seats(request), [&](const Seat& seat) {
    return meets(*policy_, rule, seat.way_in(), now());
  });
}

}  // namespace fwctl
