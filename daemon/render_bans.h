// Bans as JSON, for replies.
#pragma once

#include <optional>
#include <vector>

#include "daemon/firewall.h"
#include "daemon/protocol/message.h"
#include "rules/question.h"

namespace fwctl {

// All bans, or those that have all of `range`, by address.
protocol::Reply bans_reply(Firewall& firewall, const std::optional<AddressRange>& range);

// What bans decide of new connections of these kinds, as entries of Access: nothing; one entry that
// is all there is to say; or one before the others.
struct BanAccess {
  std::optional<protocol::Json> entry;
  bool all = false;  // of the packets
};
BanAccess ban_access(const std::vector<Asked>& packets, const Firewall& firewall);

}  // namespace fwctl
