#include "rules/policy/items.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <functional>

#include "rules/ascii.h"
#include "rules/icmp.h"
#include "rules/interface.h"
#include "rules/nearest.h"
#include "rules/number.h"
#include "rules/policy/unit.h"

namespace fwctl::policy {
namespace {

constexpr std::size_t longest_name = 60;
constexpr std::size_t longest_profile = 64;
constexpr std::size_t longest_comment = 200;
constexpr std::chrono::seconds longest_lasting = std::chrono::days(366);
// They mean something else behind a verdict ("allow log ...").
constexpr std::array<std::string_view, 16> words{
    "in",      "out", "on",   "log",  "proto", "from", "to",  "port",
    "comment", "mac", "mark", "user", "group", "unit", "for", "until"};
// IFNAMSIZ - 1 of linux/if.h.

// LOGIN_NAME_MAX of limits.h, less the NUL at its end.
constexpr std::size_t longest_account = 255;
// The kernel's own "no one", (uid_t)-1, is no number of anybody.
constexpr std::uint64_t highest_account = 0xfffffffe;

// Of RFC 1035; of a whole name somewhat less, for sets are called after it.
constexpr std::size_t longest_label = 63;
constexpr std::size_t longest_host = 240;
constexpr std::string_view host_prefix = "host:";

struct Unit {
  std::string_view name;
  std::uint32_t seconds;
};
// The first of each is the one that is printed.
constexpr std::array<Unit, 10> units{{{"second", 1},
                                      {"minute", 60},
                                      {"hour", 3600},
                                      {"day", 86400},
                                      {"s", 1},
                                      {"sec", 1},
                                      {"m", 60},
                                      {"min", 60},
                                      {"h", 3600},
                                      {"d", 86400}}};
// What the kernel's limiter can count without overflow, and more than any server takes.
constexpr std::uint32_t most_counted = 1'000'000;

bool letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool digit(char c) {
  return c >= '0' && c <= '9';
}

std::string quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text.substr(0, 60)) out += static_cast<unsigned char>(c) < 0x20 ? '?' : c;
  return out + "'";
}

tl::unexpected<Problem> problem(std::string_view piece, std::string message) {
  return tl::unexpected(
      Problem{.offset = 0, .length = piece.size(), .message = std::move(message)});
}

Span span(std::size_t offset, std::size_t length) {
  return {.line = 0,
          .column = static_cast<std::uint32_t>(offset + 1),
          .length = static_cast<std::uint32_t>(length)};
}

std::string hexadecimal(std::uint32_t number) {
  std::array<char, 8> digits{};
  const char* const end =
      std::to_chars(digits.data(), digits.data() + digits.size(), number, 16).ptr;
  return "0x" + std::string(static_cast<const char*>(digits.data()), end);
}

std::optional<std::uint32_t> parse_bits(std::string_view text) {
  const bool hexadecimal = text.starts_with("0x") || text.starts_with("0X");
  if (!hexadecimal) {
    const auto number = parse_number(text, 0xffffffff);
    return number ? std::optional(static_cast<std::uint32_t>(*number)) : std::nullopt;
  }
  text.remove_prefix(2);
  std::uint32_t bits = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), bits, 16);
  if (error != std::errc() || end != text.data() + text.size()) return {};
  return bits;
}

// Calls `parse` for each piece between commas and collects what it returns.
template <typename T>
Parsed<std::vector<T>> each_piece(std::string_view text,
                                  const std::function<Parsed<T>(std::string_view, Span)>& parse) {
  std::vector<T> out;
  std::size_t begin = 0;
  while (true) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    const auto piece = text.substr(begin, end - begin);
    if (piece.empty())
      return tl::unexpected(
          Problem{.offset = begin, .length = 1, .message = "nothing between commas"});
    auto item = parse(piece, span(begin, piece.size()));
    if (!item) {
      item.error().offset += begin;
      return tl::unexpected(std::move(item.error()));
    }
    out.push_back(std::move(*item));
    if (end == text.size()) return out;
    begin = end + 1;
  }
}

