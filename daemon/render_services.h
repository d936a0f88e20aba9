// What names of services mean, as the JSON that org.fwctl.Firewall describes.
#pragma once

#include <string>

#include "daemon/firewall.h"
#include "daemon/protocol/message.h"

namespace fwctl {

// With an empty `name` all services but those that only /etc/services has and no rule names; else
// the one, or none. Reads /etc/services and the profiles.
protocol::Json services_json(const Firewall& firewall, const std::string& name);

}  // namespace fwctl
