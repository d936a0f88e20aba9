#pragma once

#include "daemon/netlink/message.h"
#include "rules/nft/ruleset.h"

namespace fwctl::netlink {

// The expressions of one statement, as elements of a list that is open.
void put_statement(MessageWriter& out, const nft::Statement& statement);

// One counter, named and with its figures, inside whatever nest is open.
void put_counter(MessageWriter& out, const nft::Counter& counter);

// Inside the nest of a data attribute.
void put_verdict(MessageWriter& out, const nft::Verdict& verdict);

}  // namespace fwctl::netlink
