// The firewall's values as the JSON that org.fwctl.Firewall describes.
#pragma once

#include "daemon/firewall.h"
#include "daemon/protocol/message.h"
#include "daemon/sockets.h"
#include "rules/question.h"

namespace fwctl {

protocol::Json to_json(const Outcome& outcome);
// The rule, forward or masquerade whose id the kernel said, as the members of Access that say which
// it is; only `rule` of one that is no longer in force.
protocol::Json rule_members(const Firewall& firewall, const std::string& id);
// The error reply for a change that did not happen.
protocol::Reply to_reply(const Failure& failure);
// Parameters of Status.
protocol::Json status_json(Firewall& firewall);
// A socket and who can reach it under the policy; everyone while the firewall is not in force.
protocol::Json to_json(const ListeningSocket& socket, const Firewall& firewall);
// Ports of this host that forwards send on, and who can reach them; none while the firewall is not
// in force.
protocol::Json forwarded_ports_json(const Firewall& firewall);
// What the policy does with each of `asked`, in force or not, and why. Takes at least one.
protocol::Reply explain_reply(const std::vector<Asked>& asked, const Firewall& firewall);
protocol::Reply invalid_question(const Diagnostics& diagnostics);

}  // namespace fwctl
