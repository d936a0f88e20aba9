// The methods of org.fwctl.Firewall, from JSON to the firewall and back.
#pragma once

#include "daemon/firewall.h"
#include "daemon/log_feed.h"
#include "daemon/service.h"
#include "daemon/trace_feed.h"

namespace fwctl {

// `firewall` must outlive what is returned.
Service::Methods methods(Firewall& firewall);
// Those that stream. Both must outlive what is returned.
Service::Streams streams(LogFeed& log, TraceFeed& trace);

}  // namespace fwctl
