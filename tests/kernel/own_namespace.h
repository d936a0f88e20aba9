// Tests that apply rules do it in a network namespace this process made, and nowhere else.
#pragma once

#include <string>

namespace fwctl::testing {

// Moves this process into a new, empty network namespace; as an ordinary user, into a user
// namespace first. The way back is gone. Empty on success, else why it could not.
std::string enter_new_network_namespace();

// False in the namespace we were started in and in that of process 1.
bool in_own_network_namespace();

struct CommandResult {
  int status = -1;
  std::string output;  // both streams
};

// Runs `nft ARGUMENTS` by way of the shell; ends the process with a loud message unless we are in a
// namespace of our own.
CommandResult nft(const std::string& arguments, const std::string& input = {});
// The same for any other command line.
CommandResult run(const std::string& command, const std::string& input = {});

}  // namespace fwctl::testing
