// Where the daemon's own messages go, and what rules logged: the journal when systemd connects us
// to it, else stderr.
#pragma once

#include <string_view>

#include "daemon/packet_log.h"

namespace fwctl {

// To be called before all else here.
void open_journal();

// One line for whoever looks after this host.
namespace journal {
void info(std::string_view line);
void warn(std::string_view line);
void error(std::string_view line);
void critical(std::string_view line);
}  // namespace journal

// One line; in the journal under the identifier fwctl, with a field for each of its parts.
void write_to_journal(const LogEntry& entry);

}  // namespace fwctl
