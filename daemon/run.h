// The daemon's life: the event loop and what hangs on it.
#pragma once

#include "daemon/firewall.h"
#include "daemon/log_feed.h"
#include "daemon/options.h"
#include "daemon/resolver.h"
#include "daemon/service.h"
#include "daemon/trace_feed.h"

namespace fwctl {

// Serves calls until SIGTERM or SIGINT. Tells systemd that it is ready once it can be talked to;
// the policy is in force by then. The rules stay in the kernel when this returns. What host names
// in rules mean is kept in `resolved`, where `firewall` finds it.
Result<void> run(const Options& options, Firewall& firewall, const Service& service,
                 Resolver::Answers& resolved, LogFeed& log, TraceFeed& trace);

}  // namespace fwctl
