#include "daemon/protocol/interface.h"

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>

namespace fwctl::protocol {
namespace {

using Kind = Type::Kind;

// The first error stays and lets everything after it fail: no function needs to look before the
// next.
class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  tl::expected<Interface, std::string> parse() {
    Interface interface;
    if (word() != "interface") fail("'interface' expected");
    interface.name = word();
    while (!failed() && !at_end()) member(interface);
    for (const auto& [name, line] : used_)
      if (!interface.types.contains(name)) fail("type " + name + " is not defined", line);
    if (failed()) return tl::unexpected(error_);
    return interface;
  }

 private:
  void member(Interface& interface) {
    const std::string keyword = word();
    const std::string name = identifier();
    bool fresh = true;
    if (keyword == "type") {
      fresh = interface.types.try_emplace(name, parenthesised()).second;
    } else if (keyword == "error") {
      fresh = interface.errors.try_emplace(name, structure()).second;
    } else if (keyword == "method") {
      Type parameters = structure();
      expect("->");
      fresh =
          interface.methods.try_emplace(name, Method{std::move(parameters), structure()}).second;
    } else {
      fail("'type', 'method' or 'error' expected");
    }
    if (!fresh) fail(name + " is there already");
  }

  Type type() {
    if (take("?")) return around(Kind::optional);
    if (take("[]")) return around(Kind::array);
    if (take("[string]")) return around(Kind::map);
    if (starts_with("(")) return parenthesised();
    return named();
  }

  Type around(Kind kind) {
    Type result{.kind = kind, .fields = {}, .values = {}, .name = {}, .element = {}};
    result.element.push_back(type());
    if (kind == Kind::optional && result.element.front().kind == Kind::optional)
      fail("'?' stands twice");
    return result;
  }

  Type named() {
    const std::string name = identifier();
    Type result;
    if (name == "bool") {
      result.kind = Kind::boolean;
    } else if (name == "int") {
      result.kind = Kind::integer;
    } else if (name == "float") {
      result.kind = Kind::number;
    } else if (name == "string") {
      result.kind = Kind::string;
    } else if (name == "object") {
      result.kind = Kind::object;
    } else {
      result.kind = Kind::named;
      result.name = name;
      used_.emplace_back(name, line());
    }
    return result;
  }

  Type structure() {
    Type result = parenthesised();
    if (result.kind != Kind::structure) fail("fields expected");
    return result;
  }

  // Fields with types, or the values of an enumeration.
  Type parenthesised() {
    Type result;
    expect("(");
    if (take(")")) return result;
    do {
      std::string name = identifier();
      if (take(":"))
        add_field(result, std::move(name));
      else
        add_value(result, std::move(name));
    } while (!failed() && take(","));
    expect(")");
    if (!result.fields.empty() && !result.values.empty()) fail("fields and values are mixed");
    if (!result.values.empty()) result.kind = Kind::enumeration;
    return result;
  }

  void add_field(Type& structure, std::string name) {
    for (const Field& field : structure.fields)
      if (field.name == name) fail(name + " is there already");
    structure.fields.push_back({std::move(name), type()});
  }

  void add_value(Type& enumeration, std::string name) {
    if (std::ranges::find(enumeration.values, name) != enumeration.values.end())
      fail(name + " is there already");
    enumeration.values.push_back(std::move(name));
  }

  std::string identifier() {
    std::string name = word();
    if (name.find_first_of(".-") != std::string::npos) fail("'" + name + "' is not a name");
    return name;
  }

  // Dots and dashes only occur in the interface's name.
  std::string word() {
    skip();
    const std::size_t begin = position_;
    while (position_ < text_.size() && in_word(text_[position_])) {
      if (text_.substr(position_).starts_with("->")) break;
      ++position_;
    }
    std::string result(text_.substr(begin, position_ - begin));
    if (result.empty() || std::isalpha(static_cast<unsigned char>(result.front())) == 0)
      fail("a name expected");
    return result;
  }

  static bool in_word(char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '.' || c == '-';
  }

  bool starts_with(std::string_view symbol) {
    skip();
    return text_.substr(position_).starts_with(symbol);
  }

  bool take(std::string_view symbol) {
    if (!starts_with(symbol)) return false;
    position_ += symbol.size();
    return true;
  }

  void expect(std::string_view symbol) {
    if (!take(symbol)) fail("'" + std::string(symbol) + "' expected");
  }

  bool at_end() {
    skip();
    return position_ == text_.size();
  }

