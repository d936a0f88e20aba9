// What rules logged as the JSON that org.fwctl.Firewall describes.
#pragma once

#include <chrono>
#include <string>

#include "daemon/firewall.h"
#include "daemon/packet_log.h"
#include "daemon/protocol/message.h"

namespace fwctl {

// "2026-11-22T16:52:03.123Z".
std::string utc(std::chrono::system_clock::time_point time);
// What a packet is, as the members of LogEntry and PacketTrace say it.
protocol::Json to_json(const PacketHeaders& packet);
protocol::Json to_json(const LogEntry& entry, const Firewall& firewall);

}  // namespace fwctl
