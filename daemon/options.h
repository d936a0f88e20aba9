// What fwctld can be told on its command line.
#pragma once

#include <filesystem>
#include <string>

namespace fwctl {

struct Options {
  std::filesystem::path config = "/etc/fwctl";
  std::filesystem::path state = "/var/lib/fwctl";
  std::string socket;  // default: daemon/protocol/message.h
};

// Ends the program for --help, --version (status 0) and anything it does not know (status 2).
Options parse_options(int argc, char** argv);

}  // namespace fwctl
