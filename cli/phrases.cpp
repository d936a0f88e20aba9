#include "cli/phrases.h"

#include <array>
#include <ctime>
#include <utility>

namespace fwctl::cli {

using protocol::Json;

namespace {

constexpr std::array<std::pair<std::string_view, std::string_view>, 4> participles{
    {{"allow", "allowed"}, {"deny", "denied"}, {"reject", "rejected"}, {"limit", "limited"}}};

std::string end_text(const Json& entry, const char* address, const char* port) {
  std::string text = string_at(entry, address);
  if (!entry.contains(port)) return text;
  const bool ipv6 = text.find(':') != std::string::npos;
  return (ipv6 ? "[" + text + "]" : text) + ":" + std::to_string(entry.at(port).get<int>());
}

}  // namespace

Tint tint_of(const std::string& verdict) {
  if (verdict == "allow" || verdict == "limit") return Tint::good;
  if (verdict == "deny") return Tint::bad;
  return Tint::warn;
}

std::string participle(const std::string& verdict) {
  for (const auto& [known, word] : participles)
    if (known == verdict) return std::string(word);
  return verdict;
}

std::string string_at(const Json& json, const char* key) {
  return json.value(key, std::string());
}

std::string reason(const Json& entry) {
  const std::string because = string_at(entry, "because");
  if (entry.contains("number"))
    return "rule " + std::to_string(entry.at("number").get<int>()) + ", " + because;
  return because == "default" ? "the default" : because;
}

std::string local_time(const std::string& utc) {
  std::tm fields{};
  if (::strptime(utc.c_str(), "%Y-%m-%dT%H:%M:%S", &fields) == nullptr) return utc;
  const std::time_t time = ::timegm(&fields);
  ::localtime_r(&time, &fields);
  std::string text(32, '\0');
  text.resize(std::strftime(text.data(), text.size(), "%F %T", &fields));
  return text;
}

std::string packet_text(const Json& entry) {
  std::string out = string_at(entry, "protocol");
  if (entry.contains("icmpType")) out += " type " + std::to_string(entry.at("icmpType").get<int>());
  out += " " + end_text(entry, "source", "sourcePort") + " to " +
         end_text(entry, "destination", "destinationPort");
  for (const auto& [word, key] : {std::pair{" in ", "inInterface"}, {" out ", "outInterface"}})
    if (const auto name = string_at(entry, key); !name.empty()) out += word + name;
  if (const auto flags = string_at(entry, "flags"); !flags.empty()) out += " " + flags;
  return out;
}

}  // namespace fwctl::cli
