#include "daemon/peer.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstddef>

namespace fwctl {

Result<Peer> peer_of(int socket) {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size) < 0)
    return failed("ask for the credentials of", "the peer");
  Peer peer{credentials.uid, credentials.gid, credentials.pid, {}};

  // Says ERANGE and the size it needs until there is room.
  socklen_t bytes = 0;
  while (getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, peer.groups.data(), &bytes) < 0) {
    if (errno != ERANGE) return failed("ask for the groups of", "the peer");
    peer.groups.resize((bytes + sizeof(gid_t) - 1) / sizeof(gid_t));
  }
  peer.groups.resize(bytes / sizeof(gid_t));
  return peer;
}

}  // namespace fwctl
