#include "cli/phrases.h"
#include "cli/render.h"

namespace fwctl::cli {
namespace {

using protocol::Json;

std::string by(const Json& entry) {
  if (entry.contains("because")) return ", by " + reason(entry);
  const auto rule = string_at(entry, "rule");
  return rule.empty() ? "" : ", by " + rule + ", which is gone";
}

}  // namespace

std::string render_log(const Json& reply, const Style& style) {
  std::string out;
  for (const auto& entry : reply.value("entries", Json::array())) {
    std::string verdict = string_at(entry, "verdict");
    verdict.resize(6, ' ');
    const auto tint =
        string_at(entry, "verdict") == "audit" ? Tint::dim : tint_of(string_at(entry, "verdict"));
    out += style.paint(Tint::dim, local_time(string_at(entry, "time"))) + " " +
           style.paint(tint, verdict) + " " + packet_text(entry) + by(entry);
    if (const auto count = entry.value("count", 1); count > 1)
      out += " (" + std::to_string(count) + " times)";
    out += "\n";
  }
  if (const auto lost = reply.value("lost", 0); lost > 0)
    out +=
        style.paint(Tint::warn, std::to_string(lost) + " more were lost on their way here") + "\n";
  return out;
}

}  // namespace fwctl::cli