Parsed<std::uint16_t> parse_port(std::string_view piece) {
  const auto number = parse_number(piece, 65535);
  if (number && *number != 0) return static_cast<std::uint16_t>(*number);
  if (piece.size() > 1 && piece[0] == '0')
    return problem(piece,
                   quoted(piece) + " has a leading zero: write ports as plain decimal numbers");
  return problem(piece, quoted(piece) + " is not a port: ports are 1 to 65535");
}

Parsed<std::variant<PortRange, ServiceName>> parse_port_or_service(std::string_view piece) {
  if (valid_service(piece) || valid_profile(piece)) return ServiceName{std::string(piece)};
  if (valid_name(piece))
    return problem(piece, quoted(piece) + " is a word of the rule language and no service");
  const std::size_t dash = piece.find_first_of("-:");
  if (dash == std::string_view::npos) {
    const auto port = parse_port(piece);
    if (!port) return tl::unexpected(port.error());
    return PortRange{*port, *port};
  }
  if (dash == 0 || dash + 1 == piece.size())
    return problem(piece, quoted(piece) + " is no range of ports: one has a port at both ends");
  const auto first = parse_port(piece.substr(0, dash));
  if (!first) return tl::unexpected(first.error());
  auto last = parse_port(piece.substr(dash + 1));
  if (!last) {
    last.error().offset += dash + 1;
    return tl::unexpected(last.error());
  }
  if (*first > *last)
    return problem(piece, "an empty range: " + quoted(piece) + " ends before it begins");
  return PortRange{*first, *last};
}

Parsed<PortItem> parse_port_item(std::string_view piece, Span at) {
  const std::size_t slash = piece.find('/');
  PortItem item{.what = {}, .protocol = {}, .at = at};
  auto what = parse_port_or_service(piece.substr(0, slash));
  if (!what) return tl::unexpected(what.error());
  item.what = *std::move(what);
  if (slash == std::string_view::npos || piece.substr(slash) == "/any") return item;
  auto protocol = parse_protocol(piece.substr(slash + 1));
  if (protocol && !protocol->has_ports())
    protocol = problem(piece.substr(slash + 1), "protocol " + protocol->text() + " has no ports");
  if (!protocol) {
    protocol.error().offset += slash + 1;
    return tl::unexpected(protocol.error());
  }
  item.protocol = *protocol;
  return item;
}

Parsed<PortItem> parse_service_name(std::string_view piece, Span at) {
  if (valid_service(piece) || valid_profile(piece))
    return PortItem{.what = ServiceName{std::string(piece)}, .protocol = {}, .at = at};
  return problem(piece, quoted(piece) + " is not the name of a service: ports stand behind 'port'");
}

Parsed<Address> parse_address(std::string_view piece) {
  const auto address = Address::parse(piece);
  if (!address) return problem(piece, quoted(piece) + " is not an IPv4 or IPv6 address");
  return *address;
}

// "24", or "255.255.255.0" for IPv4.
std::optional<int> parse_mask(std::string_view text, Family family) {
  if (const auto length = parse_number(text, family == Family::ipv4 ? 32 : 128))
    return static_cast<int>(*length);
  const auto mask = Address::parse(text);
  if (!mask || mask->family() != Family::ipv4 || family != Family::ipv4) return {};
  for (int length = 0; length <= 32; ++length) {
    std::array<std::uint8_t, 16> ones{};
    ones.fill(0xff);
    if (prefix(Address(Family::ipv4, ones), length).first == *mask) return length;
  }
  return {};
}

