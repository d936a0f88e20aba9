// Who is at the other end of a Unix socket, as the kernel says.
#pragma once

#include <sys/types.h>

#include <vector>

#include "daemon/result.h"

namespace fwctl {

// As it was when the peer connected.
struct Peer {
  uid_t uid = 0;
  gid_t gid = 0;
  pid_t pid = 0;
  std::vector<gid_t> groups;  // supplementary
};

// SO_PEERCRED and SO_PEERGROUPS.
Result<Peer> peer_of(int socket);

}  // namespace fwctl
