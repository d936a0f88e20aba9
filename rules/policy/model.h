// What the administrator wrote, before any name in it is resolved. Read from YAML by parse.h or
// from a command line by grammar.h; printed back by print.h.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "rules/address.h"
#include "rules/diagnostic.h"
#include "rules/mac.h"
#include "rules/moment.h"
#include "rules/packed_pairs.h"
#include "rules/packed_ranges.h"
#include "rules/port.h"

namespace fwctl::policy {

// `limit` allows each source so many connections and rejects those beyond.
enum class Verdict : std::uint8_t { allow, deny, reject, limit };
// Which of the three kinds of traffic a rule is about.
enum class Direction : std::uint8_t { in, out, routed };
// What a packet is to this host; each has its own default verdict.
enum class Traffic : std::uint8_t { incoming, outgoing, routed };

// What a rule writes to the log: nothing, what begins a connection, or all that it decides.
enum class Log : std::uint8_t { off, fresh, all };

// A token bucket for each source: `burst` connections at once, then `count` in `seconds`. Sources
// are IPv4 addresses and IPv6 /64 prefixes.
struct Rate {
  std::uint32_t count = 12;
  std::uint32_t seconds = 60;  // 1, 60, 3600 or 86400
  std::uint32_t burst = 6;
  auto operator<=>(const Rate&) const = default;
};

struct ServiceName {
  std::string name;  // of an application profile, it may have blanks
  bool operator==(const ServiceName&) const = default;
};

struct SetName {
  std::string name;  // without the @
  bool operator==(const SetName&) const = default;
};

struct HostName {
  std::string name;  // in lower case, without a dot at the end
  bool operator==(const HostName&) const = default;
};

// "22", "22/tcp", "9000-9010/udp", "ssh", "ssh/tcp". Without a protocol: a number means TCP and
// UDP, a service whatever it is known for.
struct PortItem {
  std::variant<PortRange, ServiceName> what;
  std::optional<Protocol> protocol;
  Span at;  // where it was written; takes no part in comparisons
  bool operator==(const PortItem& other) const {
    return what == other.what && protocol == other.protocol;
  }
};

// "10.0.0.0/8", "10.0.0.1-10.0.0.9", "::1:2/-64", "@office", each also with a ! before it;
// "host:nas.example.org". In one list all are negated or none is; a negated list matches every
// address, of either family, that no item names.
struct AddressItem {
  std::variant<AddressRange, SetName, AddressSuffix, HostName> what;
  bool negated = false;
  Span at;  // takes no part in comparisons
  bool operator==(const AddressItem& other) const {
    return what == other.what && negated == other.negated;
  }
};

// A user or a group: by number, or by a name that only this host can resolve.
struct Account {
  std::variant<std::uint32_t, std::string> what;
  Span at;  // takes no part in comparisons
  bool operator==(const Account& other) const { return what == other.what; }
};

// The packets of which `mark & mask` is `value`; `value` has no bits besides those of `mask`.
struct Mark {
  std::uint32_t value = 0;
  std::uint32_t mask = 0xffffffff;
  auto operator<=>(const Mark&) const = default;
};

// Where a rule stands in the one list: before all, in people's files, added behind them, and what
// `trust` brings.
enum class Layer : std::uint8_t { before, managed, added, trusted };

struct Rule {
  Verdict verdict = Verdict::deny;
  Direction direction = Direction::in;
  Log log = Log::off;
  Rate rate;  // with Verdict::limit
  // Names, or patterns ending in *; empty: any. Where a packet comes in, or with Direction::out
  // goes out.
  std::vector<std::string> interfaces;
  std::vector<std::string> out_interfaces;  // of routed rules: where a packet goes out
  std::vector<MacAddress> macs;             // Ethernet sources, not of outgoing packets; empty: any
  std::optional<Mark> mark;
  // Whose socket sends it; of outgoing rules. Empty: any, and what no socket sends.
  std::vector<Account> users;
  std::vector<Account> groups;
  std::vector<std::string> units;  // by their whole names (unit.h), or the slice they are in
  // Only where no item below has ports; items carry their own protocol.
  std::optional<Protocol> protocol;
  std::vector<std::uint8_t> icmp_types;  // with protocol icmp or icmpv6; empty: any
  std::vector<AddressItem> from;         // empty: any
  std::vector<PortItem> from_ports;
  std::vector<AddressItem> to;
  std::vector<PortItem> ports;
  std::optional<Time> until;  // before then it matches, from then on nothing
  std::string comment;
  // Typed with an empty comment: what says the same loses its own. Takes no part in comparisons.
  bool no_comment = false;

  // Where it was written. They take no part in comparisons.
  std::size_t source = 0;  // index into the sources that were parsed
  Span at;
  Layer layer = Layer::added;

