// A Packet of rules/evaluate.h as the bytes of an IP packet, and back: which packet is this that
// the kernel shows, or answers?
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rules/evaluate.h"

namespace fwctl::testing {

// `id` (not 0) is carried where the kernel hands it on: IPv4's identification or IPv6's flow label,
// and in what a TCP reset repeats. `route` is the DSCP, below 64. Whole, with right checksums, and
// such as connection tracking takes for `packet.state`, as far as one packet can be.
std::string bytes_of(const Packet& packet, std::uint16_t id, std::uint8_t route = 0);

// Whether the network hands this packet over in pieces: always the same of one packet. Only what
// comes from outside is asked about.
bool comes_in_fragments(const Packet& packet);
// The same IP packet in two fragments, of which the first has the ports.
std::vector<std::string> fragments_of(const std::string& bytes);

// What must pass first so that connection tracking finds `packet.state`; nullopt where nothing must
// or nothing would help. Has id 0.
std::optional<std::string> opener_of(const Packet& packet);

// The id of a packet; of anything else, any number. 0 when it is none.
std::uint16_t id_of(std::string_view bytes);
// What connection tracking knows of it in any case; of protocols that it has no idea of, all.
std::string ends_of(std::string_view bytes);
// Same id, addresses and protocol.
bool same_packet(std::string_view a, std::string_view b);

// The same but for where it goes: another destination may have taken the place of its own.
bool same_origin(std::string_view a, std::string_view b);
Address source_in(std::string_view bytes);
// Of an IP packet. The port is 0 where the protocol, which is `of`'s, has none.
Endpoint destination_in(std::string_view bytes, Protocol of);

// The id of the packet that this TCP reset or ICMP "port unreachable" refuses.
struct Answer {
  bool reset = false;  // else ICMP
  std::uint16_t id = 0;
};
std::optional<Answer> answer_in(std::string_view bytes);

// For people: "incoming on eth0, tcp 10.0.0.1 port 1024 to 10.0.0.2 port 22, new".
std::string in_words(const Packet& packet);

}  // namespace fwctl::testing
