// What the kernel holds, as values: the objects of one nftables table, one to one with what is sent
// over netlink. Whoever encodes or prints these decides nothing.
#pragma once

#include <cassert>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "rules/intervals.h"
#include "rules/moment.h"

namespace fwctl::nft {

// A key or operand exactly as the kernel compares it: packet fields in network order, meta and ct
// fields in host order, interface names padded with NUL to 16 bytes (a pattern "wg*" is not padded:
// it is compared as the prefix "wg").
using Bytes = std::string;

enum class Field : std::uint8_t {
  iif,           // meta iif, interface index, 4 bytes, host order
  iifname,       // meta iifname, 16 bytes
  oif,           // meta oif, interface index, 4 bytes, host order
  oifname,       // meta oifname, 16 bytes
  nfproto,       // meta nfproto, 1 byte: 2 IPv4, 10 IPv6
  l4proto,       // meta l4proto, 1 byte
  mark,          // meta mark, 4 bytes, host order
  ct_state,      // ct state, bit mask, 4 bytes, host order
  ip_saddr,      // network header + 12, 4 bytes
  ip_daddr,      // network header + 16, 4 bytes
  ip6_saddr,     // network header + 8, 16 bytes
  ip6_daddr,     // network header + 24, 16 bytes
  ip6_hoplimit,  // network header + 7, 1 byte
  th_sport,      // transport header + 0, 2 bytes
  th_dport,      // transport header + 2, 2 bytes
  icmp_type,     // transport header + 0, 1 byte, of ICMP
  icmpv6_type,   // transport header + 0, 1 byte, of ICMPv6
  iiftype,       // meta iiftype, the kind of the link, 2 bytes, host order
  ether_saddr,   // link-layer header + 6, 6 bytes; meaningful where iiftype is Ethernet
  skuid,         // meta skuid, user of the sending socket, 4 bytes, host order
  skgid,         // meta skgid, 4 bytes, host order
  ct_status,     // ct status, bit mask, 4 bytes, host order
  // Of the connection's first packet, as it was before any translation. nft reads the port only
  // after a match of one l4proto, and not concatenated with it.
  ct_original_dport,   // 2 bytes, network order
  ct_original_daddr4,  // 4 bytes, network order
  ct_original_daddr6,  // 16 bytes, network order
  daddr_type,          // fib daddr type: what the destination is to this host, 4 bytes, host order
  pkttype,             // meta pkttype: to whom the link brought it, 1 byte
  time,                // meta time, nanoseconds since 1970 UTC, 8 bytes, host order
  tcp_flags,           // transport header + 13, bit mask, 1 byte, of TCP
  // socket cgroupv2 level N: of the cgroups (version 2) that the sending socket is in, the id of
  // the one so many below the root, 8 bytes, host order. What is in none of that level has none.
  // The last: this one is of level 1, and those of the levels behind it have no names, see
  // cgroup_at().
  cgroup,
};

// Bytes the field occupies in a register before padding to 4.
std::size_t width(Field field);
// Of all of them side by side.
std::size_t width(const std::vector<Field>& key);

constexpr std::uint8_t deepest_cgroup = 8;
// `level`: 1 to deepest_cgroup.
constexpr Field cgroup_at(std::uint8_t level) {
  assert(level >= 1 && level <= deepest_cgroup);
  return static_cast<Field>(static_cast<std::uint8_t>(Field::cgroup) + level - 1);
}
// nullopt: it is none of those.
std::optional<std::uint8_t> cgroup_level(Field field);
// Of whatever level, `cgroup`: for a switch.
constexpr Field kind(Field field) {
  return field > Field::cgroup ? Field::cgroup : field;
}

// Bits of `ct state`, as linux/netfilter/nf_conntrack_common.h and nft number them.
constexpr std::uint32_t ct_invalid = 1;
constexpr std::uint32_t ct_established = 2;
constexpr std::uint32_t ct_related = 4;
constexpr std::uint32_t ct_new = 8;

// Bits of `ct status`.
constexpr std::uint32_t ct_status_snat = 0x10;
constexpr std::uint32_t ct_status_dnat = 0x20;

// The `daddr_type` of this host's own addresses, RTN_LOCAL of linux/rtnetlink.h.
constexpr std::uint32_t daddr_local = 2;

// The `pkttype` of what is for this host alone, PACKET_HOST of linux/if_packet.h: no broadcast and
// no multicast.
constexpr std::uint8_t pkttype_host = 0;

// The `iiftype` of Ethernet, and of what looks like it (bridges, veth, wireless).
constexpr std::uint16_t iiftype_ether = 1;

// (field & mask) == value, or != value. An empty mask compares all of it. When `value` is shorter
// than the field (an interface name pattern, or a prefix of whole bytes in a network header field,
// where it costs one expression less than a mask), only that many leading bytes are compared.
struct Match {
  Field field;
  bool negated = false;
  Bytes value;
  Bytes mask;
  bool operator==(const Match&) const = default;
};

// low <= field <= high, both ends included.
struct RangeMatch {
  Field field;
  Bytes low;
  Bytes high;
  bool operator==(const RangeMatch&) const = default;
};

// field < value, of a field in host order.
struct Before {
  Field field;
  Bytes value;
  bool operator==(const Before&) const = default;
};

// The concatenation of `key` is (not) an element of the set of that name. A mask is of a key of one
// field: `key & mask` is what is looked for.
struct SetLookup {
  std::vector<Field> key;
  std::string set;
  bool negated = false;
  Bytes mask;
  bool operator==(const SetLookup&) const = default;
};

// The verdict stored in the map under the concatenation of `key`; no element, no effect.
struct MapLookup {
  std::vector<Field> key;
  std::string map;
  bool operator==(const MapLookup&) const = default;
};

// Counts what reaches it. The figures are state, not identity: two counters are always equal.
struct Counter {
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
  bool operator==(const Counter& /*other*/) const { return true; }
};

// Matches `rate` packets per `seconds`, `burst` at once; `over`: those beyond that instead.
struct Limit {
  std::uint64_t rate = 0;
  std::uint64_t seconds = 60;
  std::uint32_t burst = 5;
  bool over = false;
  bool operator==(const Limit&) const = default;
};

// A limit for each value of `field & mask` by itself, kept in the dynamic set of that name, whose
// key is `field`. An empty mask takes all of the field. Matches when the limit does; also never
// when the set is full and does not have the value yet.
struct Meter {
  Field field;
  Bytes mask;
  std::string set;
  Limit limit;
  bool operator==(const Meter&) const = default;
};

// A message about the packet to whoever listens to the NFLOG `group`; without one, a line in the
// kernel log at level info.
struct Log {
  std::string prefix;
  std::optional<std::uint16_t> group = std::nullopt;
  bool operator==(const Log&) const = default;
};

// From here on the kernel reports what becomes of the packet, to whoever listens.
struct Trace {
  bool operator==(const Trace&) const = default;
};

enum class RejectWith : std::uint8_t { tcp_reset, port_unreachable };

struct Reject {
  RejectWith with = RejectWith::port_unreachable;
  bool operator==(const Reject&) const = default;
};

enum class VerdictKind : std::uint8_t { accept, drop, jump, go_to, go_back };

struct Verdict {
  VerdictKind kind = VerdictKind::drop;
  std::string chain;  // of jump and goto
  bool operator==(const Verdict&) const = default;
};

// Of a connection's first packet, in a nat chain of prerouting or output: the connection goes to
// `address` instead. It ends the rules, as a verdict does. nft reads a port only after a match of
// one l4proto.
struct Dnat {
  bool ipv6 = false;
  Bytes address;  // never empty; 4 or 16 bytes
  std::optional<std::uint16_t> port;
  bool operator==(const Dnat&) const = default;
};

// As Dnat, to that port of this machine.
struct Redirect {
  std::uint16_t port = 0;
  bool operator==(const Redirect&) const = default;
};

// In a nat chain of postrouting: the connection comes from the outgoing interface's address.
struct Masquerade {
  bool operator==(const Masquerade&) const = default;
};

using Statement = std::variant<Match, RangeMatch, Before, SetLookup, MapLookup, Counter, Limit,
                               Meter, Log, Trace, Reject, Verdict, Dnat, Redirect, Masquerade>;

struct Rule {
  std::vector<Statement> statements;
  std::string comment;  // the policy's rule id; at most 127 bytes
  bool operator==(const Rule&) const = default;
};

enum class HookPoint : std::uint8_t { prerouting, input, forward, output, postrouting };

// A nat chain sees the first packet of each connection only.
enum class ChainType : std::uint8_t { filter, nat };

struct Hook {
  HookPoint point = HookPoint::input;
  int priority = 0;
  bool policy_drop = true;  // else accept, as it always is of a nat chain
  ChainType type = ChainType::filter;
  bool operator==(const Hook&) const = default;
};

struct Chain {
  std::string name;
  std::optional<Hook> hook;  // a base chain where there is one
  std::string comment;       // at most 127 bytes
  std::vector<Rule> rules;
  bool operator==(const Chain&) const = default;
};

constexpr Time no_end = Time::max();

// One element, or one interval of them. `key` is the concatenation of the set's fields, each at its
// own width with no padding between; `key_end` is empty for a single value (never equal to `key`),
// else the inclusive end: in a concatenation, that of each field.
struct Element {
  Bytes key;
  Bytes key_end;
  std::optional<Verdict> verdict;  // in a verdict map
  std::string comment;             // the policy's rule id; at most 127 bytes
  Counter counter;                 // meaningful when the set has counters
  // In a set whose elements may end: the kernel takes it out then. There it has a comment that says
  // so, since what the kernel tells of the time left is no moment.
  Time until = no_end;
  bool operator==(const Element&) const = default;
};

// Intervals are of fields in network order or of interface names. A dynamic set has nothing but a
// name, a key, a timeout and a size: rules fill it (Meter), and what they put there is state, which
// is neither read nor compared.
struct Set {
  std::string name;
  std::vector<Field> key;
  bool map = false;               // a verdict map
  bool interval = false;          // elements may be intervals; they must not overlap
  bool counters = false;          // every element carries a counter
  bool ends = false;              // elements may end; with neither verdicts nor counters
  std::vector<Element> elements;  // sorted by key
  // Instead of `elements`, where each is an interval of one field, or a key in a set of a declared
  // size, and nothing else; see pack(). Sorted and disjoint.
  Intervals intervals;
  // Above 0: a dynamic set, whose elements go when nothing has updated them for so long.
  std::uint32_t timeout_seconds = 0;
  // The most elements it takes; above 0 of a dynamic set. Of another that has no intervals it is
  // what makes loading many of them quick.
  std::uint32_t size = 0;
  // As read from the kernel: there are more elements than anybody waits for, and none is here.
  bool unread = false;
  bool operator==(const Set&) const = default;

