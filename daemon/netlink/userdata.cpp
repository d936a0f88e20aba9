#include "daemon/netlink/userdata.h"

#include <cassert>

namespace fwctl::netlink::userdata {

void append(std::string& data, std::uint8_t type, std::string_view value) {
  assert(data.size() + value.size() + 2 <= limit);
  data += static_cast<char>(type);
  data += static_cast<char>(value.size());
  data += value;
}

void append_text(std::string& data, std::uint8_t type, std::string_view text) {
  append(data, type, std::string(text) + '\0');
}

void append_number(std::string& data, std::uint8_t type, std::uint32_t value) {
  append(data, type, {reinterpret_cast<const char*>(&value), sizeof(value)});
}

std::optional<std::string_view> find(std::string_view data, std::uint8_t type) {
  while (data.size() >= 2) {
    const auto length = static_cast<std::uint8_t>(data[1]);
    if (data.size() < 2U + length) break;
    if (static_cast<std::uint8_t>(data[0]) == type) return data.substr(2, length);
    data.remove_prefix(2U + length);
  }
  return std::nullopt;
}

std::string text(std::string_view data, std::uint8_t type) {
  const std::string_view value = find(data, type).value_or(std::string_view());
  return std::string(value.substr(0, value.find('\0')));
}

}  // namespace fwctl::netlink::userdata