  // What may differ is the verdict, the logging, the end, the comment and the place.
  bool same_packets(const Rule& other) const;
  // Everything but the end, the comment and the place.
  bool same_meaning(const Rule& other) const;
  bool operator==(const Rule& other) const {
    return same_meaning(other) && until == other.until && comment == other.comment;
  }
};

// Connections to this host's own addresses that go to another machine instead. The first forward
// that matches counts.
struct Forward {
  std::vector<PortItem> ports;  // that are asked for; never empty
  Address to;
  std::optional<std::uint16_t> to_port;  // nullopt: the port that was asked for
  std::vector<AddressItem> from;         // empty: any of the family of `to`
  std::vector<std::string> interfaces;   // where they come in; empty: any
  std::string comment;
  bool no_comment = false;  // as of a rule

  // They take no part in comparisons, as of a rule.
  std::size_t source = 0;
  Span at;
  Span to_at;
  bool managed = false;  // of a file that people own

  bool same_meaning(const Forward& other) const;
  bool operator==(const Forward& other) const {
    return same_meaning(other) && comment == other.comment;
  }
};

// Connections that go out on these interfaces with the interface's own address as their source.
struct Masquerade {
  std::vector<std::string> out_interfaces;  // never empty
  std::vector<AddressItem> from;            // empty: any, of both families
  std::string comment;
  bool no_comment = false;  // as of a rule

  std::size_t source = 0;
  Span at;
  bool managed = false;

  bool same_meaning(const Masquerade& other) const;
  bool operator==(const Masquerade& other) const {
    return same_meaning(other) && comment == other.comment;
  }
};

// In a set until then.
struct TemporaryRange {
  AddressRange range;
  Time until;
  bool operator==(const TemporaryRange&) const = default;
};

// Of addresses, or of pairs; never of both.
struct AddressSet {
  std::string name;
  std::vector<AddressRange> ranges;       // that stay; as written, unsorted
  std::vector<TemporaryRange> temporary;  // likewise
  std::vector<AddressPort> pairs;         // likewise
  // Where the addresses are read from, from the configuration folder on; empty: they stand in the
  // policy, above. Those of a file may be a million.
  std::string file;
  AddressRanges from_file;       // unsorted
  AddressPorts pairs_from_file;  // likewise
  std::size_t source = 0;
  Span at;

  std::size_t size() const {
    return ranges.size() + temporary.size() + pairs.size() + from_file.size() +
           pairs_from_file.size();
  }
  // A set without entries is of neither.
  bool of_pairs() const { return !pairs.empty() || !pairs_from_file.empty(); }
};

struct Service {
  std::string name;
  std::vector<PortItem> ports;
  std::vector<Protocol> protocols;  // that have no ports
  std::string description;
  std::size_t source = 0;
  Span at;
};

// An item of the baseline, by its name (baseline.h), that is switched off.
struct SwitchedOff {
  std::string item;
  std::size_t source = 0;
  Span at;
};

// A neighbour, by its name (trust.h), whose rules stand behind all others in the policy's.
struct Trust {
  std::string name;
  std::size_t source = 0;
  Span at;
};

// Each level logs what the one before it does. As of ufw: `low` what rules with a log and defaults
// that block decide; `medium` also what defaults allow, invalid packets and new connections;
// `high` blocks without a limit, and all packets; `full` those without a limit too.
enum class Logging : std::uint8_t { off, low, medium, high, full };

struct Policy {
  // Indexed by Traffic.
  std::array<Verdict, 3> defaults{Verdict::deny, Verdict::allow, Verdict::deny};
  Logging logging = Logging::low;
  std::vector<SwitchedOff> switched_off;
  bool containers = true;  // what containers begin goes out where no rule says otherwise
  std::vector<Trust> trusts;
  std::vector<AddressSet> sets;
  std::vector<Service> services;
  std::vector<Rule> rules;  // in the order of evaluation
  std::vector<Forward> forwards;
  std::vector<Masquerade> masquerades;

  Verdict default_for(Traffic traffic) const { return defaults[static_cast<std::size_t>(traffic)]; }
};

std::string_view text(Verdict verdict);
std::string_view text(Direction direction);
std::string_view text(Traffic traffic);
std::string_view text(Logging logging);
std::string_view text(Log log);
Traffic traffic(Direction direction);
std::optional<Verdict> parse_verdict(std::string_view text);
// Not limit.
std::optional<Verdict> parse_default(std::string_view text);
std::optional<Logging> parse_logging(std::string_view text);
std::optional<Traffic> parse_traffic(std::string_view text);
std::optional<Direction> parse_direction(std::string_view text);

}  // namespace fwctl::policy
