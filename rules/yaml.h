// YAML as a tree with positions. What other YAML readers let pass is refused here: a second
// document, duplicate keys (by whoever reads the map), aliases that expand without bound, tags.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rules/diagnostic.h"

namespace fwctl::yaml {

enum class Kind : std::uint8_t { null, scalar, list, map };

struct Entry;

// Keeps the text of scalars as written: what `022` or `on` mean is for the reader to say.
struct Node {
  Kind kind = Kind::null;
  Span at;
  std::string scalar;
  bool quoted = false;
  std::vector<Node> items;     // of a list
  std::vector<Entry> entries;  // of a map, in the order written
};

struct Entry {
  Node key;
  Node value;
};

// The one document in `source`, a null node when there is none. Appends what is wrong; nullopt when
// the text is no YAML.
std::optional<Node> parse(const Source& source, Diagnostics& diagnostics);

// `text` as a scalar on one line that parse() reads back as the same text.
std::string quote(std::string_view text);

}  // namespace fwctl::yaml
