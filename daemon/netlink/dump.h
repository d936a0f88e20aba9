// Questions to other parts of the kernel than nftables: a request with one fixed body, answered by
// a dump or by one message.
#pragma once

#include <cerrno>
#include <cstdint>
#include <string>

#include "daemon/netlink/socket.h"

namespace fwctl::netlink {

template <typename Body>
std::string question(std::uint16_t type, std::uint16_t flags, const Body& body,
                     std::uint32_t sequence) {
  struct {
    nlmsghdr header;
    Body body;
  } message{};
  message.header.nlmsg_len = NLMSG_LENGTH(sizeof(Body));
  message.header.nlmsg_type = type;
  message.header.nlmsg_flags = flags;
  message.header.nlmsg_seq = sequence;
  message.body = body;
  return {reinterpret_cast<const char*>(&message), sizeof(message)};
}

// Hands every message of the answer to `visit`, a Result<void>(const nlmsghdr&). What comes and
// goes while the kernel answers (EINTR) does not matter: whoever asks here is told of it otherwise,
// or knows no better list.
template <typename Body, typename Visit>
Result<void> dump(Socket& socket, std::uint16_t type, const Body& body, std::uint32_t sequence,
                  Visit visit) {
  auto dumped =
      socket.dump(question(type, NLM_F_REQUEST | NLM_F_DUMP, body, sequence), sequence, visit);
  if (!dumped && dumped.error().code == EINTR) return {};
  return dumped;
}

// The same for an answer of one message.
template <typename Body, typename Visit>
Result<void> ask(Socket& socket, std::uint16_t type, const Body& body, std::uint32_t sequence,
                 Visit visit) {
  return socket.dump(question(type, NLM_F_REQUEST, body, sequence), sequence, visit);
}

}  // namespace fwctl::netlink
