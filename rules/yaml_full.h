// All of YAML, by yaml-cpp.
#pragma once

#include <optional>

#include "rules/yaml.h"

namespace fwctl::yaml {

// As parse().
std::optional<Node> parse_full(const Source& source, Diagnostics& diagnostics);

}  // namespace fwctl::yaml
