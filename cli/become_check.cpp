#include "cli/become_check.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <iostream>

#include "cli/check.h"

namespace fwctl::cli {
namespace {

// Beside this program, as in a build, or where both are installed.
std::filesystem::path find_check() {
  std::error_code unknown;
  const auto folder = std::filesystem::read_symlink("/proc/self/exe", unknown).parent_path();
  const auto beside = folder / "fwctl-check";
  return std::filesystem::exists(beside, unknown)
             ? beside
             : folder.parent_path() / FWCTL_LIBEXEC / "fwctl-check";
}

}  // namespace

int become_check(const Arguments& arguments) {
  const std::string program = find_check();
  const std::string path = arguments.file.empty() ? std::string(default_folder) : arguments.file;
  std::cout.flush();
  if (arguments.json)
    execl(program.c_str(), "fwctl-check", "--json", path.c_str(), nullptr);
  else
    execl(program.c_str(), "fwctl-check", path.c_str(), nullptr);
  std::cerr << "fwctl: cannot run " << program << ": " << std::strerror(errno) << "\n";
  return exit_refused;
}

}  // namespace fwctl::cli
