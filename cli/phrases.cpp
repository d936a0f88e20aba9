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

std::string reason(const Json& entry) {
  const std::string because = string_at(entry, "because");
  if (entry.contains("number"))
    return "rule " + std::to_string(entry.at("number").get<int>()) + ", " + because;
  return because == "default" ? "the default" : because;
}

}  // namespace fwctl::cli
