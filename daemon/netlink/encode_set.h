#pragma once

#include <functional>

#include "daemon/netlink/message.h"
#include "rules/nft/ruleset.h"

namespace fwctl::netlink {

// The attributes of NEWSET, but for the table. `id` is any number not used for another set in the
// batch.
void put_set_definition(MessageWriter& out, const nft::Set& set, std::uint32_t id);

enum class Purpose : std::uint8_t { add, remove };

// About how many bytes the set's elements take there.
std::size_t size_of_elements(const nft::Set& set);

// The set's elements, in as many messages as they need: `begin` starts each.
void put_elements(MessageWriter& out, const nft::Set& set, Purpose purpose,
                  const std::function<void()>& begin);

}  // namespace fwctl::netlink
