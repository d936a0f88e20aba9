// The part of YAML that policies are made of, read in a fraction of yaml-cpp's time: maps and lists
// by indentation, lists and maps in brackets, and scalars that begin and end on one line.
#pragma once

#include <optional>
#include <string_view>

#include "rules/yaml.h"

namespace fwctl::yaml {

// What parse_full() makes of `text`, to the last place; nullopt where that is not certain, and
// wherever something is wrong. Then parse_full() decides, and says what is wrong.
std::optional<Node> parse_plain(std::string_view text);

}  // namespace fwctl::yaml
