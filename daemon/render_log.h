// What rules logged as the JSON that org.fwctl.Firewall describes.
#pragma once

#include "daemon/firewall.h"
#include "daemon/packet_log.h"
#include "daemon/protocol/message.h"

namespace fwctl {

protocol::Json to_json(const LogEntry& entry, const Firewall& firewall);

}  // namespace fwctl
