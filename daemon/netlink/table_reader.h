#pragma once

#include <cstdint>
#include <optional>

#include "daemon/netlink/socket.h"
#include "rules/nft/ruleset.h"

namespace fwctl::netlink {

// Of which sets the elements are read.
enum class Elements : std::uint8_t { all, counting };

// Table inet fwctl as of one generation, nullopt when there is none. Counts `sequence` on.
Result<std::optional<nft::Ruleset>> read_table(Socket& socket, std::uint32_t& sequence,
                                               Elements elements);

// The netlink port of the socket that alone may change table inet fwctl; nullopt: any may, or there
// is no table.
Result<std::optional<std::uint32_t>> read_owner(Socket& socket, std::uint32_t& sequence);

// The id of the whole ruleset's generation.
Result<std::uint32_t> read_generation(Socket& socket, std::uint32_t& sequence);

}  // namespace fwctl::netlink
