// "did you mean": the known word nearest to what was typed.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace fwctl {

// ", did you mean 'WORD'?" for the nearest of `known` within two edits; else empty.
std::string suggestion(std::string_view typed, std::span<const std::string_view> known);

}  // namespace fwctl
