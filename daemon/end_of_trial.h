// Undoes a generation on trial when its time is over and nobody has confirmed it.
#pragma once

#include <systemd/sd-event.h>

#include <functional>

#include "daemon/event_source.h"
#include "daemon/firewall.h"

namespace fwctl {

class EndOfTrial {
 public:
  // `then` is called after what was on trial is gone.
  EndOfTrial(Firewall& firewall, std::function<void()> then)
      : firewall_(firewall), then_(std::move(then)) {}

  Result<void> start(sd_event* event);
  // Call it after every change.
  void wait();

 private:
  void end();
  static int on_time(sd_event_source* source, std::uint64_t time, void* data) noexcept;

  Firewall& firewall_;
  std::function<void()> then_;
  EventSource timer_;
};

}  // namespace fwctl
