#include "daemon/protocol/message.h"

#include <cassert>
#include <cstddef>
#include <utility>

namespace fwctl::protocol {
namespace {

std::string dump(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// Text is put together here, so that parameters of many megabytes are not copied into another
// object first.
void add_member(std::string& text, std::string_view name, std::string_view value) {
  text += text.empty() ? "{\"" : ",\"";
  text += name;
  text += "\":";
  text += value;
}

std::string finished(std::string text) {
  text += '}';
  text += '\0';
  return text;
}

tl::expected<Json, std::string> parse_object(std::string_view text) {
  if (nested_too_deep(text))
    return tl::unexpected("the message is nested deeper than " + std::to_string(max_depth) +
                          " levels");
  try {
    Json message = Json::parse(text);
    if (!message.is_object()) return tl::unexpected<std::string>("the message is not an object");
    return message;
  } catch (const Json::parse_error& error) {
    return tl::unexpected("the message is not JSON (byte " + std::to_string(error.byte) + ")");
  } catch (const Json::exception&) {
    return tl::unexpected<std::string>("the message has a number that is too large");
  }
}

// Each moves a member out of `message` when it is there, and says so when it is of another type.
using Fault = std::string;

Fault take_string(Json& message, const char* name, std::string& to) {
  const auto member = message.find(name);
  if (member == message.end()) return {};
  if (!member->is_string()) return std::string("'") + name + "' is not a string";
  to = std::move(member->get_ref<std::string&>());
  return {};
}

Fault take_flag(const Json& message, const char* name, bool& to) {
  const auto member = message.find(name);
  if (member == message.end()) return {};
  if (!member->is_boolean()) return std::string("'") + name + "' is not true or false";
  to = member->get<bool>();
  return {};
}

Fault take_parameters(Json& message, Json& to) {
  const auto member = message.find("parameters");
  // Clients in Go write null where there are none.
  if (member == message.end() || member->is_null()) return {};
  if (!member->is_object()) return "'parameters' is not an object";
  to = std::move(*member);
  return {};
}

Fault fill(Call& call, Json& message) {
  if (Fault fault = take_string(message, "method", call.method); !fault.empty()) return fault;
  if (call.method.empty()) return "'method' is missing";
  if (Fault fault = take_flag(message, "more", call.more); !fault.empty()) return fault;
  if (Fault fault = take_flag(message, "oneway", call.oneway); !fault.empty()) return fault;
  bool upgrade = false;
  if (Fault fault = take_flag(message, "upgrade", upgrade); !fault.empty()) return fault;
  if (upgrade) return "'upgrade' is not supported";
  return take_parameters(message, call.parameters);
}

Fault fill(Reply& reply, Json& message) {
  const bool failed = message.contains("error");
  if (Fault fault = take_string(message, "error", reply.error); !fault.empty()) return fault;
  if (failed && reply.error.empty()) return "'error' is empty";
  if (Fault fault = take_flag(message, "continues", reply.continues); !fault.empty()) return fault;
  return take_parameters(message, reply.parameters);
}

template <typename T>
tl::expected<T, std::string> decode(std::string_view text) {
  auto message = parse_object(text);
  if (!message) return tl::unexpected(message.error());
  T result;
  if (Fault fault = fill(result, *message); !fault.empty()) return tl::unexpected(std::move(fault));
  return result;
}

}  // namespace

Reply firewall_error(std::string_view name, Json parameters) {
  return {.parameters = std::move(parameters),
          .error = std::string(interface_name) + "." + std::string(name),
          .continues = false};
}

std::string encode(const Call& call) {
  assert(call.parameters.is_object());
  std::string text;
  add_member(text, "method", dump(call.method));
  add_member(text, "parameters", dump(call.parameters));
  if (call.more) add_member(text, "more", "true");
  if (call.oneway) add_member(text, "oneway", "true");
  return finished(std::move(text));
}

std::string encode(const Reply& reply) {
  assert(reply.parameters.is_object());
  std::string text;
  if (!reply.error.empty()) add_member(text, "error", dump(reply.error));
  add_member(text, "parameters", dump(reply.parameters));
  if (reply.continues) add_member(text, "continues", "true");
  return finished(std::move(text));
}

tl::expected<Call, std::string> decode_call(std::string_view text) {
  return decode<Call>(text);
}

tl::expected<Reply, std::string> decode_reply(std::string_view text) {
  return decode<Reply>(text);
}

// Sees strings as the parser does as long as the text is JSON; where it no longer is, the parser
// stops as well.
bool nested_too_deep(std::string_view text) {
  int depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      if (++depth > max_depth) return true;
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return false;
}

std::string printable(std::string_view text) {
  constexpr std::size_t longest = 64;
  constexpr std::string_view digits = "0123456789abcdef";
  std::string result;
  for (const char c : text.substr(0, longest)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f && c != '\\') {
      result += c;
    } else {
      result += "\\x";
      result += digits[byte >> 4U];
      result += digits[byte & 0xfU];
    }
  }
  if (text.size() > longest) result += "...";
  return result;
}

}  // namespace fwctl::protocol
