// `fwctl check`: policy files checked here, without a daemon, by the same code.
#pragma once

#include <string>

namespace fwctl::cli {

constexpr const char* default_folder = "/etc/fwctl";

// `path`: a policy, or a folder as /etc/fwctl. Prints what it finds, and gives the exit code.
int check_files(const std::string& path, bool json);

}  // namespace fwctl::cli
