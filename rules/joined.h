// A list in one line.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace fwctl {

inline std::string joined(const std::vector<std::string>& words, std::string_view between = ", ") {
  std::string out;
  for (const auto& word : words) {
    if (!out.empty()) out += between;
    out += word;
  }
  return out;
}

}  // namespace fwctl
