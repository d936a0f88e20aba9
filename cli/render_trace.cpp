#include "cli/phrases.h"
#include "cli/render.h"

namespace fwctl::cli {
namespace {

using protocol::Json;

bool is_ours(const Json& step) {
  return string_at(step, "table") == "fwctl" && string_at(step, "family") == "inet";
}

// "rule 2, deny 3000/tcp (/etc/fwctl/policy.yaml:5, r1a2b3c4)"
std::string decider(const Json& step, const Style& style) {
  const std::string id = string_at(step, "rule");
  if (!step.contains("because"))
    return id.empty() ? "a rule that cannot be told from here" : id + ", which is gone";
  if (id.empty()) return reason(step);
  if (!step.contains("file")) return "'" + id + "', which is always there: " + reason(step);
  return reason(step) + " " +
         style.paint(Tint::dim, "(" + string_at(step, "file") + ":" +
                                    std::to_string(step.value("line", 0)) + ", " + id + ")");
}

// Of another program only that it ended the packet's way is worth a word here; empty: nothing is.
std::string step_text(const Json& step, const Style& style) {
  const std::string effect = string_at(step, "effect");
  if (!is_ours(step)) {
    const std::string verdict = string_at(step, "verdict");
    const bool ends = verdict == "drop" || verdict == "queue" || verdict == "stolen";
    return ends ? "another program's table " + string_at(step, "family") + " " +
                      string_at(step, "table") + ", chain " + string_at(step, "chain") + ": " +
                      verdict
                : "";
  }
  if (effect == "none") return "";
  // The rule that sent it to where it is answered has been named.
  if (effect == "reject" && string_at(step, "verdict") == "drop") return "";
  if (effect == "log")
    return string_at(step, "rule").empty() ? "" : "logged by " + decider(step, style);
  if (effect == "translate") {
    const std::string to = string_at(step, "to");
    return (to.empty() ? "sent out as from this host by " : "sent on to " + to + " by ") +
           decider(step, style);
  }
  return participle(effect) + " by " + decider(step, style);
}

std::string verdict_text(const std::string& verdict) {
  return verdict == "none" ? "not seen by any rule" : participle(verdict);
}

std::string packet_block(const Json& trace, const Style& style) {
  const std::string verdict = string_at(trace, "verdict");
  std::string out = style.paint(Tint::dim, local_time(string_at(trace, "time"))) + " " +
                    style.paint(Tint::bold, packet_text(trace)) + ": " +
                    style.paint(tint_of(verdict), verdict_text(verdict)) + "\n";
  for (const auto& step : trace.at("steps"))
    if (const auto text = step_text(step, style); !text.empty()) out += "  " + text + "\n";
  if (verdict == "none")
    out += "  it is not for this host and is not routed, or was dropped before the rules\n";
  if (trace.value("cut", false)) out += "  and more\n";
  return out;
}

}  // namespace

std::string render_trace(const Json& reply, const Style& style) {
  std::string out;
  if (reply.contains("seconds"))
    out += style.paint(Tint::dim, "Tracing for " + std::to_string(reply.value("seconds", 0)) +
                                      " seconds; Ctrl-C ends it.") +
           "\n";
  if (reply.contains("trace")) out += packet_block(reply.at("trace"), style);
  if (const auto lost = reply.value("lost", 0); lost > 0)
    out +=
        style.paint(Tint::warn, std::to_string(lost) + " more were lost on their way here") + "\n";
  if (const auto ended = string_at(reply, "ended"); !ended.empty())
    out += style.paint(Tint::dim, "Ended: " + ended + ".") + "\n";
  return out;
}

}  // namespace fwctl::cli