// "::1:2/-64".
Parsed<AddressSuffix> parse_suffix(std::string_view piece) {
  const std::size_t slash = piece.find("/-");
  const auto address = parse_address(piece.substr(0, slash));
  if (!address) return tl::unexpected(address.error());
  if (address->family() == Family::ipv4)
    return problem(piece,
                   quoted(piece) + " is of IPv4: only IPv6 addresses are known by their end");
  const auto length = parse_number(piece.substr(slash + 2), 127);
  if (length && *length != 0) return suffix(*address, static_cast<int>(*length));
  return tl::unexpected(
      Problem{.offset = slash + 1,
              .length = piece.size() - slash - 1,
              .message = quoted(piece.substr(slash + 1)) +
                         " is not the length of a suffix: -1 to -127, as in ::1:2/-64"});
}

Parsed<AddressItem> parse_address_item(std::string_view piece, Span at) {
  if (piece.front() == '!') {
    if (piece.size() == 1) return problem(piece, "'!' stands directly before an address");
    auto item = parse_address_item(piece.substr(1), at);
    if (!item) {
      ++item.error().offset;
      return item;
    }
    if (item->negated) return problem(piece, "'!' twice");
    if (std::holds_alternative<HostName>(item->what))
      return problem(piece,
                     "a host name has no '!' before it: all but a host that has no address "
                     "yet would be everyone");
    item->negated = true;
    return item;
  }
  if (piece.front() == '@') {
    const auto name = piece.substr(1);
    if (!valid_name(name)) return problem(piece, quoted(piece) + " is not the name of a set");
    return AddressItem{.what = SetName{std::string(name)}, .at = at};
  }
  if (piece.starts_with(host_prefix)) {
    auto name = lower(piece.substr(host_prefix.size()));
    if (!valid_host(name)) return problem(piece, quoted(piece) + " does not name a host");
    return AddressItem{.what = HostName{std::move(name)}, .at = at};
  }
  if (piece == "any") return problem(piece, "'any' stands alone, not in a list");
  if (piece.find("/-") != std::string_view::npos) {
    const auto suffix = parse_suffix(piece);
    if (!suffix) return tl::unexpected(suffix.error());
    return AddressItem{.what = *suffix, .at = at};
  }
  if (piece.find('.') != std::string_view::npos && valid_host(piece))
    return problem(piece, quoted(piece) + " is not an address: a host name is 'host:" +
                              std::string(piece) + "'");
  auto range = parse_address_range(piece);
  if (!range) return tl::unexpected(range.error());
  return AddressItem{.what = *range, .at = at};
}

bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

std::size_t end_of_word(std::string_view text, std::size_t at) {
  while (at < text.size() && !is_blank(text[at])) ++at;
  return at;
}

// Also as a prefix or a range that has no other.
std::optional<Address> one_address(std::string_view text) {
  if (auto address = Address::parse(text)) return address;
  const auto range = parse_address_range(text);
  return range && range->first == range->last ? std::optional(range->first) : std::nullopt;
}

// nullopt: why_no_pair().
std::optional<AddressPort> pair_of(std::string_view where, std::string_view behind) {
  const std::size_t slash = behind.find('/');
  if (slash == std::string_view::npos) return {};
  const auto port = parse_number(behind.substr(0, slash), 65535);
  const auto protocol = Protocol::parse(behind.substr(slash + 1));
  if (!port || *port == 0 || !protocol || !protocol->has_ports()) return {};
  const auto address = one_address(where);
  if (!address) return {};
  return AddressPort{
      .address = *address, .protocol = *protocol, .port = static_cast<std::uint16_t>(*port)};
}

// What is wrong with what stands behind an address.
Problem why_no_port(std::string_view piece) {
  const auto all_digits = [](std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), digit);
  };
  const std::size_t slash = std::min(piece.find('/'), piece.size());
  const auto number = piece.substr(0, slash);
  const std::size_t dash = std::min(number.find_first_of("-:"), number.size());
  const bool is_range = dash != number.size() && all_digits(number.substr(0, dash)) &&
                        all_digits(number.substr(dash + 1));
  if (is_range)
    return {.length = piece.size(),
            .message = quoted(piece) +
                       " is a range of ports: an entry has one port; for a range write a rule of "
                       "its own"};
  if (!all_digits(number))
    return {.length = piece.size(),
            .message = quoted(piece) +
                       " is neither a port as 5432/tcp nor a comment, which begins with '#'"};
  if (auto port = parse_port(number); !port) return std::move(port.error());
  if (slash == piece.size())
    return {.length = piece.size(),
            .message = quoted(piece) + " says no protocol: write " + std::string(piece) +
                       "/tcp, and a second entry for another protocol"};
  const auto name = piece.substr(slash + 1);
  const auto protocol = parse_protocol(name);
  return {.offset = slash + 1,
          .length = name.size(),
          .message = protocol ? "protocol " + protocol->text() + " has no ports"
                              : protocol.error().message};
}

