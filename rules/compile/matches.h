// Matches of single fields, as every chain of ours writes them.
#pragma once

#include <vector>

#include "rules/address.h"
#include "rules/mac.h"
#include "rules/nft/ruleset.h"
#include "rules/port.h"

namespace fwctl::compile {

// The leading `length` bits of so many bytes.
nft::Bytes mask_bytes(std::size_t size, int length);

void match_family(std::vector<nft::Statement>& out, Family family);
void match_protocol(std::vector<nft::Statement>& out, Protocol protocol);
// Nothing where it is all ports.
void match_ports(std::vector<nft::Statement>& out, nft::Field field, PortRange ports);
// Of the field's family.
void match_range(std::vector<nft::Statement>& out, nft::Field field, const AddressRange& range);
// Without Ethernet there may be anything where its source would stand.
void match_mac(std::vector<nft::Statement>& out, const MacAddress& mac);

}  // namespace fwctl::compile
