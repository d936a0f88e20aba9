// The time of day, as this host has it. What is pure gets it as a value.
#pragma once

#include <chrono>

#include "rules/moment.h"

namespace fwctl {

inline Time now() {
  return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
}

}  // namespace fwctl
