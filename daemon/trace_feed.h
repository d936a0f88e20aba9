// Live packets and their way through the kernel, for those who ask: has them marked, reads what the
// kernel reports, and says it in the words of the policy.
#pragma once

#include <systemd/sd-event.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/event_source.h"
#include "daemon/firewall.h"
#include "daemon/nftrace.h"
#include "daemon/packet_trace.h"
#include "daemon/stream.h"

namespace fwctl {

class TraceFeed {
 public:
  // Traces at once, of all users; and how long one lasts if nothing is said, and at most.
  static constexpr std::size_t at_once = 4;
  static constexpr std::chrono::seconds usual{60};
  static constexpr std::chrono::seconds longest{600};

  // `firewall` must outlive it.
  explicit TraceFeed(Firewall& firewall);

  // An error: there is no memory for the event loop. `event` must outlive this.
  Result<void> start(sd_event* event);

  // Of method Trace.
  Answer answer(const protocol::Json& parameters, bool more);

  // Reads what the kernel has reported by now. Call it before a change: then what came before is
  // explained by what was in force before.
  void catch_up();

 private:
  struct Trace {
    std::string chain;
    std::weak_ptr<Stream> stream;
    std::optional<std::int64_t> left;  // packets
    PacketTrace::Time until;
  };

  Result<void> listen();
  void stop_listening();
  void tick();
  void tick_later();
  TracedStep explain(TraceStep step, const PacketTrace& packet);
  const nft::Rule& rule_at(std::uint64_t handle);
  std::string rule_id(const nft::Rule& rule, const PacketTrace& packet) const;
  void tell(const PacketTrace& packet);
  void tell_lost(std::size_t packets);
  void end(const std::string& chain, const std::string& why);
  void forget(const std::string& chain);

  Firewall& firewall_;
  TraceAssembler assembler_;
  sd_event* event_ = nullptr;
  EventSource timer_;
  EventSource io_;
  std::optional<NftraceReader> reader_;  // while there are traces
  std::vector<Trace> traces_;
  // By the kernel's handle; empty for one that was gone when it was looked for.
  std::map<std::uint64_t, nft::Rule> rules_;
  std::uint64_t numbered_ = 0;
};

}  // namespace fwctl
