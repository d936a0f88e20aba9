#include "rules/yaml.h"

#include "rules/digest.h"
#include "rules/yaml_full.h"
#include "rules/yaml_plain.h"

namespace fwctl::yaml {

std::optional<Node> parse(const Source& source, Diagnostics& diagnostics) {
  if (auto root = parse_plain(source.text)) return root;
  return parse_full(source, diagnostics);
}

std::string quote(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      out += "\\x" + hex(std::uint64_t{byte} << 56, 2);
      continue;
    }
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

}  // namespace fwctl::yaml
