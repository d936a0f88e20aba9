#include "daemon/end_of_trial.h"

#include <utility>

#include "daemon/journal.h"

namespace fwctl {
namespace {

// Where not even the kernel took what was before.
constexpr auto again_after = std::chrono::seconds(5);

}  // namespace

Result<void> EndOfTrial::start(sd_event* event) {
  // The clock that the trial's deadline is of: nobody can set it.
  auto timer = make_timer(event, on_time, this, CLOCK_BOOTTIME, 1);
  if (!timer) return tl::unexpected(timer.error());
  timer_ = std::move(*timer);
  wait();
  return {};
}

void EndOfTrial::wait() {
  const auto& trial = firewall_.trial();
  sd_event_source_set_enabled(timer_.get(), trial ? SD_EVENT_ONESHOT : SD_EVENT_OFF);
  if (trial) sd_event_source_set_time(timer_.get(), microseconds(trial->deadline));
}

void EndOfTrial::end() {
  const auto done = firewall_.end_trial();
  if (!done) {
    journal::error("what nobody confirmed cannot be undone: " + message(done.error()));
    return arm(timer_.get(), again_after);
  }
  if (done->changed) {
    for (const auto& note : done->notes) journal::warn(note);
    then_();
  }
  wait();
}

int EndOfTrial::on_time(sd_event_source* /*source*/, std::uint64_t /*time*/, void* data) noexcept {
  static_cast<EndOfTrial*>(data)->end();
  return 0;
}

}  // namespace fwctl
