#include "rules/lockout.h"

namespace fwctl {
namespace {

// A client's port is none of those that need a right.
constexpr PortRange client_ports{1024, 65535};

Packets begun(const WayIn& way, Time now) {
  Packets out{.from = {way.from, way.from},
              .to = {way.to, way.to},
              .protocol = tcp,
              .from_ports = client_ports,
              .to_ports = {way.port, way.port},
              .times = {now, now}};
  if (!way.interface.empty()) out.interface = way.interface;
  return out;
}

bool lets_in(policy::Verdict verdict) {
  return verdict == policy::Verdict::allow || verdict == policy::Verdict::limit;
}

// What was decided of the packets so far.
class Tally {
 public:
  void let_in() { some_ = true; }
  void keep_out(const policy::CheckedRule* rule, const policy::CheckedForward* forward) {
    if (kept_out_) return;
    kept_out_ = true;
    result_.rule = rule;
    result_.forward = forward;
  }
  Welcome result() const {
    Welcome out = result_;
    if (kept_out_) out.let_in = some_ ? Share::some : Share::none;
    return out;
  }

 private:
  Welcome result_;
  bool some_ = false;
  bool kept_out_ = false;
};

}  // namespace

Welcome welcome(const policy::CheckedPolicy& policy, const WayIn& way, Time now) {
  return welcome(policy, begun(way, now));
}

Welcome welcome(const policy::CheckedPolicy& policy, const Packets& packets) {
  Tally tally;
  for (const auto& forward : policy.forwards()) {
    if (packets.traffic != policy::Traffic::incoming) break;
    const Share share = match(policy, forward, packets).share;
    if (share == Share::none) continue;
    tally.keep_out(nullptr, &forward);
    if (share == Share::all) return tally.result();
  }
  for (const auto& rule : policy.rules(packets.traffic)) {
    const Share share = match(policy, rule.conditions, packets).share;
    if (share == Share::none) continue;
    if (lets_in(rule.verdict))
      tally.let_in();
    else
      tally.keep_out(&rule, nullptr);
    if (share == Share::all) return tally.result();
  }
  if (lets_in(policy.default_for(packets.traffic)))
    tally.let_in();
  else
    tally.keep_out(nullptr, nullptr);
  return tally.result();
}

bool meets(const policy::CheckedPolicy& policy, const policy::CheckedRule& rule, const WayIn& way,
           Time now) {
  return match(policy, rule.conditions, begun(way, now)).share != Share::none;
}

}  // namespace fwctl
