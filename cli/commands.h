// Each command: what it asks the daemon, and what it shows of the answer.
#pragma once

#include "cli/arguments.h"

namespace fwctl::cli {

// The exit code.
int run(const Arguments& arguments);

}  // namespace fwctl::cli
