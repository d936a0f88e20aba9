// Which live packets the kernel is to report on, and what they found in the maps they met.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "rules/nft/ruleset.h"
#include "rules/packet_headers.h"
#include "rules/question.h"

namespace fwctl {

// What the names of chains that mark packets begin with; nothing else's does.
constexpr std::string_view trace_prefix = "trace-";

// Marks the packets of `asked` (parse_open_question() has made it), a base chain that judges
// nothing. What comes in and what goes out is marked before anything else sees it but the
// reassembly of fragments; what is routed, where the rules for it judge, so that the outgoing
// interface and the translated destination are known. Without `connections`, of TCP only the
// packets that begin one. No more than some packets a second, of each kind asked about.
nft::Chain trace_chain(std::string name, const std::vector<Asked>& asked, bool connections);

struct TracedPacket {
  PacketHeaders sent;     // as it came, before its destination was translated
  PacketHeaders headers;  // as it is now
  std::string in;         // interfaces, where there is one
  std::string out;
};

// The element of `map` that the packet finds when it is asked for `key`; null when there is none,
// or when the key has what is not known of the packet.
const nft::Element* find_element(const nft::Set& map, const std::vector<nft::Field>& key,
                                 const TracedPacket& packet);

}  // namespace fwctl
