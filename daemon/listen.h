// The socket that callers connect to.
#pragma once

#include <string>

#include "daemon/result.h"

namespace fwctl {

// The one systemd handed over, else a new one bound to `path` (its folder must exist; a socket left
// behind by a daemon that is gone is replaced, one that is served is an error). Anyone may connect:
// what a caller may do is decided by who the kernel says it is. The caller owns the descriptor.
Result<int> listening_socket(const std::string& path);

}  // namespace fwctl
