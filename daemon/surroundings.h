// What names in rules mean on this host now, and word of it when that may have changed.
#pragma once

#include <systemd/sd-event.h>

#include <functional>
#include <memory>

#include "daemon/event_source.h"
#include "daemon/resolver.h"
#include "daemon/result.h"
#include "daemon/routes.h"
#include "rules/policy/surroundings.h"

namespace fwctl {

// As Firewall::Places wants it, and never waiting for the network: of hosts it says what `resolved`
// does. What cannot be found out is left out.
policy::Surroundings look_around(const policy::Names& wanted, const Resolver::Answers& resolved);

// Calls `changed` once when the event loop runs, and then whenever what look_around() says may have
// become another; for several changes close together only once. When it returns false it is called
// again some time later, whatever happens.
class SurroundingsWatch {
 public:
  using Changed = std::function<bool()>;
  // `resolved` takes what is found out of hosts; it must outlive the watch.
  static Result<std::unique_ptr<SurroundingsWatch>> start(sd_event* event,
                                                          Resolver::Answers& resolved,
                                                          Changed changed);

  // The hosts to be resolved from now on.
  void want(const Resolver::Names& hosts) { resolver_->want(hosts); }
  // Resolves all of them now.
  void ask_again() { resolver_->ask_again(); }

 private:
  SurroundingsWatch(RouteWatch routes, Changed changed)
      : routes_(std::move(routes)), changed_(std::move(changed)) {}
  Result<void> attach(sd_event* event);
  static int on_routes(sd_event_source* source, int fd, std::uint32_t events, void* data) noexcept;
  static int on_time(sd_event_source* source, std::uint64_t time, void* data) noexcept;

  RouteWatch routes_;
  Changed changed_;
  EventSource route_events_;
  EventSource timer_;
  std::unique_ptr<Resolver> resolver_;
};

}  // namespace fwctl
