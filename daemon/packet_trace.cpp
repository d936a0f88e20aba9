#include "daemon/packet_trace.h"

#include <algorithm>
#include <utility>

namespace fwctl {
namespace {

bool marks(const TraceStep& step) {
  return step.family == "inet" && step.table == nft::table_name &&
         step.chain.starts_with(trace_prefix);
}

// The first step in each base chain shows the packet as it is there.
void take_headers(const TraceStep& step, PacketTrace& trace) {
  const auto headers = decode_headers(step.header, step.transport);
  if (!headers) return;
  if (!trace.packet) trace.packet = {.sent = *headers, .headers = {}, .in = {}, .out = {}};
  trace.packet->headers = *headers;
  if (!step.in.empty()) trace.packet->in = step.in;
  if (!step.out.empty()) trace.packet->out = step.out;
}

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::ranges::find(names, name) != names.end();
}

// A packet may be marked by several rules of a chain, of which only the first shows it, and by
// several of our chains, also at different hooks. One that has got the number of a packet before
// comes to the same chain anew, or from elsewhere.
bool is_of(const PacketTrace& trace, const TraceStep& step) {
  const bool again = contains(trace.chains, step.chain);
  if (again || step.header.empty()) return again && step.header.empty();
  const auto headers = decode_headers(step.header, step.transport);
  if (!headers || !trace.packet) return false;
  const auto& known = trace.packet->sent;
  return headers->from == known.from && headers->from_port == known.from_port &&
         headers->protocol == known.protocol && headers->length == known.length;
}

}  // namespace

TraceVerdict verdict_of(const PacketTrace& trace) {
  TraceVerdict out;
  for (const auto& step : trace.steps) {
    if (step.effect < Effect::allow) continue;
    // What answers for a rule that rejects has no name of its own.
    if (out.effect == step.effect && step.rule.empty()) continue;
    out = {.effect = step.effect, .decider = &step};
  }
  return out;
}

void TraceAssembler::add(TraceStep step, Time now) {
  auto partial = std::ranges::find(partials_, step.packet, &Partial::packet);
  if (marks(step)) {
    if (step.kind == TraceStep::Kind::rule) {
      partial = marked(step, partial, now);
      take_headers(step, partial->trace);
    }
    return;
  }
  if (partial == partials_.end()) return;  // another program marked it, or its beginning was lost
  PacketTrace& trace = partial->trace;
  partial->until = now + patience;
  take_headers(step, trace);
  const bool dropped = step.verdict == "drop";
  trace.cut = trace.steps.size() == most_steps;
  if (!trace.cut) trace.steps.push_back(explain_(std::move(step), trace));
  if (dropped) finish(partial);
}

TraceAssembler::Partials::iterator TraceAssembler::marked(const TraceStep& step,
                                                          Partials::iterator partial, Time now) {
  if (partial != partials_.end() && !is_of(partial->trace, step)) {
    finish(partial);
    partial = partials_.end();
  }
  if (partial == partials_.end()) {
    if (partials_.size() == packets_at_once) finish(partials_.begin());
    partials_.push_back({.packet = step.packet, .trace = {.began = now}, .until = {}});
    partial = std::prev(partials_.end());
  }
  partial->until = now + patience;
  auto& chains = partial->trace.chains;
  if (!contains(chains, step.chain)) chains.push_back(step.chain);
  return partial;
}

void TraceAssembler::settle(Time now) {
  for (;;) {
    const auto late = std::ranges::find_if(
        partials_, [&](const Partial& partial) { return partial.until <= now; });
    if (late == partials_.end()) return;
    finish(late);
  }
}

std::size_t TraceAssembler::leave_out() {
  return std::exchange(partials_, {}).size();
}

void TraceAssembler::finish(const Partials::iterator& partial) {
  const PacketTrace trace = std::move(partial->trace);
  partials_.erase(partial);
  done_(trace);
}

}  // namespace fwctl
