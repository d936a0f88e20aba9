// Values of one field as nft prints and reads them.
#pragma once

#include <string>
#include <string_view>

#include "rules/nft/ruleset.h"

namespace fwctl::nft {

// Shorter than the field: an interface pattern or the leading bytes of an address.
std::string value_text(Field field, std::string_view value);

// Both ends included: a prefix or pattern where it is one, else "low-high" with numbers for names:
// nft reads "tcp-udp" as one word. Bits are a number, since in a set a comma ends the element.
std::string range_text(Field field, std::string_view low, std::string_view high);

// "10.0.0.0/8", or "& MASK == VALUE" with its own spaces when the mask is no prefix.
std::string masked_text(Field field, bool negated, std::string_view value, std::string_view mask);

// "inet_service"; what `type` in a set takes.
std::string_view type_name(Field field);

// Names of protocols that have a `dport` or `sport` of their own in the language; empty for others.
std::string_view transport_name(std::uint8_t protocol);

}  // namespace fwctl::nft
