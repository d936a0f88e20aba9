// Owns a place in an sd-event loop: with it goes the callback.
#pragma once

#include <systemd/sd-event.h>

#include <chrono>
#include <cstdint>
#include <memory>

namespace fwctl {

struct DisableEventSource {
  void operator()(sd_event_source* source) const { sd_event_source_disable_unref(source); }
};

using EventSource = std::unique_ptr<sd_event_source, DisableEventSource>;

// As sd-event counts.
inline std::uint64_t microseconds(std::chrono::microseconds span) {
  return static_cast<std::uint64_t>(span.count());
}

// Lets a timer run out once, so long from now.
inline void arm(sd_event_source* timer, std::chrono::microseconds after) {
  sd_event_source_set_time_relative(timer, microseconds(after));
  sd_event_source_set_enabled(timer, SD_EVENT_ONESHOT);
}

}  // namespace fwctl
