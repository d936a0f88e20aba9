#include <cstring>
#include <iostream>

#include "cli/arguments.h"
#include "cli/check.h"

// A program of its own, which `fwctl check` becomes: so that no other command brings along what
// reads policies, and looks up users.
int main(int argc, char** argv) {
  const bool json = argc == 3 && std::strcmp(argv[1], "--json") == 0;
  if (argc == 2 || json) return fwctl::cli::check_files(argv[argc - 1], json);
  std::cerr << "usage: fwctl-check [--json] PATH; 'fwctl check' calls it so\n";
  return fwctl::cli::exit_usage;
}
