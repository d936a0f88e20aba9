// Service names and the ports they stand for.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "rules/port.h"

namespace fwctl::policy {

struct ServicePort {
  Protocol protocol;
  PortRange ports;
  bool operator==(const ServicePort&) const = default;
};

class ServiceTable {
 public:
  // The names in `etc_services` (the text of /etc/services; may be empty), TCP and UDP only, and
  // for names it lacks the built-in list.
  explicit ServiceTable(std::string_view etc_services);
  // No names at all.
  ServiceTable() = default;

  // In the order listed; empty when the name is not known.
  const std::vector<ServicePort>& find(const std::string& name) const;
  void define(const std::string& name, std::vector<ServicePort> ports);
  // What `lines`, in the format of /etc/services, say of a name replaces what is known of it.
  void prefer(std::string_view lines);
  std::vector<std::string_view> names() const;

 private:
  void read(std::string_view lines);

  std::map<std::string, std::vector<ServicePort>> ports_;
};

}  // namespace fwctl::policy
