#include "rules/yaml_plain.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

namespace fwctl::yaml {
namespace {

// Well within what yaml-cpp takes for a key, and within what parse_full() takes for a depth.
constexpr std::size_t longest_key = 128;
constexpr int deepest_plain = 16;
constexpr std::size_t long_list = 1024;

bool control(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte < 0x20 && c != '\n') || byte == 0x7f;
}

bool letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool begins_key(char c) {
  return letter_or_digit(c) || c == '_';
}

bool in_key(char c) {
  return begins_key(c) || c == '-' || c == '.';
}

// Of a scalar without quotes.
bool begins_scalar(char c) {
  return begins_key(c) || c == '.' || c == '/';
}

// Where commas and brackets mean something.
bool in_flow_scalar(char c) {
  return in_key(c) || c == '/' || c == '@' || c == '+';
}

bool null_word(std::string_view text) {
  return text == "null" || text == "Null" || text == "NULL";
}

// Reads from `line_` on, `column_` and `line_number_` being where it is. Whatever returns false has
// met something that it leaves to others.
class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  std::optional<Node> read() {
    Node root;
    next_line();
    if (done_ || column_ != 0 || !read_block(root, 0) || !done_) return {};
    return root;
  }

 private:
  // To the next line that has something besides a comment, and there to what it begins with.
  void next_line() {
    while (!rest_.empty()) {
      const auto end = std::min(rest_.find('\n'), rest_.size());
      line_ = rest_.substr(0, end);
      rest_.remove_prefix(std::min(end + 1, rest_.size()));
      ++line_number_;
      column_ = 0;
      skip_blanks();
      if (!at_end() && here() != '#') return;
    }
    done_ = true;
  }

  bool at_end() const { return column_ == line_.size(); }
  char here() const { return line_[column_]; }
  // A line's end is as good as a blank.
  bool blank_at(std::size_t column) const { return column >= line_.size() || line_[column] == ' '; }
  void skip_blanks() {
    while (!at_end() && here() == ' ') ++column_;
  }
  Span at(std::size_t column, std::size_t length = 1) const {
    return {.line = line_number_,
            .column = static_cast<std::uint32_t>(column + 1),
            .length = static_cast<std::uint32_t>(length)};
  }

  // What was read ends here; nothing but a comment follows on its line.
  bool end_line() {
    const std::size_t end = column_;
    skip_blanks();
    if (!at_end() && (here() != '#' || column_ == end)) return false;
    next_line();
    return true;
  }

  bool at_dash() const { return here() == '-' && blank_at(column_ + 1); }

  // Behind the key that begins here, where its colon is; nullopt: there is none.
  std::optional<std::size_t> end_of_key() const {
    std::size_t end = column_;
    if (here() == '"' || here() == '\'') {
      end = line_.find(here(), column_ + 1);
      if (end == std::string_view::npos) return {};
      ++end;
    } else if (begins_key(here())) {
      while (end < line_.size() && in_key(line_[end])) ++end;
    }
    const bool key = end != column_ && end < line_.size() && line_[end] == ':' &&
                     blank_at(end + 1) && end - column_ <= longest_key;
    return key ? std::optional(end) : std::nullopt;
  }

  // And the colon behind it.
  bool read_key(Node& out) {
    const auto end = at_end() ? std::nullopt : end_of_key();
    if (!end) return false;
    if (begins_key(here())) {
      const std::size_t begin = std::exchange(column_, *end);
      if (!set_plain(out, begin)) return false;
    } else if (!read_quoted(out) || column_ != *end) {
      return false;
    }
    ++column_;
    return true;
  }

  // The scalar from `begin` up to here, without quotes.
  bool set_plain(Node& out, std::size_t begin) const {
    const auto text = line_.substr(begin, column_ - begin);
    out.kind = Kind::scalar;
    out.at = at(begin, text.size());
    out.scalar = text;
    return !null_word(text);
  }

  // A map or a list that begins here.
  bool begin(Node& out, Kind kind, int depth) const {
    out.kind = kind;
    out.at = at(column_);
    return depth != deepest_plain;
  }

  // A map or a list whose lines begin at this column.
  bool read_block(Node& out, int depth) {
    return at_dash() ? read_list(out, depth) : read_map(out, depth);
  }

  bool read_list(Node& out, int depth) {
    if (!begin(out, Kind::list, depth)) return false;
    const std::size_t column = column_;
    const std::size_t first = items_.size();
    do {
      if (!at_dash()) break;  // of a map: whose list it is knows more
      ++column_;
      skip_blanks();
      if (at_end() || at_dash()) return false;
      Node item;
      if (!(end_of_key() ? read_map(item, depth + 1) : read_value(item, depth))) return false;
      items_.push_back(std::move(item));
    } while (!done_ && column_ == column);
    take(items_, first, out.items);
    return done_ || column_ <= column;
  }

  bool read_map(Node& out, int depth) {
    if (!begin(out, Kind::map, depth)) return false;
    const std::size_t column = column_;
    const std::size_t first = entries_.size();
    do {
      Entry entry;
      if (!read_key(entry.key) || !read_value_of(column, entry.value, depth)) return false;
      entries_.push_back(std::move(entry));
    } while (!done_ && column_ == column);
    take(entries_, first, out.entries);
    return done_ || column_ < column;
  }

