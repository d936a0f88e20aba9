#include <ctime>

#include "cli/phrases.h"
#include "cli/render.h"

namespace fwctl::cli {
namespace {

using protocol::Json;

// "2026-11-22T16:52:03.123Z" as the clock on the wall says it.
std::string local_time(const std::string& utc) {
  std::tm fields{};
  if (::strptime(utc.c_str(), "%Y-%m-%dT%H:%M:%S", &fields) == nullptr) return utc;
  const std::time_t time = ::timegm(&fields);
  ::localtime_r(&time, &fields);
  std::string text(32, '\0');
  text.resize(std::strftime(text.data(), text.size(), "%F %T", &fields));
  return text;
}

std::string end_text(const Json& entry, const char* address, const char* port) {
  std::string text = string_at(entry, address);
  if (!entry.contains(port)) return text;
  const bool ipv6 = text.find(':') != std::string::npos;
  return (ipv6 ? "[" + text + "]" : text) + ":" + std::to_string(entry.at(port).get<int>());
}

std::string what_text(const Json& entry) {
  std::string out = string_at(entry, "protocol");
  if (entry.contains("icmpType")) out += " type " + std::to_string(entry.at("icmpType").get<int>());
  out += " " + end_text(entry, "source", "sourcePort") + " to " +
         end_text(entry, "destination", "destinationPort");
  for (const auto& [word, key] : {std::pair{" in ", "inInterface"}, {" out ", "outInterface"}})
    if (const auto name = string_at(entry, key); !name.empty()) out += word + name;
  if (const auto flags = string_at(entry, "flags"); !flags.empty()) out += " " + flags;
  return out;
}

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
           style.paint(tint, verdict) + " " + what_text(entry) + by(entry);
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
