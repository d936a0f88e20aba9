// `fwctl check`: policy files checked here, without a daemon, by the same code.
#pragma once

#include "cli/arguments.h"

namespace fwctl::cli {

// The exit code.
int check_files(const Arguments& arguments);

}  // namespace fwctl::cli
