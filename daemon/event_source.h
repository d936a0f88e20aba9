// Owns a place in an sd-event loop: with it goes the callback.
#pragma once

#include <systemd/sd-event.h>

#include <memory>

namespace fwctl {

struct DisableEventSource {
  void operator()(sd_event_source* source) const { sd_event_source_disable_unref(source); }
};

using EventSource = std::unique_ptr<sd_event_source, DisableEventSource>;

}  // namespace fwctl
