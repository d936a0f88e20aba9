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
#include "rules/port.h"

namespace fwctl::policy {

enum class Verdict : std::uint8_t { allow, deny, reject };
enum class Direction : std::uint8_t { in, out };
// What a packet is to this host; each has its own default verdict.
enum class Traffic : std::uint8_t { incoming, outgoing, routed };

struct ServiceName {
  std::string name;  // of an application profile, it may have blanks
  bool operator==(const ServiceName&) const = default;
};

struct SetName {
  std::string name;  // without the @
  bool operator==(const SetName&) const = default;
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

// "10.0.0.0/8", "10.0.0.1-10.0.0.9", "@office".
struct AddressItem {
  std::variant<AddressRange, SetName> what;
  Span at;  // takes no part in comparisons
  bool operator==(const AddressItem& other) const { return what == other.what; }
};

// Where a rule stands in the one list (design: before, then people's files, then what was added).
enum class Layer : std::uint8_t { before, managed, added };

struct Rule {
  Verdict verdict = Verdict::deny;
  Direction direction = Direction::in;
  bool log = false;
  std::vector<std::string> interfaces;  // names, or patterns ending in *; empty: any
  // Only where no item below has ports; items carry their own protocol.
  std::optional<Protocol> protocol;
  std::vector<AddressItem> from;  // empty: any
  std::vector<PortItem> from_ports;
  std::vector<AddressItem> to;
  std::vector<PortItem> ports;
  std::string comment;

  // Where it was written. They take no part in comparisons.
  std::size_t source = 0;  // index into the sources that were parsed
  Span at;
  Layer layer = Layer::added;

  // Everything but the comment and the place.
  bool same_meaning(const Rule& other) const;
  bool operator==(const Rule& other) const {
    return same_meaning(other) && comment == other.comment;
  }
};

struct AddressSet {
  std::string name;
  std::vector<AddressRange> ranges;  // as written, unsorted
  std::size_t source = 0;
  Span at;
};

struct Service {
  std::string name;
  std::vector<PortItem> ports;
  std::vector<Protocol> protocols;  // that have no ports
  std::string description;
  std::size_t source = 0;
  Span at;
};

enum class Logging : std::uint8_t { off, low };

struct Policy {
  // Indexed by Traffic.
  std::array<Verdict, 3> defaults{Verdict::deny, Verdict::allow, Verdict::deny};
  Logging logging = Logging::low;
  std::vector<AddressSet> sets;
  std::vector<Service> services;
  std::vector<Rule> rules;  // in the order of evaluation

  Verdict default_for(Traffic traffic) const { return defaults[static_cast<std::size_t>(traffic)]; }
};

std::string_view text(Verdict verdict);
std::string_view text(Direction direction);
std::string_view text(Traffic traffic);
std::string_view text(Logging logging);
std::optional<Verdict> parse_verdict(std::string_view text);
std::optional<Traffic> parse_traffic(std::string_view text);

}  // namespace fwctl::policy
