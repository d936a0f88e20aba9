// Types of ICMP and ICMPv6 messages and their names, as nftables spells them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rules/address.h"

namespace fwctl {

// A name of that family's protocol, or a number 0 to 255.
std::optional<std::uint8_t> parse_icmp_type(Family family, std::string_view text);
// The name where there is one, else the number.
std::string icmp_type_text(Family family, std::uint8_t type);
std::vector<std::string_view> icmp_type_names(Family family);

}  // namespace fwctl
