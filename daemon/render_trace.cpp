#include "daemon/render_trace.h"

#include <utility>

#include "daemon/render.h"
#include "daemon/render_log.h"
#include "rules/compile/compile.h"

namespace fwctl {
namespace {

using protocol::Json;

std::string_view text(Effect effect) {
  switch (effect) {
    case Effect::none:
      break;
    case Effect::log:
      return "log";
    case Effect::translate:
      return "translate";
    case Effect::allow:
      return "allow";
    case Effect::deny:
      return "deny";
    case Effect::reject:
      return "reject";
  }
  return "none";
}

std::string_view text(TraceStep::Kind kind) {
  if (kind == TraceStep::Kind::policy) return "policy";
  return kind == TraceStep::Kind::end ? "end" : "rule";
}

Json which_rule(const TracedStep& step, const Firewall& firewall) {
  const bool named = !step.rule.empty() && step.rule != compile::audit_comment;
  return named ? rule_members(firewall, step.rule) : Json::object();
}

Json to_json(const TracedStep& traced, const Firewall& firewall) {
  const TraceStep& step = traced.step;
  Json json = which_rule(traced, firewall);
  json["effect"] = text(traced.effect);
  json["family"] = step.family;
  json["table"] = step.table;
  json["chain"] = step.chain;
  json["kind"] = text(step.kind);
  if (step.kind == TraceStep::Kind::rule) json["handle"] = step.handle;
  json["verdict"] = step.verdict;
  if (!step.target.empty()) json["target"] = step.target;
  return json;
}

}  // namespace

Json to_json(const PacketTrace& trace, std::chrono::system_clock::time_point time,
             const Firewall& firewall) {
  const auto verdict = verdict_of(trace);
  Json json = verdict.decider != nullptr ? which_rule(*verdict.decider, firewall) : Json::object();
  json["verdict"] = text(verdict.effect);
  json["time"] = utc(time);
  if (trace.packet) json.update(to_json(trace.packet->sent));
  json["inInterface"] = trace.packet ? trace.packet->in : "";
  json["outInterface"] = trace.packet ? trace.packet->out : "";
  json["steps"] = Json::array();
  for (const auto& step : trace.steps) json["steps"].push_back(to_json(step, firewall));
  json["cut"] = trace.cut;
  return json;
}

}  // namespace fwctl
