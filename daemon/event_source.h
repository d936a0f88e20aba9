// Owns a place in an sd-event loop: with it goes the callback.
#pragma once

#include <sys/epoll.h>
#include <systemd/sd-event.h>

#include <chrono>
#include <cstdint>
#include <ctime>
#include <memory>
#include <string>
#include <string_view>

#include "daemon/result.h"

namespace fwctl {

struct DisableEventSource {
  void operator()(sd_event_source* source) const { sd_event_source_disable_unref(source); }
};

using EventSource = std::unique_ptr<sd_event_source, DisableEventSource>;

// A timer that is off until it is armed. It may expire so many microseconds late, 0: 250 ms, for
// fewer wake-ups.
inline Result<EventSource> make_timer(sd_event* event, sd_event_time_handler_t expired, void* data,
                                      clockid_t clock = CLOCK_MONOTONIC,
                                      std::uint64_t accuracy = 0) {
  sd_event_source* source = nullptr;
  const int code = sd_event_add_time(event, &source, clock, 0, accuracy, expired, data);
  if (code < 0) return failed("start", "a timer", -code);
  sd_event_source_set_enabled(source, SD_EVENT_OFF);
  return EventSource(source);
}

// Calls `ready` whenever there is something to read; `what` is for the error.
inline Result<EventSource> watch_input(sd_event* event, int descriptor, sd_event_io_handler_t ready,
                                       void* data, std::string_view what) {
  sd_event_source* source = nullptr;
  const int code = sd_event_add_io(event, &source, descriptor, EPOLLIN, ready, data);
  if (code < 0) return failed("watch", std::string(what), -code);
  return EventSource(source);
}

// Calls `act` once, before anything else that waits, when it is enabled (SD_EVENT_ONESHOT); it is
// off at first.
inline Result<EventSource> make_deferred(sd_event* event, sd_event_handler_t act, void* data) {
  sd_event_source* source = nullptr;
  const int code = sd_event_add_defer(event, &source, act, data);
  if (code < 0) return failed("start", "a deferred task", -code);
  sd_event_source_set_enabled(source, SD_EVENT_OFF);
  return EventSource(source);
}

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