// Of an entry with an address that ends at `blank` and what begins at `second`.
Problem why_no_pair(std::string_view text, std::size_t blank, std::size_t second) {
  const auto where = text.substr(0, blank);
  const auto behind = text.substr(second);
  const bool like_addresses =  // two of them in one entry
      behind.find('.') != std::string_view::npos || std::ranges::count(behind, ':') > 1;
  if (end_of_word(behind, 0) != behind.size() || like_addresses)
    return {.offset = second,
            .length = behind.size(),
            .message =
                "one address, prefix or range is an entry, or one address and a port as "
                "5432/tcp"};
  if (one_address(where)) {
    auto problem = why_no_port(behind);
    problem.offset += second;
    return problem;
  }
  if (parse_address_range(where))
    return {.length = where.size(),
            .message = quoted(where) +
                       " is more than one address: an entry with a port has one; for a prefix or a "
                       "range write a rule of its own"};
  return std::move(parse_address(where).error());
}

bool valid_account(std::string_view name) {
  const auto part = [](char c) {
    return letter(c) || digit(c) || std::string_view("_-.@").find(c) != std::string_view::npos;
  };
  if (name.ends_with('$')) name.remove_suffix(1);  // a machine's, of Samba
  return !name.empty() && name.size() <= longest_account && (letter(name[0]) || name[0] == '_') &&
         std::all_of(name.begin(), name.end(), part);
}

Parsed<std::string> parse_interface(std::string_view piece, Span /*at*/) {
  const bool pattern = piece.ends_with('*') || piece.ends_with('+');
  if (piece.size() - (pattern ? 1 : 0) > longest_interface)
    return problem(piece, "interface names have at most 15 characters");
  if (piece.ends_with('?') && piece.size() != longest_interface)
    return problem(piece,
                   "question marks at the end fill a name up to 15 characters, as in "
                   "br-????????????: shorter names cannot be told by their length");
  const auto name = pattern ? piece.substr(0, piece.size() - 1) : stem(piece);
  if (name.empty()) return problem(piece, "a pattern needs at least one character before the *");
  const bool valid =
      name != "." && name != ".." && std::all_of(name.begin(), name.end(), [](char c) {
        return letter(c) || digit(c) ||
               std::string_view("_.+,=%@-").find(c) != std::string_view::npos;
      });
  if (!valid) return problem(piece, quoted(piece) + " is not an interface name");
  if (name == "any" && !pattern)
    return problem(piece, "no interface is called any: leave the interface out instead");
  return pattern ? std::string(name) + "*" : std::string(piece);
}

}  // namespace

bool valid_name(std::string_view name) {
  return !name.empty() && name.size() <= longest_name && letter(name[0]) && name != "any" &&
         std::all_of(name.begin(), name.end(),
                     [](char c) { return letter(c) || digit(c) || c == '-' || c == '_'; });
}

bool valid_service(std::string_view name) {
  return valid_name(name) && std::find(words.begin(), words.end(), name) == words.end();
}

bool valid_profile(std::string_view name) {
  const auto part = [](char c) {
    return letter(c) || digit(c) || std::string_view(" _.+-").find(c) != std::string_view::npos;
  };
  return !name.empty() && name.size() <= longest_profile && (letter(name[0]) || digit(name[0])) &&
         name.back() != ' ' && std::all_of(name.begin(), name.end(), part) &&
         std::any_of(name.begin(), name.end(), letter) && name != "any" && name != "all" &&
         std::find(words.begin(), words.end(), name) == words.end();
}

