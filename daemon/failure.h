// Why a change did not happen. Nothing changed, anywhere.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "daemon/result.h"
#include "daemon/sockets.h"
#include "daemon/table.h"
#include "rules/diagnostic.h"
#include "rules/policy/check.h"

namespace fwctl {

struct InvalidPolicy {
  Diagnostics diagnostics;
};
struct Refused {
  std::string message;
};
struct KernelRefused {
  std::string message;
  Diagnostics
      diagnostics;  // at the policy lines whose objects the kernel refused, where it said so
};
// A generation on trial is in the way: it is to be confirmed or undone first.
struct AwaitingConfirmation {
  std::string message;
  std::uint64_t generation = 0;
  std::chrono::seconds left{};
};
// Who asks for it could not come back.
struct WouldLockOut {
  std::string message;
  std::optional<TcpConnection> connection;  // over which the caller came; nullopt: not known
  std::string rule;         // id of what would keep him out, a rule or forward; empty: the default
  Diagnostics diagnostics;  // at the line of that, if it has one
};
struct UnknownGeneration {
  std::string message;
  std::vector<std::uint64_t> known;  // the newest first
};
using Failure = std::variant<InvalidPolicy, Refused, Error, KernelRefused, AwaitingConfirmation,
                             WouldLockOut, UnknownGeneration>;

// All there is to say, for a log.
std::string message(const Failure& failure);

// What the table's failure is in lines of `policy`, read from `sources`, from which it was made.
Failure explain(const TableFailure& failure, const policy::CheckedPolicy& policy,
                const policy::Sources& sources);

}  // namespace fwctl
