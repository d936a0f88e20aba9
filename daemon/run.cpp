#include "daemon/run.h"

#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>

#include <chrono>
#include <csignal>
#include <functional>
#include <memory>

#include "daemon/drift_watch.h"
#include "daemon/end_of_rules.h"
#include "daemon/end_of_trial.h"
#include "daemon/event_source.h"
#include "daemon/journal.h"
#include "daemon/listen.h"
#include "daemon/memory.h"
#include "daemon/server.h"
#include "daemon/surroundings.h"
#include "daemon/units.h"

namespace fwctl {
namespace {

// Packets are under way for microseconds; by then those that met the old rules are long gone.
constexpr auto collect_after = std::chrono::seconds(1);
// Bytes more than after the last time, from which on memory is given back: small changes find
// theirs warm.
constexpr std::size_t spare_memory = std::size_t{16} << 20;

struct Collector {
  Firewall& firewall;
  std::size_t resident = 0;  // bytes, when memory was given back last; 0: never
};

struct EventDeleter {
  void operator()(sd_event* event) const { sd_event_unref(event); }
};
using Event = std::unique_ptr<sd_event, EventDeleter>;

int on_collect(sd_event_source* /*source*/, std::uint64_t /*usec*/, void* data) noexcept {
  auto& collector = *static_cast<Collector*>(data);
  if (const auto done = collector.firewall.collect(); !done)
    journal::warn("what the last change left behind stays for now: " + done.error().message());
  // A start, and a big change, took much more memory than what they brought in force needs.
  if (collector.resident == 0 || resident_memory() > collector.resident + spare_memory) {
    give_back_memory();
    collector.resident = resident_memory();
  }
  return 0;
}

int on_follow(sd_event_source* /*source*/, void* data) noexcept {
  (*static_cast<std::function<void()>*>(data))();
  return 0;
}

// False when it is to be tried again.
template <typename Changed>
bool refresh(Firewall& firewall, const Changed& changed) {
  const auto change = firewall.refresh();
  if (!change) {
    journal::error("what names in rules mean has changed, and cannot be put in force: " +
                   message(change.error()));
    return false;
  }
  if (!change->changed) return true;
  for (const auto& line : change->difference) journal::info(line);
  journal::info("generation " + std::to_string(change->generation) +
                ": what names in rules mean has changed");
  changed();
  return true;
}

// False when it is to be tried again.
template <typename Changed>
bool follow_units(Firewall& firewall, const Changed& changed) {
  const auto done = firewall.follow_units();
  if (!done)
    journal::error("where units run has changed, and cannot be put in force: " +
                   done.error().message());
  changed();
  return done.has_value();
}

Result<void> stop_on_signals(sd_event* event) {
  sigset_t signals;
  ::sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT}) ::sigaddset(&signals, signal);
  if (::sigprocmask(SIG_BLOCK, &signals, nullptr) != 0) return failed("block", "signals");
  for (const int signal : {SIGTERM, SIGINT})
    if (const int code = sd_event_add_signal(event, nullptr, signal, nullptr, nullptr); code < 0)
      return failed("watch", "signals", -code);
  return {};
}

}  // namespace

Result<void> run(const Options& options, Firewall& firewall, const Service& service,
                 Resolver::Answers& resolved, LogFeed& log, TraceFeed& trace) {
  sd_event* raw_event = nullptr;
  if (const int code = sd_event_default(&raw_event); code < 0)
    return failed("start", "the event loop", -code);
  const Event event(raw_event);
  if (auto signals = stop_on_signals(event.get()); !signals) return signals;
  Collector collector{.firewall = firewall};
  const auto collecting = make_timer(event.get(), on_collect, &collector);
  if (!collecting) return tl::unexpected(collecting.error());
  const auto collect_later = [&] { arm(collecting->get(), collect_after); };
  collect_later();
  if (auto started = log.start(event.get()); !started) return started;
  if (auto started = trace.start(event.get()); !started) return started;
  EndOfRules end_of_rules(firewall, collect_later);
  if (auto started = end_of_rules.start(event.get()); !started) return started;
  const auto watch = SurroundingsWatch::start(event.get(), resolved,
                                              [&] { return refresh(firewall, collect_later); });
  if (!watch) return tl::unexpected(watch.error());
  const auto units =
      UnitWatch::start(event.get(), [&] { return follow_units(firewall, collect_later); });
  if (!units) return tl::unexpected(units.error());
  const auto follow_names = [&] {
    const auto& policy = firewall.policy().policy();
    (*watch)->want(policy::names(policy).hosts);
    (*units)->want(firewall.enabled() ? policy::unit_names(policy) : policy::UnitNames());
  };
  follow_names();
  EndOfTrial end_of_trial(firewall, [&] {
    collect_later();
    end_of_rules.wait();
    follow_names();
  });
  if (auto started = end_of_trial.start(event.get()); !started) return started;
  // What is to be watched of a new policy is looked for when the reply is sent: it goes through all
  // rules.
  std::function<void()> follow = [&] {
    end_of_rules.wait();
    follow_names();
  };
  const auto follow_soon = make_deferred(event.get(), on_follow, &follow);
  if (!follow_soon) return tl::unexpected(follow_soon.error());
  DriftWatch drift(firewall, collect_later);
  if (auto started = drift.start(event.get()); !started) return started;

  const auto listener = listening_socket(options.socket);
  if (!listener) return tl::unexpected(listener.error());
  auto server =
      Server::create(event.get(), *listener, {}, [&](const Peer& peer, const protocol::Call& call) {
        const auto generation = firewall.generation();
        const auto to_watch = firewall.to_watch();
        const auto trial = firewall.trial();
        const bool collectable = firewall.collectable();
        trace.catch_up();
        auto answer = service.answer(peer, call);
        if (firewall.generation() != generation) {
          journal::info("generation " + std::to_string(firewall.generation()) + " by uid " +
                        std::to_string(peer.uid) + " (" + call.method +
                        "): " + (firewall.enabled() ? "in force" : "not in force"));
          collect_later();
        }
        if (firewall.to_watch() != to_watch)
          sd_event_source_set_enabled(follow_soon->get(), SD_EVENT_ONESHOT);
        if (firewall.collectable() && !collectable) collect_later();
        if (firewall.trial() != trial) end_of_trial.wait();
        if (call.method.ends_with(".Reload")) {
          follow_names();
          (*watch)->ask_again();
        }
        return answer;
      });
  if (!server) return tl::unexpected(server.error());
  sd_notify(0, "READY=1");
  if (const int code = sd_event_loop(event.get()); code < 0)
    return failed("run", "the event loop", -code);
  sd_notify(0, "STOPPING=1");
  return {};
}

}  // namespace fwctl
