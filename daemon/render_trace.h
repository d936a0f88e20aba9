// Traces as the JSON that org.fwctl.Firewall describes.
#pragma once

#include <chrono>

#include "daemon/firewall.h"
#include "daemon/packet_trace.h"
#include "daemon/protocol/message.h"

namespace fwctl {

// `time`: when the packet came.
protocol::Json to_json(const PacketTrace& trace, std::chrono::system_clock::time_point time,
                       const Firewall& firewall);

}  // namespace fwctl
