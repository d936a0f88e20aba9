// The methods of org.fwctl.Firewall, from JSON to the firewall and back.
#pragma once

#include "daemon/firewall.h"
#include "daemon/service.h"

namespace fwctl {

// `firewall` must outlive what is returned.
Service::Methods methods(Firewall& firewall);

}  // namespace fwctl