  bool dynamic() const { return timeout_seconds > 0; }
  // It has a declared size, and nothing but values.
  bool sized() const { return size > 0 && !dynamic() && !interval; }
  bool empty() const { return elements.empty() && intervals.empty(); }

  bool same_definition(const Set& other) const {
    return name == other.name && key == other.key && map == other.map &&
           interval == other.interval && counters == other.counters && ends == other.ends &&
           timeout_seconds == other.timeout_seconds && size == other.size;
  }
};

// All of table `inet fwctl`. Sorted by name: sets, then chains, so that equal rulesets compare
// equal.
struct Ruleset {
  std::vector<Set> sets;
  std::vector<Chain> chains;
  bool operator==(const Ruleset&) const = default;

  const Set* find_set(std::string_view name) const;
  const Chain* find_chain(std::string_view name) const;
};

// Where a set of addresses is held as one set for each length of prefix, one of these is called
// "office-ipv4/24". Its elements are the prefixes of that length, by their first addresses.
std::string part_name(std::string_view whole, int length);
struct Part {
  std::string_view whole;  // "office-ipv4"
  int length;
};
// nullopt: it is none of these. The name is a plain one.
std::optional<Part> part(const Set& set);

// What holds bans has a name that begins so: chains, and sets whose elements come and go by
// themselves. They are state, as those of a dynamic set are, and are neither read nor compared.
constexpr std::string_view ban_prefix = "banned/";
inline bool holds_bans(std::string_view name) {
  return name.starts_with(ban_prefix);
}

// Those in `intervals` too.
std::vector<Element> all_elements(const Set& set);

// Moves the elements to `intervals` where they have what that can hold. A set that is read or made
// is packed, so that equal ones compare equal.
void pack(Set& set);

// The comment of an element that ends: "until 2026-11-22T18:00:00Z".
std::string end_comment(Time until);
// nullopt for any other text.
std::optional<Time> parse_end_comment(std::string_view comment);

// Takes out the elements that end by `now`, as the kernel does. True where there were any.
bool remove_ended(Ruleset& ruleset, Time now);

// The one table this project ever touches.
constexpr std::string_view table_name = "fwctl";

}  // namespace fwctl::nft
