#include "daemon/end_of_rules.h"

#include <algorithm>
#include <utility>

#include "daemon/clock.h"
#include "daemon/journal.h"

namespace fwctl {
namespace {

// Where rules that have ended could not be taken out, as when rules.yaml was changed by hand.
constexpr auto again_after = std::chrono::minutes(1);

}  // namespace

Result<void> EndOfRules::start(sd_event* event) {
  // By the same clock as the kernel's: it goes with the clock when that is set.
  auto timer = make_timer(event, on_time, this, CLOCK_REALTIME, 1);
  if (!timer) return tl::unexpected(timer.error());
  timer_ = std::move(*timer);
  wait();
  return {};
}

void EndOfRules::wait_until(std::optional<Time> time) {
  sd_event_source_set_enabled(timer_.get(), time ? SD_EVENT_ONESHOT : SD_EVENT_OFF);
  if (!time) return;
  const auto since_epoch = std::max(time->time_since_epoch(), std::chrono::seconds(0));
  sd_event_source_set_time(timer_.get(), microseconds(since_epoch));
}

void EndOfRules::remove() {
  const auto done = firewall_.remove_ended(
      {.reason = "temporary rules ended", .now = now(), .trial = Request::Trial::goes_on});
  if (!done) {
    journal::warn("rules that have ended match nothing, but stay in rules.yaml for now");
    return wait_until(now() + again_after);
  }
  for (const auto& note : done->notes)
    journal::info("generation " + std::to_string(firewall_.generation()) + ": " + note);
  then_();
  wait();
}

int EndOfRules::on_time(sd_event_source* /*source*/, std::uint64_t /*time*/, void* data) noexcept {
  static_cast<EndOfRules*>(data)->remove();
  return 0;
}

}  // namespace fwctl
