#include "daemon/units.h"

#include <spdlog/spdlog.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <deque>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>

namespace fwctl {
namespace {

namespace fs = std::filesystem;

constexpr auto before_trying_again = std::chrono::seconds(10);
// Of slices that are looked into, and watched. A host has a few dozen; with a slice for each
// container, some hundreds.
constexpr std::size_t most_slices = 2000;
constexpr std::string_view slice_suffix = ".slice";
constexpr std::uint32_t appears_or_goes =
    IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ONLYDIR;

// Where the whole tree is mounted (proc_pid_mountinfo(5)): /sys/fs/cgroup, or beside version 1
// /sys/fs/cgroup/unified.
std::optional<fs::path> tree() {
  std::ifstream mounts("/proc/self/mountinfo");
  for (std::string line; std::getline(mounts, line);) {
    std::istringstream words(line);
    std::string skipped;
    std::string root;
    std::string place;
    words >> skipped >> skipped >> skipped >> root >> place;
    if (root == "/" && line.find(" - cgroup2 ") != std::string::npos) return place;
  }
  return {};
}

struct Slice {
  fs::path path;
  std::vector<std::string> slices;  // the names, to this one
};

// A unit that goes meanwhile is not there.
void add_unit(const fs::path& path, const std::vector<std::string>& slices, policy::Units& out) {
  struct stat found{};
  if (::stat(path.c_str(), &found) != 0) return;
  const std::size_t level = slices.size() + 1;
  const auto name = path.filename().string();
  if (level <= policy::deepest_level)
    out[name] = {.id = found.st_ino, .level = static_cast<std::uint8_t>(level), .slices = slices};
  else
    spdlog::warn("{} runs too deep below other slices for rules to find it", name);
}

// `enter` is called with each slice before it is read.
policy::Units find_units(const policy::UnitNames& wanted,
                         const std::function<void(const fs::path&)>& enter) {
  policy::Units out;
  const auto root = tree();
  if (!root || wanted.empty()) return out;
  std::deque<Slice> left{{.path = *root, .slices = {}}};
  for (std::size_t count = 0; !left.empty(); ++count) {
    if (count == most_slices) {
      spdlog::warn("there are more than {} slices: units in others are not found", most_slices);
      break;
    }
    const auto slice = std::move(left.front());
    left.pop_front();
    if (enter) enter(slice.path);
    std::error_code gone;
    for (const auto& entry : fs::directory_iterator(slice.path, gone)) {
      if (!entry.is_directory(gone)) continue;
      const auto name = entry.path().filename().string();
      if (wanted.contains(name)) add_unit(entry.path(), slice.slices, out);
      if (!name.ends_with(slice_suffix)) continue;
      auto inner = slice.slices;
      inner.push_back(name);
      left.push_back({.path = entry.path(), .slices = std::move(inner)});
    }
  }
  return out;
}

}  // namespace

policy::Units find_units(const policy::UnitNames& wanted) {
  return find_units(wanted, {});
}

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
    spdlog::error("units that start later are not found: {}", opened.error().message());
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
  found_ = find_units(wanted_, [this](const fs::path& slice) {
    // The same as before of what is watched already. One that has gone has nothing to say.
    if (::inotify_add_watch(inotify_.get(), slice.c_str(), appears_or_goes) < 0 && errno != ENOENT)
      spdlog::warn("units that start in {} are not found: {}", slice.filename().string(),
                   std::strerror(errno));
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
