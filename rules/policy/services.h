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

  // In the order listed; empty when the name is not known.
  const std::vector<ServicePort>& find(const std::string& name) const;
  void define(const std::string& name, std::vector<ServicePort> ports);
  std::vector<std::string_view> names() const;

 private:
  std::map<std::string, std::vector<ServicePort>> ports_;
};

}  // namespace fwctl::policy
