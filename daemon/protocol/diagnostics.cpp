#include "daemon/protocol/diagnostics.h"

namespace fwctl::protocol {
namespace {

std::string string_at(const Json& object, std::string_view key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

unsigned number_at(const Json& object, std::string_view key, unsigned otherwise) {
  const auto found = object.find(key);
  return found != object.end() && found->is_number_unsigned() ? found->get<unsigned>() : otherwise;
}

}  // namespace

Json to_json(const Diagnostics& diagnostics) {
  Json out = Json::array();
  for (const auto& diagnostic : diagnostics)
    out.push_back({{"severity", diagnostic.severity == Severity::error ? "error" : "warning"},
                   {"file", diagnostic.file},
                   {"line", diagnostic.at.line},
                   {"column", diagnostic.at.column},
                   {"length", diagnostic.at.length},
                   {"message", diagnostic.message},
                   {"text", diagnostic.text}});
  return out;
}

Diagnostics diagnostics_from(const Json& list) {
  Diagnostics out;
  for (const auto& item : list)
    out.push_back(
        {.severity = string_at(item, "severity") == "warning" ? Severity::warning : Severity::error,
         .file = string_at(item, "file"),
         .at = {.line = number_at(item, "line", 0),
                .column = number_at(item, "column", 0),
                .length = number_at(item, "length", 1)},
         .message = string_at(item, "message"),
         .text = string_at(item, "text")});
  return out;
}

}  // namespace fwctl::protocol
