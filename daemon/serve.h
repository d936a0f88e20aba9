// The daemon put together from its parts, on a kernel that is handed in.
#pragma once

#include "daemon/kernel.h"
#include "daemon/options.h"

namespace fwctl {

// Puts the policy in force and serves until it is told to end.
Result<void> serve(const Options& options, Kernel& kernel);

}  // namespace fwctl
