// daemon.yaml: who may use the daemon besides root and the group fwctl, and how it keeps other
// programs from changing our table.
#pragma once

#include <filesystem>
#include <string>

#include "daemon/authorise.h"
#include "daemon/result.h"
#include "daemon/table.h"

namespace fwctl {

struct Settings {
  Access access;
  Protection protection = Protection::kernel;
};

// access:
//   look: [alice, "@monitoring"]     # users, and groups behind @
//   change: [deploy]
// protection: watching               # or kernel
// A missing file grants nothing more. A file with anything wrong in it is an error that holds the
// rendered diagnostics: half of what was meant to be granted is not guessed at.
Result<Settings> read_settings(const std::filesystem::path& file);

}  // namespace fwctl
