#include "daemon/options.h"

#include <CLI/CLI.hpp>
#include <cstdlib>

#include "daemon/protocol/message.h"

namespace fwctl {

Options parse_options(int argc, char** argv) {
  Options options;
  options.socket = protocol::default_socket;
  CLI::App app{
      "fwctld holds the firewall policy of this host and keeps it in force.\n"
      "It is started by systemd (fwctld.service); talk to it with fwctl."};
  app.set_version_flag("--version", std::string("fwctld ") + FWCTL_VERSION);
  app.add_option("--config", options.config, "Folder of the policy files")
      ->type_name("DIR")
      ->capture_default_str();
  app.add_option("--state", options.state, "Folder of the stored generations")
      ->type_name("DIR")
      ->capture_default_str();
  app.add_option("--socket", options.socket, "Socket to listen on, unless systemd hands one over")
      ->type_name("PATH")
      ->capture_default_str();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const bool wanted = error.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success);
    static_cast<void>(app.exit(error));
    std::exit(wanted ? 0 : 2);
  }
  return options;
}

}  // namespace fwctl
