#include "daemon/serve.h"

#include "daemon/callers.h"
#include "daemon/cgroups.h"
#include "daemon/firewall.h"
#include "daemon/journal.h"
#include "daemon/methods.h"
#include "daemon/routes.h"
#include "daemon/run.h"
#include "daemon/settings.h"
#include "daemon/surroundings.h"

namespace fwctl {

Result<void> serve(const Options& options, Kernel& kernel) {
  auto settings = read_settings(options.config / "daemon.yaml");
  if (!settings) {
    journal::error("only root has access: " + settings.error().message());
    settings = Settings{};
  }
  Resolver::Answers resolved;
  const auto look = [&](const policy::Names& wanted) { return look_around(wanted, resolved); };
  Firewall firewall({.config = options.config,
                     .state = options.state,
                     .surroundings = look,
                     .units = [](const auto& wanted) { return find_units(wanted); },
                     .forwarding = forwarding,
                     .interface_of = interface_of,
                     .own_addresses = own_addresses,
                     .protection = settings->protection},
                    kernel);
  if (auto started = firewall.start(); !started) return started;
  for (const auto& problem : firewall.problems()) journal::warn(problem);
  LogFeed log(firewall);
  TraceFeed trace(firewall);
  return run(options, firewall, Service(settings->access, methods(firewall), streams(log, trace)),
             resolved, log, trace);
}

}  // namespace fwctl
