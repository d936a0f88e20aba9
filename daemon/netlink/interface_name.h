// Interfaces by name, of messages that have their numbers.
#pragma once

#include <net/if.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>

namespace fwctl::netlink {

// Empty where there is none; "if7" for one that is gone.
inline std::string interface_name(std::optional<std::uint32_t> index) {
  std::array<char, IF_NAMESIZE> name{};
  if (!index || *index == 0) return {};
  if (if_indextoname(*index, name.data()) == nullptr) return "if" + std::to_string(*index);
  return name.data();
}

}  // namespace fwctl::netlink
