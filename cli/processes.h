// Which process holds a socket, as far as the caller may see: the daemon lacks the right to ask.
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace fwctl::cli {

class Processes {
 public:
  // Looks through /proc once.
  static Processes scan();

  // "nginx (812)", empty when it cannot be known.
  std::string name(std::uint64_t inode) const;

 private:
  std::map<std::uint64_t, std::string> names_;  // by the inode of a socket
};

}  // namespace fwctl::cli
