// The real kernel, in the network namespace we are in.
#pragma once

#include <memory>

#include "daemon/kernel.h"

namespace fwctl {

Result<std::unique_ptr<Kernel>> open_kernel();

}  // namespace fwctl
