// Word of it when systemd starts and stops units.
#pragma once

#include <systemd/sd-event.h>

#include <functional>
#include <memory>

#include "daemon/event_source.h"
#include "daemon/files.h"
#include "daemon/result.h"
#include "rules/policy/unit.h"

namespace fwctl {

// Calls `changed` when a wanted unit was started or stopped. When it returns false it is called
// again some time later, whatever happens.
class UnitWatch {
 public:
  using Changed = std::function<bool()>;
  static Result<std::unique_ptr<UnitWatch>> start(sd_event* event, Changed changed);

  // These from now on. Calls `changed` at once where there are any: they may have started before
  // anybody watched.
  void want(policy::UnitNames wanted);

 private:
  explicit UnitWatch(Changed changed) : changed_(std::move(changed)) {}
  Result<void> open();
  // Watches what slices there are, and finds out where the wanted units are.
  void look();
  void tell();
  bool read_events();
  static int on_events(sd_event_source* source, int fd, std::uint32_t events, void* data) noexcept;
  static int on_time(sd_event_source* source, std::uint64_t time, void* data) noexcept;

  Changed changed_;
  policy::UnitNames wanted_;
  policy::Units found_;
  sd_event* event_ = nullptr;
  Descriptor inotify_;
  EventSource events_;
  EventSource timer_;  // to try again
};

}  // namespace fwctl
