// The smallest words of the language, the same in YAML and on the command line: ports, addresses,
// interfaces and names.
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "rules/policy/model.h"

namespace fwctl::policy {

// What is wrong within a text that was handed in; the caller knows where that text stands.
struct Problem {
  std::size_t offset = 0;
  std::size_t length = 1;
  std::string message;
};

template <typename T>
using Parsed = tl::expected<T, Problem>;

// One or more separated by commas; a protocol behind the last applies to those without one
// ("80,443/tcp"). "any" alone is the empty list. The items' spans have line 0 and count columns
// from 1 within `text`.
Parsed<std::vector<PortItem>> parse_ports(std::string_view text);
// The same of nothing but names: what stands behind "app".
Parsed<std::vector<PortItem>> parse_service_names(std::string_view text);
Parsed<std::vector<AddressItem>> parse_addresses(std::string_view text);
// One address, prefix or range, as sets hold them; not a suffix.
Parsed<AddressRange> parse_address_range(std::string_view piece);
// Such a one, or a pair ("203.0.113.5 5432/tcp"); neither begins or ends with a blank.
using SetEntry = std::variant<AddressRange, AddressPort>;
Parsed<SetEntry> parse_set_entry(std::string_view text);
// What is said of an entry of the other kind than those before it.
std::string other_kind(const SetEntry& entry);
// Names of at most 15 characters, or patterns ending in * (or in +, as iptables writes them).
Parsed<std::vector<std::string>> parse_interfaces(std::string_view text);
// Of Ethernet: "00:16:3e:aa:bb:cc".
Parsed<std::vector<MacAddress>> parse_macs(std::string_view text);
// "0x1" or "0x1/0xff", each also as a decimal number.
Parsed<Mark> parse_mark(std::string_view text);
// Users or groups, each a number or a name as useradd(8) takes them, also with dots and an @.
Parsed<std::vector<Account>> parse_accounts(std::string_view text);
// Whole names of units of systemd; a name without a type is a service's (unit.h).
Parsed<std::vector<std::string>> parse_units(std::string_view text);
Parsed<Protocol> parse_protocol(std::string_view text);
// Names and numbers of `protocol`, which is icmp or icmpv6.
Parsed<std::vector<std::uint8_t>> parse_icmp_types(Protocol protocol, std::string_view text);
// "10/min": s, sec, second, m, min, minute, h, hour, d, day. Leaves `burst` alone.
Parsed<Rate> parse_rate(std::string_view text, Rate rate);
Parsed<std::uint32_t> parse_burst(std::string_view text);

// How long a rule lasts, "2h" or "1h30m": from a second to 366 days.
Parsed<std::chrono::seconds> parse_lasting(std::string_view text);
// When it ends: "2026-11-22T18:00:00Z".
Parsed<Time> parse_until(std::string_view text);

// Names of sets and services: a letter, then letters, digits, - or _, at most 60 characters.
bool valid_name(std::string_view name);
// A service is also none of the words that mean something else behind a verdict ("allow log ...").
bool valid_service(std::string_view name);

// Names of application profiles, as ufw has them: a letter or digit, then also blanks and any of
// _.+-, at most 64 characters, none at the end a blank; with a letter, so that none is a port or an
// address, and none of the words above.
bool valid_profile(std::string_view name);

// Of DNS: labels of letters, digits and - with dots between, the last not a number.
bool valid_host(std::string_view name);

// No control characters.
bool one_line(std::string_view text);
// Why it cannot be a comment, which is one line of at most 200 bytes; nullopt: it can.
std::optional<std::string_view> not_a_comment(std::string_view text);

std::string text(const PortItem& item);
std::string text(const AddressItem& item);
std::string text(const Account& account);
// "0x1", "0x1/0xff".
std::string text(const Mark& mark);
// "10/minute"; without the burst.
std::string text(const Rate& rate);

// Items that do not go together, each right in itself; the place is that of one of them.
struct Disagreement {
  Span at;
  std::string message;
};

// Of a list in which some items are negated and some are not.
std::optional<Disagreement> mixed_negation(const std::vector<AddressItem>& items);

// Moves a rule's protocol into its port items where it has some, as every reader of a rule does at
// its end: "proto tcp ... port 22" and "22/tcp" are one rule.
std::optional<Disagreement> settle_protocol(Rule& rule);

}  // namespace fwctl::policy
