// Diagnostics as the interface's type Diagnostic, both ways.
#pragma once

#include "daemon/protocol/message.h"
#include "rules/diagnostic.h"

namespace fwctl::protocol {

Json to_json(const Diagnostics& diagnostics);

// What is missing in `list`, or of another type than the interface says, takes its default.
Diagnostics diagnostics_from(const Json& list);

}  // namespace fwctl::protocol
