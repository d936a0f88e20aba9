#include "daemon/drift_watch.h"

#include <utility>

#include "daemon/journal.h"

namespace fwctl {
namespace {

// Between putting it back and looking again: another program that does not give in gets no more of
// the processor than this leaves it.
constexpr auto pause = std::chrono::milliseconds(100);

}  // namespace

Result<void> DriftWatch::start(sd_event* event) {
  const int notices = firewall_.drift_notices();
  if (notices < 0) return {};
  auto timer = make_timer(event, on_time, this, CLOCK_MONOTONIC, 1);
  if (!timer) return tl::unexpected(timer.error());
  timer_ = std::move(*timer);
  auto watched = watch_input(event, notices, on_notice, this, "what the kernel tells of nftables");
  if (!watched) return tl::unexpected(watched.error());
  notices_ = std::move(*watched);
  return {};
}

void DriftWatch::look() {
  const auto mended = firewall_.mend();
  const auto failure = mended ? std::string() : mended.error().message();
  const bool news = failure != std::exchange(failure_, failure);
  if (mended && !*mended) return;
  if (mended) {
    journal::warn(firewall_.last_drift());
    then_();
  } else if (news) {
    journal::error("table inet fwctl was changed and cannot be put back: " + failure);
  }
  sd_event_source_set_enabled(notices_.get(), SD_EVENT_OFF);
  arm(timer_.get(), pause);
}

int DriftWatch::on_notice(sd_event_source* /*source*/, int /*fd*/, std::uint32_t /*events*/,
                          void* data) noexcept {
  static_cast<DriftWatch*>(data)->look();
  return 0;
}

int DriftWatch::on_time(sd_event_source* /*source*/, std::uint64_t /*time*/, void* data) noexcept {
  auto& watch = *static_cast<DriftWatch*>(data);
  sd_event_source_set_enabled(watch.notices_.get(), SD_EVENT_ON);
  watch.look();
  return 0;
}

}  // namespace fwctl
