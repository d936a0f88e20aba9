// An interface description as values, and whether JSON conforms to it.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "daemon/protocol/message.h"

namespace fwctl::protocol {

struct Field;

struct Type {
  enum class Kind {
    boolean,
    integer,  // what fits 64 bits with a sign
    number,
    string,
    object,       // any object
    enumeration,  // `values`
    structure,    // `fields`
    named,        // `name`, in Interface::types
    array,        // of `element`
    map,          // of strings to `element`
    optional,     // `element`, null or not there
  };
  Kind kind = Kind::structure;
  std::vector<Field> fields;
  std::vector<std::string> values;
  std::string name;
  std::vector<Type> element;  // one or none
};

struct Field {
  std::string name;
  Type type;
};

struct Method {
  Type parameters;
  Type reply;
};

// Names are as they stand in the description, without the interface's.
struct Interface {
  std::string name;
  std::map<std::string, Type, std::less<>> types;
  std::map<std::string, Method, std::less<>> methods;
  std::map<std::string, Type, std::less<>> errors;
};

// Names used are defined, and defined once. The error is a sentence with the line.
tl::expected<Interface, std::string> parse_interface(std::string_view text);

// Where `value` first is not of `type`, a type of `interface`: a path as "rules[3].number", empty
// for the value as a whole. A member the type does not have is a mismatch. Parts of the path that
// come from the value are printable.
std::optional<std::string> mismatch(const Interface& interface, const Type& type,
                                    const Json& value);

// What is wrong with `reply` as an answer to `method`: a sentence. Only errors that `interface`
// describes are judged.
std::optional<std::string> mismatch(const Interface& interface, std::string_view method,
                                    const Reply& reply);

}  // namespace fwctl::protocol
