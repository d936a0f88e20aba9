// daemon.yaml: who may use the daemon besides root and the group fwctl.
#pragma once

#include <filesystem>
#include <string>

#include "daemon/authorise.h"
#include "daemon/result.h"

namespace fwctl {

// access:
//   look: [alice, "@monitoring"]     # users, and groups behind @
//   change: [deploy]
// A missing file grants nothing more. A file with anything wrong in it is an error that holds the
// rendered diagnostics: half of what was meant to be granted is not guessed at.
Result<Access> read_settings(const std::filesystem::path& file);

}  // namespace fwctl
