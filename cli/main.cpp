#include "cli/arguments.h"
#include "cli/commands.h"

int main(int argc, char** argv) {
  int exit_code = 0;
  const auto arguments = fwctl::cli::parse_arguments(argc, argv, exit_code);
  return arguments ? fwctl::cli::run(*arguments) : exit_code;
}
