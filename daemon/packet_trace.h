// The steps that the kernel reports one by one, put together again: a trace for each packet. Knows
// no clock: time is passed in.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "daemon/nftrace.h"
#include "rules/trace.h"

namespace fwctl {

// What a step means to the packet in the words of the policy.
enum class Effect : std::uint8_t { none, log, translate, allow, deny, reject };

struct TracedStep {
  TraceStep step;
  std::string rule;  // id of the policy's rule, or what its place is taken by (compile.h); or empty
  Effect effect = Effect::none;
};

struct PacketTrace {
  using Time = std::chrono::steady_clock::time_point;

  Time began;
  std::vector<std::string> chains;     // of ours, that marked it; each once
  std::optional<TracedPacket> packet;  // nullopt: no IP, or the kernel did not show it
  std::vector<TracedStep> steps;       // in all other chains
  bool cut = false;                    // there were more
};

// What became of the packet in the end. `decider` made it so and is null only with Effect::none:
// then no chain that decides has seen it, as when this host knows no way for it.
struct TraceVerdict {
  Effect effect = Effect::none;  // allow, deny, reject or none
  const TracedStep* decider = nullptr;
};
TraceVerdict verdict_of(const PacketTrace& trace);

class TraceAssembler {
 public:
  using Time = PacketTrace::Time;
  // What a step means; `packet` is as it was when it met that.
  using Explain = std::function<TracedStep(TraceStep step, const PacketTrace& packet)>;
  using Done = std::function<void(const PacketTrace&)>;

  // All steps of a packet come within less, unless something holds it in between.
  static constexpr std::chrono::milliseconds patience{200};
  static constexpr std::size_t packets_at_once = 64;
  static constexpr std::size_t most_steps = 200;

  // `done` gets each trace that is complete: behind a drop, when another packet has the same
  // number, or when nothing came for `patience`.
  TraceAssembler(Explain explain, Done done)
      : explain_(std::move(explain)), done_(std::move(done)) {}

  void add(TraceStep step, Time now);
  // Hands over what is complete by now.
  void settle(Time now);
  // Steps were lost: whatever is incomplete may stay so, and is left out. How many packets.
  std::size_t leave_out();

 private:
  struct Partial {
    std::uint32_t packet = 0;
    PacketTrace trace;
    Time until;
  };
  using Partials = std::deque<Partial>;

  Partials::iterator marked(const TraceStep& step, Partials::iterator partial, Time now);
  void finish(const Partials::iterator& partial);

  Explain explain_;
  Done done_;
  Partials partials_;  // in the order in which they began
};

}  // namespace fwctl
