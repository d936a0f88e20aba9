// Puts our table back as soon as another program has changed it.
#pragma once

#include <systemd/sd-event.h>

#include <functional>
#include <string>

#include "daemon/event_source.h"
#include "daemon/firewall.h"

namespace fwctl {

class DriftWatch {
 public:
  // `then` is called after the table was put back.
  DriftWatch(Firewall& firewall, std::function<void()> then)
      : firewall_(firewall), then_(std::move(then)) {}

  // Where the kernel tells nobody of changes, nothing is watched.
  Result<void> start(sd_event* event);

 private:
  void look();
  static int on_notice(sd_event_source* source, int fd, std::uint32_t events, void* data) noexcept;
  static int on_time(sd_event_source* source, std::uint64_t time, void* data) noexcept;

  Firewall& firewall_;
  std::function<void()> then_;
  std::string failure_;  // of the last look; it is said once
  EventSource notices_;
  EventSource timer_;
};

}  // namespace fwctl