  // Of a key at `map_column`.
  bool read_value_of(std::size_t map_column, Node& out, int depth) {
    skip_blanks();
    if (!at_end() && here() != '#') return read_value(out, depth);
    next_line();
    if (done_ || column_ < map_column) return false;
    // A list may stand right below the key.
    return column_ > map_column ? read_block(out, depth + 1)
                                : at_dash() && read_list(out, depth + 1);
  }

  // One that ends on its line, and the line.
  bool read_value(Node& out, int depth) {
    switch (here()) {
      case '[':
      case '{':
      case '"':
      case '\'':
        if (!read_enclosed(out, depth)) return false;
        break;
      default:
        if (!read_scalar(out)) return false;
    }
    return end_line();
  }

  bool read_enclosed(Node& out, int depth) {
    if (here() == '[') return read_flow_list(out, depth + 1);
    if (here() == '{') return read_flow_map(out, depth + 1);
    return read_quoted(out);
  }

  // "::1" begins with a colon that is none of YAML's.
  bool at_scalar() const {
    return begins_scalar(here()) ||
           (here() == ':' && column_ + 1 < line_.size() &&
            (line_[column_ + 1] == ':' || begins_scalar(line_[column_ + 1])));
  }

  // Up to the line's end or a comment.
  bool read_scalar(Node& out) {
    if (!at_scalar()) return false;
    const std::size_t begin = column_;
    std::size_t end = begin;  // without the blanks behind it
    for (; !at_end(); ++column_) {
      if (here() == ':' && blank_at(column_ + 1)) return false;
      if (here() == '#' && line_[column_ - 1] == ' ') break;
      if (here() != ' ') end = column_ + 1;
    }
    column_ = end;
    return set_plain(out, begin);
  }

  bool read_quoted(Node& out) {
    const char quote = here();
    const std::size_t begin = column_++;
    out.kind = Kind::scalar;
    out.quoted = true;
    for (;; ++column_) {
      if (at_end()) return false;
      if (here() == quote) break;
      if (quote == '"' && here() == '\\') {
        ++column_;
        if (at_end() || (here() != '"' && here() != '\\')) return false;
      }
      out.scalar += here();
    }
    ++column_;
    if (quote == '\'' && !at_end() && here() == quote) return false;  // one within the text
    out.at = at(begin, out.scalar.size() + 2);
    return true;
  }

  bool read_flow_value(Node& out, int depth) {
    if (at_end()) return false;
    if (std::string_view("[{\"'").find(here()) != std::string_view::npos)
      return read_enclosed(out, depth);
    if (!at_scalar()) return false;
    const std::size_t begin = column_;
    std::size_t end = begin;  // without the blanks behind it
    for (; !at_end(); ++column_) {
      const bool colon = here() == ':' && column_ + 1 < line_.size() &&
                         (line_[column_ + 1] == ':' || in_flow_scalar(line_[column_ + 1]));
      if (colon || in_flow_scalar(here()))
        end = column_ + 1;
      else if (here() != ' ')
        break;
    }
    column_ = end;
    return set_plain(out, begin);
  }

  // Calls `read_one` for what stands between commas, up to the bracket `close`.
  template <typename ReadOne>
  bool read_flow(char close, const ReadOne& read_one) {
    ++column_;
    skip_blanks();
    if (!at_end() && here() == close) {
      ++column_;
      return true;
    }
    for (;;) {
      if (!read_one()) return false;
      skip_blanks();
      if (at_end()) return false;
      const char next = here();
      ++column_;
      if (next == close) return true;
      if (next != ',') return false;
      skip_blanks();
    }
  }

  bool read_flow_list(Node& out, int depth) {
    if (!begin(out, Kind::list, depth)) return false;
    const std::size_t first = items_.size();
    const bool done = read_flow(']', [&] {
      Node item;
      const bool read = read_flow_value(item, depth);
      if (read) items_.push_back(std::move(item));
      return read;
    });
    if (done) take(items_, first, out.items);
    return done;
  }

  bool read_flow_map(Node& out, int depth) {
    if (!begin(out, Kind::map, depth)) return false;
    const std::size_t first = entries_.size();
    const bool done = read_flow('}', [&] {
      Entry entry;
      if (!read_key(entry.key)) return false;
      skip_blanks();
      if (!read_flow_value(entry.value, depth)) return false;
      entries_.push_back(std::move(entry));
      return true;
    });
    if (done) take(entries_, first, out.entries);
    return done;
  }

  // What was put behind the first so many becomes `out`: in a place of its own size, unless it is
  // all there is of a long list.
  template <typename T>
  static void take(std::vector<T>& gathered, std::size_t first, std::vector<T>& out) {
    if (first == 0 && gathered.size() >= long_list) {
      out = std::exchange(gathered, {});
      return;
    }
    const auto begin = gathered.begin() + static_cast<std::ptrdiff_t>(first);
    out.assign(std::move_iterator(begin), std::move_iterator(gathered.end()));
    gathered.erase(begin, gathered.end());
  }

  std::string_view rest_;  // behind the line
  std::string_view line_;
  std::uint32_t line_number_ = 0;
  std::size_t column_ = 0;  // from 0
  bool done_ = false;
  // Of the lists and maps that are open, the innermost last.
  std::vector<Node> items_;
  std::vector<Entry> entries_;
};

}  // namespace

std::optional<Node> parse_plain(std::string_view text) {
  // What is beyond ASCII at the very start may be a mark of the encoding.
  if (text.empty() || static_cast<unsigned char>(text.front()) >= 0x80 ||
      std::any_of(text.begin(), text.end(), control))
    return {};
  return Reader(text).read();
}

}  // namespace fwctl::yaml
