// Where the person sits who runs this program.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace fwctl::cli {

// As the sshd of this host says it (SSH_CONNECTION). IPv6 addresses may have a zone.
struct SshConnection {
  std::string from;
  std::int64_t from_port = 0;
  std::string to;
  std::int64_t to_port = 0;
  bool operator==(const SshConnection&) const = default;
};

// `quick`: at most what the environment says where no ancestor is an sshd. `thorough`: then every
// process of the host is looked at, some milliseconds.
enum class Search : std::uint8_t { quick, thorough };

// The SSH connection that this program was started over, directly or through sudo, su and the like.
// A terminal multiplexer and a detached job have no sshd among their ancestors, and what they have
// in their environment may be long over: then all connections by which the person may be here now,
// which in a multiplexer are those at which one of its clients runs. None on a console of this
// host, in cron and in a service.
std::vector<SshConnection> ssh_connections(Search search);

}  // namespace fwctl::cli
