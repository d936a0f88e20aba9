// Where the daemon's own messages go, and what rules logged: the journal when systemd connects us
// to it, else stderr.
#pragma once

#include "daemon/packet_log.h"

namespace fwctl {

// Sets up spdlog's default logger.
void open_journal();

// One line; in the journal under the identifier fwctl, with a field for each of its parts.
void write_to_journal(const LogEntry& entry);

}  // namespace fwctl
