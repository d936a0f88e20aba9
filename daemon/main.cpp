#include <spdlog/spdlog.h>

#include <cstdlib>

#include "daemon/firewall.h"
#include "daemon/journal.h"
#include "daemon/methods.h"
#include "daemon/netlink/kernel.h"
#include "daemon/options.h"
#include "daemon/run.h"
#include "daemon/settings.h"

namespace {

fwctl::Result<void> serve(const fwctl::Options& options) {
  auto access = fwctl::read_settings(options.config / "daemon.yaml");
  if (!access) {
    spdlog::error("only root has access: {}", access.error().message());
    access = fwctl::Access{};
  }
  auto kernel = fwctl::open_kernel();
  if (!kernel) return tl::unexpected(kernel.error());
  fwctl::Firewall firewall({.config = options.config, .state = options.state}, **kernel);
  if (auto started = firewall.start(); !started) return started;
  for (const auto& problem : firewall.problems()) spdlog::warn("{}", problem);
  return fwctl::run(options, firewall, fwctl::Service(*access, fwctl::methods(firewall)));
}

}  // namespace

int main(int argc, char** argv) {
  const auto options = fwctl::parse_options(argc, argv);
  fwctl::open_journal();
  const auto served = serve(options);
  if (served) return EXIT_SUCCESS;
  spdlog::critical("{}", served.error().message());
  return EXIT_FAILURE;
}
