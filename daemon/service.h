// Between the server and the firewall: finds the method a call names, asks whether the peer may
// call it, and holds parameters against the interface description before the method sees them.
// Answers org.varlink.service itself.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/authorise.h"
#include "daemon/peer.h"
#include "daemon/protocol/interface.h"
#include "daemon/protocol/message.h"
#include "daemon/stream.h"

namespace fwctl {

class Service {
 public:
  // Gets parameters of their declared types; an optional one that is null is not there.
  using Method = std::function<protocol::Reply(const Peer& peer, const protocol::Json& parameters)>;
  // By name within org.fwctl.Firewall.
  using Methods = std::map<std::string, Method, std::less<>>;
  // One that may go on behind its first reply, where the peer wants that: `more`.
  using Streaming =
      std::function<Answer(const Peer& peer, const protocol::Json& parameters, bool more)>;
  using Streams = std::map<std::string, Streaming, std::less<>>;

  // A method that is described and in neither of the two is answered with MethodNotImplemented; one
  // that is in one of them must be described.
  Service(Access access, Methods methods, Streams streams = {});

  Answer answer(const Peer& peer, const protocol::Call& call) const;

 private:
  struct Served {
    protocol::Interface interface;
    Methods methods;
    Streams streams;
  };

  const Served* find(std::string_view interface) const;

  Access access_;
  std::vector<Served> served_;
};

}  // namespace fwctl
