// Where the daemon's own messages go: the journal when systemd connects us to it, else stderr.
#pragma once

namespace fwctl {

// Sets up spdlog's default logger.
void open_journal();

}  // namespace fwctl
