// The lock-out guard: no change after which whoever asks for it could not come back, unless that is
// what he wants.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "daemon/failure.h"
#include "rules/lockout.h"
#include "rules/moment.h"
#include "rules/policy/check.h"

namespace fwctl {

// Where somebody sits who asks for a change.
struct Seat {
  TcpConnection connection;
  std::string interface;  // it comes in on; empty: not known

  WayIn way_in() const;
};

// A policy as it is in force; null: none is, and everything is let in.
using InForce = const policy::CheckedPolicy*;

// Why `after`, which was read from `sources`, cannot follow `before`: of the connections that one
// of the seats could begin anew, it lets in fewer. Nobody is worse off who could not come back
// anyway.
std::optional<WouldLockOut> lockout(InForce before, InForce after, const policy::Sources& sources,
                                    const std::vector<Seat>& seats, Time now);

// Why panic cannot be switched on, with which no new connection comes in: one of the seats could
// have begun one before, or it is not known where whoever asks for it sits.
std::optional<WouldLockOut> lockout_by_panic(InForce before, const std::vector<Seat>& seats,
                                             Time now);

// Why those addresses cannot be banned: one of the seats is there.
std::optional<WouldLockOut> lockout(const std::vector<AddressRange>& banned,
                                    const std::vector<Seat>& seats);

}  // namespace fwctl
