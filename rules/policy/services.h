// Names of services and the ports and protocols they stand for.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "rules/port.h"

namespace fwctl::policy {

// A protocol with destination ports; all ports where the protocol has none.
struct ServicePort {
  Protocol protocol;
  PortRange ports = all_ports;
  // Of an application profile: counts its items from 1. "53" is one item with two protocols.
  std::uint32_t item = 0;
  bool operator==(const ServicePort&) const = default;
};

// "22/tcp", "9000-9010/udp", "esp".
std::string text(const ServicePort& port);

// Who says what a name means; the earlier outranks the later.
enum class Origin : std::uint8_t {
  policy,    // `services:` and services.d
  kept,      // what the host said when the policy was put in force
  system,    // /etc/services
  profile,   // an application profile
  built_in,  // fwctl itself
};
std::string_view text(Origin origin);

struct Definition {
  std::string name;
  std::string title;        // of profiles
  std::string description;  // may be empty
  std::vector<ServicePort> ports;
  Origin origin = Origin::policy;
  bool profile = false;  // brings its own protocols; also of a kept one
  std::string file;      // empty where there is none to name
  std::uint32_t line = 0;
};

class ServiceTable {
 public:
  // No names at all.
  ServiceTable() = default;
  // The names in `etc_services` (the text of /etc/services; may be empty), TCP and UDP only; of
  // `profiles`, the later of two with one name; and the built-in list.
  explicit ServiceTable(std::string_view etc_services, std::vector<Definition> profiles = {});

  // By rank: the name itself, then among profiles also one that differs in upper and lower case
  // only, if there is just one; at last the name in lower case. nullptr when the name means
  // nothing. Valid until the table changes.
  const Definition* find(const std::string& name) const;
  // Profiles that differ from `name` in upper and lower case only.
  std::vector<std::string_view> alike(std::string_view name) const;

  // Outranks all that is known of the name.
  void define(Definition definition);
  // Lines of kept_text(): they replace what is known of their names.
  void keep(std::string_view lines);

  std::vector<std::string_view> names() const;
  // By name, without those that only /etc/services has.
  std::vector<const Definition*> listed() const;

 private:
  void read(std::string_view etc_services);

  using Definitions = std::map<std::string, Definition, std::less<>>;
  Definitions known_;     // by policy, kept, system
  Definitions profiles_;  // none whose name `known_` had from the start
  Definitions built_in_;
};

// Lines that say what `name` means, for keep(): "ssh 22/tcp", "Web%20Server 80/tcp profile 1".
// Lines as in /etc/services say the same.
std::string kept_text(const std::string& name, const Definition& definition);

// What differs between two texts of kept lines, for names that are in both: "- service ssh 22/tcp",
// "+ service ssh 2222/tcp".
std::vector<std::string> kept_difference(std::string_view before, std::string_view after);

// `lines` without those about `name`, whatever its case.
std::string without_kept(std::string_view lines, std::string_view name);

}  // namespace fwctl::policy
