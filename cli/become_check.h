// The way from `fwctl check` to the program that does it.
#pragma once

#include "cli/arguments.h"

namespace fwctl::cli {

// Does not return where that program can be started: this process becomes it. Else says why and
// gives the exit code.
int become_check(const Arguments& arguments);

}  // namespace fwctl::cli
