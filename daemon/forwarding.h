// Whether the kernel passes packets on from one interface to another at all.
#pragma once

#include <string>
#include <vector>

#include "daemon/result.h"

namespace fwctl {

struct Forwarding {
  bool ipv4 = false;                    // net.ipv4.ip_forward
  bool ipv6 = false;                    // net.ipv6.conf.all.forwarding
  std::vector<std::string> interfaces;  // that there are
};

// Of the network namespace we are in.
Result<Forwarding> forwarding();

}  // namespace fwctl
