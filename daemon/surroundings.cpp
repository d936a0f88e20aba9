#include "daemon/surroundings.h"

#include <sys/epoll.h>

#include <chrono>

#include "daemon/accounts.h"
#include "daemon/journal.h"

namespace fwctl {
namespace {

// A daemon that sets up routes does several things in a row.
constexpr auto settling = std::chrono::milliseconds(100);
constexpr auto before_trying_again = std::chrono::seconds(10);

std::optional<std::vector<std::string>> find_wan() {
  if (interface_exists(std::string(policy::wan_name)))
    return std::vector{std::string(policy::wan_name)};
  auto interfaces = default_route_interfaces();
  if (interfaces) return *std::move(interfaces);
  journal::warn("what 'wan' is stays as it was: " + interfaces.error().message());
  return {};
}

}  // namespace

policy::Surroundings look_around(const policy::Names& wanted, const Resolver::Answers& resolved) {
  auto out = find_accounts(wanted);
  if (wanted.wan) out.wan = find_wan();
  for (const auto& name : wanted.hosts)
    if (const auto found = resolved.find(name); found != resolved.end()) out.hosts.insert(*found);
  return out;
}

Result<std::unique_ptr<SurroundingsWatch>> SurroundingsWatch::start(sd_event* event,
                                                                    Resolver::Answers& resolved,
                                                                    Changed changed) {
  auto routes = RouteWatch::open();
  if (!routes) return tl::unexpected(routes.error());
  std::unique_ptr<SurroundingsWatch> watch(
      new SurroundingsWatch(std::move(*routes), std::move(changed)));
  if (auto attached = watch->attach(event); !attached) return tl::unexpected(attached.error());
  auto resolver =
      Resolver::start(event, resolved, [timer = watch->timer_.get()] { arm(timer, settling); });
  if (!resolver) return tl::unexpected(resolver.error());
  watch->resolver_ = std::move(*resolver);
  return watch;
}

Result<void> SurroundingsWatch::attach(sd_event* event) {
  auto routes = watch_input(event, routes_.fd(), on_routes, this, "routes");
  if (!routes) return tl::unexpected(routes.error());
  route_events_ = std::move(*routes);
  auto timer = make_timer(event, on_time, this);
  if (!timer) return tl::unexpected(timer.error());
  timer_ = std::move(*timer);
  arm(timer_.get(), std::chrono::microseconds(0));
  return {};
}

int SurroundingsWatch::on_routes(sd_event_source* /*source*/, int /*fd*/, std::uint32_t /*events*/,
                                 void* data) noexcept {
  auto* watch = static_cast<SurroundingsWatch*>(data);
  if (!watch->routes_.changed()) return 0;
  arm(watch->timer_.get(), settling);
  watch->resolver_->ask_again();  // another network, another answer; or the first network at all
  return 0;
}

int SurroundingsWatch::on_time(sd_event_source* /*source*/, std::uint64_t /*time*/,
                               void* data) noexcept {
  auto* watch = static_cast<SurroundingsWatch*>(data);
  if (!watch->changed_()) arm(watch->timer_.get(), before_trying_again);
  return 0;
}

}  // namespace fwctl
