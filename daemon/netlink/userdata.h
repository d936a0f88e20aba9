// What nft keeps beside objects for people to read: type, length, value. The kernel stores it and
// never looks, so a length may point anywhere; libnftnl 1.2.4 follows it (nftnl_udata_parse), and
// this does not.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace fwctl::netlink::userdata {

// Types in rules, chains and elements.
constexpr std::uint8_t comment = 0;
constexpr std::uint8_t element_flags = 1;
// Types in sets.
constexpr std::uint8_t key_byteorder = 0;
constexpr std::uint8_t key_fields = 200;  // our own, beyond those nft uses: see key_name()

constexpr std::uint32_t open_interval = 1;  // of element_flags: ends at the highest value
constexpr std::size_t limit = 256;          // bytes on one object

void append(std::string& data, std::uint8_t type, std::string_view value);
void append_text(std::string& data, std::uint8_t type, std::string_view text);
void append_number(std::string& data, std::uint8_t type, std::uint32_t value);

std::optional<std::string_view> find(std::string_view data, std::uint8_t type);
// Without the NUL; empty when there is none.
std::string text(std::string_view data, std::uint8_t type);

}  // namespace fwctl::netlink::userdata
