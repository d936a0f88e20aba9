#include "cli/phrases.h"

namespace fwctl::cli {

using protocol::Json;

Tint tint_of(const std::string& verdict) {
  if (verdict == "allow" || verdict == "limit") return Tint::good;
  if (verdict == "deny") return Tint::bad;
  return Tint::warn;
}

std::string string_at(const Json& json, const char* key) {
  return json.value(key, std::string());
}

std::string joined(const std::vector<std::string>& words, const std::string& between) {
  std::string out;
  for (const auto& word : words) out += (out.empty() ? "" : between) + word;
  return out;
}

std::string reason(const Json& entry) {
  const std::string because = string_at(entry, "because");
  if (entry.contains("number"))
    return "rule " + std::to_string(entry.at("number").get<int>()) + ", " + because;
  return because == "default" ? "the default" : because;
}

}  // namespace fwctl::cli
