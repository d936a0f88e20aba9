// Where routes lead, and when that may have changed; what addresses this host has.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/result.h"
#include "rules/address.h"

namespace fwctl {

namespace netlink {
class Socket;
}

// Interfaces of the default routes of both families, of the main table and of any metric, sorted.
// Routes over lo and those that refuse (unreachable, blackhole, prohibit) are none.
Result<std::vector<std::string>> default_route_interfaces();

// The interface on which packets go to `peer`, from the address `own` of this host if that is said:
// lo where the peer is this host too.
Result<std::string> interface_towards(const Address& peer, const std::optional<Address>& own);

// This host's, of all interfaces, lo included.
Result<std::vector<Address>> own_addresses();

bool interface_exists(const std::string& name);

// Hears of changes to routes and links of the network namespace we are in.
class RouteWatch {
 public:
  static Result<RouteWatch> open();
  RouteWatch(RouteWatch&& other) noexcept;
  RouteWatch& operator=(RouteWatch&& other) noexcept;
  ~RouteWatch();

  // To wait for input on.
  int fd() const;
  // Reads what is queued away. True where routes or links changed, also when it was too much to be
  // queued.
  bool changed();

 private:
  explicit RouteWatch(netlink::Socket socket);
  std::unique_ptr<netlink::Socket> socket_;
};

}  // namespace fwctl
