// Sets as the JSON that org.fwctl.Firewall describes.
#pragma once

#include <string>

#include "daemon/firewall.h"
#include "daemon/protocol/message.h"

namespace fwctl {

// With an empty `name` all sets without their addresses; else the one with them, or none.
protocol::Json sets_json(const Firewall& firewall, const std::string& name);

}  // namespace fwctl
