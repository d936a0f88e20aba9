#include "daemon/units.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

#include "daemon/cgroups.h"
#include "daemon/journal.h"

namespace fwctl {
namespace {

constexpr auto before_trying_again = std::chrono::seconds(10);
constexpr std::uint32_t appears_or_goes =
    IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ONLYDIR;

}  // namespace

Result<std::unique_ptr<UnitWatch>> UnitWatch::start(sd_event* event, Changed changed) {
  std::unique_ptr<UnitWatch> watch(new UnitWatch(std::move(changed)));
  watch->event_ = event;
  auto timer = make_timer(event, on_time, watch.get());
  if (!timer) return tl::unexpected(timer.error());
  watch->timer_ = std::move(*timer);
  return watch;
}

void UnitWatch::want(policy::UnitNames wanted) {
  if (wanted == wanted_) return;
  wanted_ = std::move(wanted);
  events_.reset();
  inotify_ = Descriptor();
  if (wanted_.empty()) return;
  if (const auto opened = open(); !opened)
    journal::error("units that start later are not found: " + opened.error().message());
  look();
  tell();
}

Result<void> UnitWatch::open() {
  inotify_ = Descriptor(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  if (inotify_.get() < 0) return failed("watch", "cgroups");
  auto events = watch_input(event_, inotify_.get(), on_events, this, "cgroups");
  if (!events) return tl::unexpected(events.error());
  events_ = std::move(*events);
  // Before commands: a unit has begun to send.
  sd_event_source_set_priority(events_.get(), SD_EVENT_PRIORITY_IMPORTANT);
  return {};
}

void UnitWatch::look() {
  found_ = find_units(wanted_, [this](const std::filesystem::path& slice) {
    // The same as before of what is watched already. One that has gone has nothing to say.
    if (::inotify_add_watch(inotify_.get(), slice.c_str(), appears_or_goes) < 0 && errno != ENOENT)
      journal::warn("units that start in " + slice.filename().string() +
                    " are not found: " + std::strerror(errno));
  });
}

void UnitWatch::tell() {
  if (!changed_()) arm(timer_.get(), before_trying_again);
}

// True where a slice or a wanted unit came or went.
bool UnitWatch::read_events() {
  bool relevant = false;
  alignas(inotify_event) std::array<char, 16'384> buffer{};
  for (;;) {
    const auto length = ::read(inotify_.get(), buffer.data(), buffer.size());
    if (length <= 0) return relevant;
    for (std::size_t at = 0; at < static_cast<std::size_t>(length);) {
      inotify_event event{};
      std::memcpy(&event, buffer.data() + at, sizeof event);
      const std::string_view name(event.len == 0 ? "" : buffer.data() + at + sizeof event);
      relevant = relevant || (event.mask & IN_Q_OVERFLOW) != 0 || wanted_.contains(name) ||
                 name.ends_with(slice_suffix);
      at += sizeof event + event.len;
    }
  }
}

int UnitWatch::on_events(sd_event_source* /*source*/, int /*fd*/, std::uint32_t /*events*/,
                         void* data) noexcept {
  auto* watch = static_cast<UnitWatch*>(data);
  if (!watch->read_events()) return 0;
  const auto before = std::exchange(watch->found_, {});
  watch->look();
  if (watch->found_ != before) watch->tell();
  return 0;
}

int UnitWatch::on_time(sd_event_source* /*source*/, std::uint64_t /*time*/, void* data) noexcept {
  static_cast<UnitWatch*>(data)->tell();
  return 0;
}

}  // namespace fwctl
