// A host of the test's own, in a new network namespace, on which every address is local, and what
// the real kernel there does with packets under a ruleset.
//
// Packets from outside come in through veth pairs named like the interfaces; those of the host
// itself come from raw sockets. Which way a packet goes (to the host, or out on an interface) is in
// its DSCP, from which the witness makes the mark that routes it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "daemon/kernel.h"
#include "rules/evaluate.h"
#include "rules/nft/ruleset.h"
#include "tests/kernel/cgroups.h"

namespace fwctl::testing {

class Witness;

// What became of a packet.
struct Fate {
  // By connection tracking, as the firewall met it. nullopt: the packet never reached the hook, or
  // not on its interface (a source that cannot be, for instance).
  std::optional<policy::State> state;
  // Who owns the socket that sent it, where this host did: the packet's own, as far as this process
  // may be anybody.
  std::optional<std::uint32_t> user;
  std::optional<std::uint32_t> group;
  std::vector<std::string> units;
  std::optional<Endpoint> to;  // where it went, as the firewall met it; with `state`
  bool begun = false;          // its connection may be one that another packet began, over lo
  bool tracked = true;         // by connection tracking; with `state`
  bool passed = false;
  std::optional<Address> left_from;  // its source as it left the host; nullopt: it did not
  bool reset = false;                // a TCP reset went back
  bool unreachable = false;          // ICMP "port unreachable" went back
};

class PacketLab {
 public:
  // Moves this process into a namespace with these interfaces, apart from lo, which is there too.
  // nullptr, and `problem` says why. The process then stays on one CPU.
  static std::unique_ptr<PacketLab> open(const std::vector<std::string>& interfaces,
                                         std::string& problem);
  PacketLab(const PacketLab&) = delete;
  PacketLab& operator=(const PacketLab&) = delete;
  ~PacketLab();

  // Replaces what is loaded, as the daemon does. Empty, or what the kernel said; then packets go on
  // meeting what was loaded before.
  std::string load(const nft::Ruleset& ruleset);

  // Of the host itself, on lo: what it takes where it needs an address.
  static Address own_address(Family family);

  // Those that packets may be of: none where nobody may make cgroups.
  const policy::Units& units() const { return cgroups_.units(); }

  // As send() of this one, but that the first of its fragments is lost. From outside.
  Fate send_later_fragment(const Packet& packet);

  // One fate for each packet, in order. What the firewall meets has no mark. Before them goes what
  // gives connection tracking the state that a packet wants, as far as possible.
  std::vector<Fate> send(const std::vector<Packet>& packets);

 private:
  struct Owner {
    std::uint32_t user = 0;
    std::uint32_t group = 0;
    std::vector<std::string> units;
    auto operator<=>(const Owner&) const = default;
  };
  struct RawSockets {
    int ipv4 = -1;
    int ipv6 = -1;
    Owner owner;
  };

  PacketLab() = default;
  Owner owner_of(const Packet& packet) const;
  std::string set_up(const std::vector<std::string>& interfaces);
  std::string open_sockets();
  const RawSockets& sockets_of(const Packet& packet);
  void open_flow(const Packet& packet);
  void emit(const Packet& packet, const std::string& bytes);
  void emit_from_outside(const Packet& packet, const std::string& bytes);
  void emit_from_host(std::uint32_t mark, const Packet& packet, const std::string& bytes);
  std::uint8_t route_of(const Packet& packet) const;
  std::size_t number_of(const std::string& interface) const;
  unsigned index_of(const std::string& interface) const;
  // Reads sightings until everything sent so far has been dealt with.
  void settle(const std::vector<std::string>& sent, const std::vector<Packet>& packets,
              std::vector<Fate>& fates);

  std::vector<std::string> interfaces_;
  std::vector<unsigned> indices_;
  std::vector<unsigned> outer_indices_;  // of the other ends of the veth pairs
  unsigned lo_ = 0;
  std::unique_ptr<Kernel> kernel_;
  std::unique_ptr<Witness> witness_;
  std::optional<nft::Ruleset> loaded_;
  std::uint64_t version_ = 0;
  std::set<std::string> begun_;  // ends_of() what went over lo, which connection tracking remembers
  std::uint16_t last_marker_ = 0;
  Cgroups cgroups_;
  int outside_ = -1;                 // packet socket
  std::map<Owner, RawSockets> raw_;  // by who asks for them
};

}  // namespace fwctl::testing
