#include "rules/explain.h"

#include <algorithm>
#include <span>
#include <utility>

namespace fwctl {
namespace {

std::vector<Passed> passed_by(const policy::CheckedPolicy& policy, const Packets& packets,
                              const std::vector<Reachability>& access) {
  std::vector<Passed> out;
  if (access.back().forward != nullptr) return out;  // no rule is asked
  for (const auto& [rule, match] : trail(policy, packets)) {
    if (match.share != Share::none) continue;
    out.push_back({.rule = rule});
    out.back().unmet.set(static_cast<std::size_t>(match.unmet));
  }
  return out;
}

bool same_rules(const std::vector<Passed>& passed, const std::vector<Passed>& others) {
  return std::ranges::equal(passed, others, {}, &Passed::rule, &Passed::rule);
}

}  // namespace

std::vector<Explanation> explain(const policy::CheckedPolicy& policy,
                                 const std::vector<Asked>& asked) {
  std::vector<Explanation> out;
  for (const auto& kind : asked) {
    auto access = reach(policy, std::span(&kind.packets, 1));
    auto passed = passed_by(policy, kind.packets, access);
    const bool routed = kind.packets.traffic == policy::Traffic::routed;
    auto redirected = routed ? redirected_alike(policy, kind.packets) : std::vector<Reachability>();
    const auto same = std::ranges::find_if(out, [&](const Explanation& other) {
      return other.access == access && same_rules(other.passed, passed) &&
             other.redirected == redirected;
    });
    if (same == out.end()) {
      out.push_back({{kind}, std::move(access), std::move(passed), std::move(redirected)});
      continue;
    }
    same->packets.push_back(kind);
    for (std::size_t index = 0; index < passed.size(); ++index)
      same->passed[index].unmet |= passed[index].unmet;
  }
  return out;
}

}  // namespace fwctl