bool valid_host(std::string_view name) {
  if (name.empty() || name.size() > longest_host) return false;
  std::string_view label;
  while (true) {
    const std::size_t end = std::min(name.find('.'), name.size());
    label = name.substr(0, end);
    const bool valid = !label.empty() && label.size() <= longest_label && label.front() != '-' &&
                       label.back() != '-' && std::all_of(label.begin(), label.end(), [](char c) {
                         return letter(c) || digit(c) || c == '-';
                       });
    if (!valid) return false;
    if (end == name.size()) break;
    name.remove_prefix(end + 1);
  }
  return !std::all_of(label.begin(), label.end(), digit);
}

bool one_line(std::string_view text) {
  return std::none_of(text.begin(), text.end(),
                      [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

std::optional<std::string_view> not_a_comment(std::string_view text) {
  if (!one_line(text)) return "a comment is one line of text";
  if (text.size() > longest_comment) return "a comment has at most 200 bytes";
  return {};
}

Parsed<std::vector<PortItem>> parse_ports(std::string_view text) {
  if (text == "any") return std::vector<PortItem>{};
  auto items = each_piece<PortItem>(text, parse_port_item);
  // "80,443/tcp": the protocol at the end is everyone's who says none ("/any" says one).
  const auto says_none = [&](const PortItem& item) {
    return text.substr(item.at.column - 1, item.at.length).find('/') == std::string_view::npos;
  };
  if (items)
    for (auto& item : *items)
      if (says_none(item)) item.protocol = items->back().protocol;
  return items;
}

Parsed<std::vector<PortItem>> parse_service_names(std::string_view text) {
  return each_piece<PortItem>(text, parse_service_name);
}

Parsed<AddressRange> parse_address_range(std::string_view piece) {
  if (piece.find("/-") != std::string_view::npos)
    return problem(piece, quoted(piece) +
                              " is the end of addresses, which no set can hold: write "
                              "it in the rule");
  const std::size_t dash = piece.find('-');
  if (dash != std::string_view::npos) {
    const auto first = parse_address(piece.substr(0, dash));
    if (!first) return tl::unexpected(first.error());
    auto last = parse_address(piece.substr(dash + 1));
    if (!last) {
      last.error().offset += dash + 1;
      return tl::unexpected(last.error());
    }
    if (first->family() != last->family())
      return problem(piece, "a range of addresses has one family");
    if (*last < *first)
      return problem(piece, "an empty range: " + quoted(piece) + " ends before it begins");
    return AddressRange{*first, *last};
  }
  const std::size_t slash = piece.find('/');
  const auto address = parse_address(piece.substr(0, slash));
  if (!address) return tl::unexpected(address.error());
  if (slash == std::string_view::npos) return AddressRange{*address, *address};
  const auto mask = piece.substr(slash + 1);
  const auto length = parse_mask(mask, address->family());
  if (length) return prefix(*address, *length);
  return tl::unexpected(
      Problem{.offset = slash + 1,
              .length = std::max<std::size_t>(mask.size(), 1),
              .message = quoted(mask) + " is not a prefix length: " +
                         (address->family() == Family::ipv4 ? "0 to 32" : "0 to 128")});
}

Parsed<SetEntry> parse_set_entry(std::string_view text) {
  const std::size_t blank = end_of_word(text, 0);
  if (std::ranges::all_of(text.substr(blank), is_blank)) {
    auto range = parse_address_range(text);
    if (range) return *range;
    return tl::unexpected(std::move(range.error()));
  }
  std::size_t second = blank;
  while (is_blank(text[second])) ++second;  // something stands there
  if (const auto pair = pair_of(text.substr(0, blank), text.substr(second))) return *pair;
  return tl::unexpected(why_no_pair(text, blank, second));
}

std::string other_kind(const SetEntry& entry) {
  const auto* pair = std::get_if<AddressPort>(&entry);
  const std::string what = pair != nullptr ? pair->text() : std::get<AddressRange>(entry).text();
  return quoted(what) +
         (pair != nullptr ? " has a port, and the entries before it have none"
                          : " has no port, and the entries before it have one") +
         ": a set is of one kind";
}

Parsed<std::vector<AddressItem>> parse_addresses(std::string_view text) {
  if (text == "any" || text == "ANY") return std::vector<AddressItem>{};
  return each_piece<AddressItem>(text, parse_address_item);
}

Parsed<std::vector<std::string>> parse_interfaces(std::string_view text) {
  return each_piece<std::string>(text, parse_interface);
}

Parsed<std::vector<MacAddress>> parse_macs(std::string_view text) {
  return each_piece<MacAddress>(
      text, [](std::string_view piece, Span /*at*/) -> Parsed<MacAddress> {
        if (const auto mac = MacAddress::parse(piece)) return *mac;
        return problem(piece, quoted(piece) + " is not a MAC address: one is '00:16:3e:aa:bb:cc'");
      });
}

Parsed<Mark> parse_mark(std::string_view text) {
  const std::size_t slash = text.find('/');
  const auto value = parse_bits(text.substr(0, slash));
  const auto mask = slash == std::string_view::npos ? std::uint32_t{0xffffffff}
                                                    : parse_bits(text.substr(slash + 1));
  if (!value || !mask)
    return problem(text, quoted(text) + " is not a mark: one is '0x1', or with a mask '0x1/0xff'");
  if (*mask == 0) return problem(text, "a mask without bits says nothing of a packet");
  if ((*value & ~*mask) != 0)
    return problem(text, "the mark has bits that its mask leaves out: no packet can match");
  return Mark{.value = *value, .mask = *mask};
}

Parsed<std::vector<Account>> parse_accounts(std::string_view text) {
  return each_piece<Account>(text, [](std::string_view piece, Span at) -> Parsed<Account> {
    if (const auto number = parse_number(piece, highest_account))
      return Account{.what = static_cast<std::uint32_t>(*number), .at = at};
    if (valid_account(piece)) return Account{.what = std::string(piece), .at = at};
    return problem(piece, quoted(piece) + " is not a name or number of a user or group");
  });
}

Parsed<std::vector<std::string>> parse_units(std::string_view text) {
  return each_piece<std::string>(text,
                                 [](std::string_view piece, Span /*at*/) -> Parsed<std::string> {
                                   auto name = unit_name(piece);
                                   if (!name) return problem(piece, std::move(name.error()));
                                   return *std::move(name);
                                 });
}

Parsed<Protocol> parse_protocol(std::string_view text) {
  if (const auto protocol = Protocol::parse(text)) return *protocol;
  return problem(text, quoted(text) + " is not a protocol: tcp, udp, icmp, ... or a number to 255");
}

Parsed<std::vector<std::uint8_t>> parse_icmp_types(Protocol protocol, std::string_view text) {
  const auto family = protocol == icmp ? Family::ipv4 : Family::ipv6;
  return each_piece<std::uint8_t>(
      text, [&](std::string_view piece, Span /*at*/) -> Parsed<std::uint8_t> {
        if (const auto type = parse_icmp_type(family, piece)) return *type;
        return problem(piece, quoted(piece) + " is not a type of " + protocol.text() +
                                  suggestion(piece, icmp_type_names(family)));
      });
}

Parsed<Rate> parse_rate(std::string_view text, Rate rate) {
  const std::size_t slash = text.find('/');
  const auto count = parse_number(text.substr(0, slash), most_counted);
  if (!count || *count == 0 || slash == std::string_view::npos)
    return problem(text, quoted(text) + " is not a rate: one is '10/minute'");
  const auto unit = text.substr(slash + 1);
  const auto* const found =
      std::find_if(units.begin(), units.end(), [&](const Unit& one) { return one.name == unit; });
  if (found == units.end())
    return tl::unexpected(Problem{.offset = slash + 1,
                                  .length = std::max<std::size_t>(unit.size(), 1),
                                  .message = quoted(unit) + " is not second, minute, hour or day"});
  rate.count = static_cast<std::uint32_t>(*count);
  rate.seconds = found->seconds;
  return rate;
}

Parsed<std::uint32_t> parse_burst(std::string_view text) {
  const auto burst = parse_number(text, most_counted);
  if (burst && *burst != 0) return static_cast<std::uint32_t>(*burst);
  return problem(text, quoted(text) + " is not a number of connections: 1 to 1000000");
}

std::string text(const Account& account) {
  if (const auto* number = std::get_if<std::uint32_t>(&account.what))
    return std::to_string(*number);
  return std::get<std::string>(account.what);
}

Parsed<std::chrono::seconds> parse_lasting(std::string_view text) {
  const auto span = parse_span(text);
  if (!span)
    return problem(text,
                   quoted(text) +
                       " is not how long something lasts: '2h', '45m', '1h30m', of w, d, h, m "
                       "and s, larger units first");
  if (span->count() == 0) return problem(text, "that is nothing: it lasts at least a second");
  if (*span > longest_lasting)
    return problem(text, "what is temporary lasts at most 366 days: leave 'for' out, and it stays");
  return *span;
}

Parsed<Time> parse_until(std::string_view text) {
  if (const auto time = parse_time(text)) return *time;
  return problem(text, quoted(text) + " is not a time in UTC: one is '2026-11-22T18:00:00Z'");
}

std::string text(const Mark& mark) {
  const bool whole = mark.mask == Mark{}.mask;
  return hexadecimal(mark.value) + (whole ? "" : "/" + hexadecimal(mark.mask));
}

std::string text(const Rate& rate) {
  const auto* const unit = std::find_if(
      units.begin(), units.end(), [&](const Unit& one) { return one.seconds == rate.seconds; });
  return std::to_string(rate.count) + "/" + std::string(unit->name);
}

std::string text(const PortItem& item) {
  std::string out;
  if (const auto* range = std::get_if<PortRange>(&item.what))
    out = range->text();
  else
    out = std::get<ServiceName>(item.what).name;
  if (item.protocol) out += "/" + item.protocol->text();
  return out;
}

std::string text(const AddressItem& item) {
  const std::string sign = item.negated ? "!" : "";
  if (const auto* range = std::get_if<AddressRange>(&item.what)) return sign + range->text();
  if (const auto* suffix = std::get_if<AddressSuffix>(&item.what)) return sign + suffix->text();
  if (const auto* set = std::get_if<SetName>(&item.what)) return sign + "@" + set->name;
  return std::string(host_prefix) + std::get<HostName>(item.what).name;
}

std::optional<Disagreement> mixed_negation(const std::vector<AddressItem>& items) {
  for (const auto& item : items)
    if (item.negated != items.front().negated)
      return Disagreement{.at = item.at,
                          .message = "in one list all addresses have a ! before them or none has"};
  return {};
}

std::optional<Disagreement> settle_protocol(Rule& rule) {
  if (!rule.protocol || (rule.ports.empty() && rule.from_ports.empty())) return {};
  const Protocol protocol = *rule.protocol;
  const auto settle = [&](std::vector<PortItem>& items) -> std::optional<Disagreement> {
    for (auto& item : items) {
      if (!protocol.has_ports())
        return Disagreement{.at = item.at,
                            .message = "protocol " + protocol.text() + " has no ports"};
      if (item.protocol && *item.protocol != protocol)
        return Disagreement{
            .at = item.at,
            .message = "'" + text(item) + "' disagrees with protocol " + protocol.text()};
      item.protocol = protocol;
    }
    return {};
  };
  if (auto found = settle(rule.ports)) return found;
  if (auto found = settle(rule.from_ports)) return found;
  rule.protocol.reset();
  return {};
}

}  // namespace fwctl::policy