  // White space and comments.
  void skip() {
    while (position_ < text_.size()) {
      if (text_[position_] == '#')
        position_ = std::min(text_.find('\n', position_), text_.size());
      else if (std::isspace(static_cast<unsigned char>(text_[position_])) != 0)
        ++position_;
      else
        break;
    }
  }

  std::ptrdiff_t line() const { return 1 + std::ranges::count(text_.substr(0, position_), '\n'); }

  bool failed() const { return !error_.empty(); }

  void fail(const std::string& sentence) { fail(sentence, line()); }

  void fail(const std::string& sentence, std::ptrdiff_t line) {
    if (failed()) return;
    error_ = "line " + std::to_string(line) + ": " + sentence;
    position_ = text_.size();
  }

  std::string_view text_;
  std::size_t position_ = 0;
  std::string error_;
  std::vector<std::pair<std::string, std::ptrdiff_t>> used_;
};

using Path = std::optional<std::string>;

// `inner` is a path inside the part that `step` leads to.
std::string joined(std::string step, const std::string& inner) {
  if (!inner.empty() && inner.front() != '[') step += '.';
  return step + inner;
}

Path structure_mismatch(const Interface& interface, const Type& type, const Json& value) {
  if (!value.is_object()) return "";
  std::size_t known = 0;
  for (const Field& field : type.fields) {
    const auto member = value.find(field.name);
    if (member == value.end()) {
      if (field.type.kind != Kind::optional) return field.name;
      continue;
    }
    ++known;
    if (Path inner = mismatch(interface, field.type, *member)) return joined(field.name, *inner);
  }
  if (known == value.size()) return {};
  for (const auto& [name, member] : value.items())
    if (std::ranges::find(type.fields, name, &Field::name) == type.fields.end())
      return printable(name);
  return {};
}

Path array_mismatch(const Interface& interface, const Type& element, const Json& value) {
  if (!value.is_array()) return "";
  for (std::size_t i = 0; i < value.size(); ++i)
    if (Path inner = mismatch(interface, element, value[i]))
      return joined("[" + std::to_string(i) + "]", *inner);
  return {};
}

Path map_mismatch(const Interface& interface, const Type& element, const Json& value) {
  if (!value.is_object()) return "";
  for (const auto& [name, member] : value.items())
    if (Path inner = mismatch(interface, element, member))
      return joined("[" + printable(name) + "]", *inner);
  return {};
}

bool is_integer(const Json& value) {
  if (value.is_number_unsigned())
    return value.get<std::uint64_t>() <= std::numeric_limits<std::int64_t>::max();
  return value.is_number_integer();
}

bool is_one_of(const std::vector<std::string>& names, const Json& value) {
  return value.is_string() &&
         std::ranges::find(names, value.get_ref<const std::string&>()) != names.end();
}

Path unless(bool conforms) {
  return conforms ? Path() : Path("");
}

}  // namespace

tl::expected<Interface, std::string> parse_interface(std::string_view text) {
  return Parser(text).parse();
}

std::optional<std::string> mismatch(const Interface& interface, const Type& type,
                                    const Json& value) {
  switch (type.kind) {
    case Kind::boolean:
      return unless(value.is_boolean());
    case Kind::integer:
      return unless(is_integer(value));
    case Kind::number:
      return unless(value.is_number());
    case Kind::string:
      return unless(value.is_string());
    case Kind::object:
      return unless(value.is_object());
    case Kind::enumeration:
      return unless(is_one_of(type.values, value));
    case Kind::structure:
      return structure_mismatch(interface, type, value);
    case Kind::named:
      return mismatch(interface, interface.types.at(type.name), value);
    case Kind::array:
      return array_mismatch(interface, type.element.front(), value);
    case Kind::map:
      return map_mismatch(interface, type.element.front(), value);
    case Kind::optional:
      if (value.is_null()) return {};
      return mismatch(interface, type.element.front(), value);
  }
  return "";
}

std::optional<std::string> mismatch(const Interface& interface, std::string_view method,
                                    const Reply& reply) {
  const auto described = interface.methods.find(method);
  if (described == interface.methods.end()) return printable(method) + " is not described";
  const Type* type = &described->second.reply;
  std::string what = described->first;
  if (!reply.error.empty()) {
    if (!reply.error.starts_with(interface.name + ".")) return {};
    what = reply.error.substr(interface.name.size() + 1);
    const auto error = interface.errors.find(what);
    if (error == interface.errors.end()) return printable(reply.error) + " is not described";
    type = &error->second;
  }
  if (const Path path = mismatch(interface, *type, reply.parameters))
    return what + ": '" + *path + "' is not as described";
  return {};
}

}  // namespace fwctl::protocol
