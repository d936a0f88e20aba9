// Takes temporary rules out of rules.yaml when they have ended.
#pragma once

#include <systemd/sd-event.h>

#include <functional>
#include <optional>

#include "daemon/event_source.h"
#include "daemon/firewall.h"

namespace fwctl {

class EndOfRules {
 public:
  // `then` is called after every removal.
  EndOfRules(Firewall& firewall, std::function<void()> then)
      : firewall_(firewall), then_(std::move(then)) {}

  Result<void> start(sd_event* event);
  // Call it after every change.
  void wait() { wait_until(firewall_.next_end()); }

 private:
  void wait_until(std::optional<Time> time);
  void remove();
  static int on_time(sd_event_source* source, std::uint64_t time, void* data) noexcept;

  Firewall& firewall_;
  std::function<void()> then_;
  EventSource timer_;
};

}  // namespace fwctl
