// A moment by two clocks: the one on the wall, which people read and set, and one that nobody sets.
#pragma once

#include <chrono>
#include <ctime>

#include "rules/moment.h"

namespace fwctl {

struct Instant {
  Time wall;
  // Since this host was booted, the time it was suspended included.
  std::chrono::milliseconds uptime{};
};

inline Instant this_instant() {
  timespec since{};
  ::clock_gettime(CLOCK_BOOTTIME, &since);
  return {
      .wall = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()),
      .uptime = std::chrono::seconds(since.tv_sec) + std::chrono::floor<std::chrono::milliseconds>(
                                                         std::chrono::nanoseconds(since.tv_nsec))};
}

}  // namespace fwctl
