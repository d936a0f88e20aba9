#include "rules/yaml_full.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <map>
#include <sstream>

namespace fwctl::yaml {
namespace {

// Nodes that aliases may add to a document; a policy has no use for more.
constexpr std::size_t most_alias_nodes = 10'000;
constexpr std::size_t deepest = 32;

std::size_t count(const Node& node) {
  std::size_t total = 1;
  for (const auto& item : node.items) total += count(item);
  for (const auto& [key, value] : node.entries) total += count(key) + count(value);
  return total;
}

Span span(const YAML::Mark& mark, std::size_t length = 1) {
  return {.line = static_cast<std::uint32_t>(std::max(mark.line, 0) + 1),
          .column = static_cast<std::uint32_t>(std::max(mark.column, 0) + 1),
          .length = static_cast<std::uint32_t>(std::max<std::size_t>(length, 1))};
}

class Stop {};  // thrown when what follows cannot be worth reading

// yaml-cpp has no end for the constructs it starts but calls back in order; this keeps the open
// ones.
class Builder : public YAML::EventHandler {
 public:
  Builder(const Source& source, Diagnostics& diagnostics)
      : source_(source), diagnostics_(diagnostics) {}

  void OnDocumentStart(const YAML::Mark& /*mark*/) override {}
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    add({.kind = Kind::null, .at = span(mark)}, anchor);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) return fail(mark, "this alias refers to what it is part of");
    alias_nodes_ += count(found->second);
    if (alias_nodes_ > most_alias_nodes) return fail(mark, "aliases expand to too much");
    add(Node(found->second), 0);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    check_tag(mark, tag);
    const bool quoted = tag == "!";
    Node node{.kind = Kind::scalar,
              .at = span(mark, value.size() + (quoted ? 2 : 0)),
              .scalar = value,
              .quoted = quoted};
    last_scalar_ = node.at;
    add(std::move(node), anchor);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value /*style*/) override {
    open(mark, tag, anchor, Kind::list);
  }
  void OnSequenceEnd() override { close(); }

  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value /*style*/) override {
    open(mark, tag, anchor, Kind::map);
  }
  void OnMapEnd() override { close(); }

  Node take() { return std::move(root_); }
  Span last_scalar() const { return last_scalar_; }

 private:
  struct Open {
    Node node;
    YAML::anchor_t anchor = 0;
    std::optional<Node> key;  // of a map, when its value is awaited
  };

  [[noreturn]] void fail(const YAML::Mark& mark, std::string_view message) {
    diagnostics_.push_back(error_in(source_, span(mark), message));
    throw Stop();
  }

  void check_tag(const YAML::Mark& mark, const std::string& tag) {
    if (tag.empty() || tag == "?" || tag == "!") return;
    fail(mark, "YAML tags have no meaning here");
  }

  void open(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, Kind kind) {
    check_tag(mark, tag);
    if (stack_.size() >= deepest) fail(mark, "nested too deep");
    stack_.push_back({.node = {.kind = kind, .at = span(mark)}, .anchor = anchor});
  }

  void close() {
    Open done = std::move(stack_.back());
    stack_.pop_back();
    add(std::move(done.node), done.anchor);
  }

  void add(Node node, YAML::anchor_t anchor) {
    if (anchor != 0) anchors_[anchor] = node;
    if (stack_.empty()) {
      root_ = std::move(node);
      return;
    }
    Open& parent = stack_.back();
    if (parent.node.kind == Kind::list) {
      parent.node.items.push_back(std::move(node));
    } else if (!parent.key) {
      parent.key = std::move(node);
    } else {
      parent.node.entries.push_back({.key = std::move(*parent.key), .value = std::move(node)});
      parent.key.reset();
    }
  }

  const Source& source_;
  Diagnostics& diagnostics_;
  std::vector<Open> stack_;
  std::map<YAML::anchor_t, Node> anchors_;
  std::size_t alias_nodes_ = 0;
  Span last_scalar_;
  Node root_;
};

// yaml-cpp takes any bytes; what is not text is refused before it sees it.
bool check_text(const Source& source, Diagnostics& diagnostics) {
  std::uint32_t line = 1;
  std::uint32_t column = 1;
  for (const char c : source.text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\n') {
      ++line;
      column = 1;
      continue;
    }
    if ((byte < 0x20 && c != '\t' && c != '\r') || byte == 0x7f) {
      diagnostics.push_back(error_in(source, {.line = line, .column = column},
                                     "a control character: not a text file"));
      return false;
    }
    ++column;
  }
  return true;
}

// yaml-cpp takes a quote that is still open at the end of the text, with all that follows it. Only
// the last scalar can be one. `text` begins there.
bool quote_stays_open(std::string_view text) {
  if (text.starts_with('&')) {  // an anchor stands before it
    text.remove_prefix(std::min(text.find_first_of(" \t\r\n"), text.size()));
    text.remove_prefix(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
  }
  if (!text.starts_with('"') && !text.starts_with('\'')) return false;
  const char quote = text.front();
  for (std::size_t index = 1; index < text.size(); ++index) {
    const bool escaped = quote == '"' ? text[index] == '\\' : text.substr(index).starts_with("''");
    if (escaped)
      ++index;
    else if (text[index] == quote)
      return false;
  }
  return true;
}

bool quote_stays_open(const Source& source, Span at) {
  const auto line = source.line(at.line);
  if (line.empty() || at.column > line.size()) return false;
  const auto begin = static_cast<std::size_t>(line.data() - source.text.data()) + at.column - 1;
  return quote_stays_open(std::string_view(source.text).substr(begin));
}

}  // namespace

std::optional<Node> parse_full(const Source& source, Diagnostics& diagnostics) {
  if (!check_text(source, diagnostics)) return {};
  std::istringstream stream(source.text);
  Builder builder(source, diagnostics);
  try {
    YAML::Parser parser(stream);
    if (!parser.HandleNextDocument(builder)) return Node{};
    if (quote_stays_open(source, builder.last_scalar())) {
      diagnostics.push_back(error_in(source, builder.last_scalar(), "a quote that is not closed"));
      return {};
    }
    Node root = builder.take();
    Builder second(source, diagnostics);
    if (parser.HandleNextDocument(second)) {
      diagnostics.push_back(
          error_in(source, second.take().at, "a second document: a policy file holds one"));
      return {};
    }
    return root;
  } catch (const YAML::Exception& exception) {
    diagnostics.push_back(error_in(source, span(exception.mark), "not YAML: " + exception.msg));
    return {};
  } catch (const Stop&) {
    return {};
  }
}

}  // namespace fwctl::yaml
