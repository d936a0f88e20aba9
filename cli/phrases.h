// Words that several renderings of replies use.
#pragma once

#include <string>
#include <vector>

#include "cli/style.h"
#include "daemon/protocol/message.h"

namespace fwctl::cli {

Tint tint_of(const std::string& verdict);
// "allow" → "allowed".
std::string participle(const std::string& verdict);
// Empty when there is none.
std::string string_at(const protocol::Json& json, const char* key);
// What decides, of an Access or Passed: "rule 1, allow 22/tcp", "the default", "ping".
std::string reason(const protocol::Json& entry);
// "2026-11-22T16:52:03.123Z" as the clock on the wall says it.
std::string local_time(const std::string& utc);
// Of a LogEntry or PacketTrace: "tcp 192.0.2.2:40312 to 192.0.2.1:3000 in eth0 SYN".
std::string packet_text(const protocol::Json& entry);

}  // namespace fwctl::cli
