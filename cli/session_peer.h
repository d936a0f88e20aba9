// Where the person sits who runs this program.
#pragma once

#include <string>

namespace fwctl::cli {

// The address of the other end of the SSH connection that this program, or a program that started
// it, was started in: as SSH_CONNECTION says there, since sudo does not hand it on. Empty where
// there is none, or it cannot be read. It may be stale, in tmux for example.
std::string session_peer();

}  // namespace fwctl::cli
