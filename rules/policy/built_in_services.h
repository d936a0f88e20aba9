// What fwctl itself knows about services, for names that the host doesn't have.
#pragma once

#include <span>
#include <string_view>

namespace fwctl::policy {

struct BuiltInService {
  std::string_view name;
  std::string_view ports;  // "22/tcp", "500/udp esp": separated by blanks
  std::string_view description;
};

// Sorted by name.
std::span<const BuiltInService> built_in_services();

}  // namespace fwctl::policy
