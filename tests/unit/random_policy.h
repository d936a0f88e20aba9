// Policies, rules and packets at random: the same on every machine for one seed. They use
// everything the model has, from pools so small that rules meet each other's packets.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "rules/evaluate.h"
#include "rules/policy/check.h"

namespace fwctl::testing {

class RandomPolicy {
 public:
  explicit RandomPolicy(std::uint64_t seed) : engine_(seed) {}

  // Up to `most` rules; check() passes it.
  policy::Policy policy(std::size_t most = 30);
  // Makes sense in every policy() of this class: they all define the same names.
  policy::Rule rule();
  // One line of text, at most 200 bytes, with what quoting and YAML may stumble over.
  std::string comment();
  // Aimed at one of the rules, the baseline's among them: what a field must be, the first or last
  // of it, or the neighbours of these. Such as a network may carry: nothing on lo is routed.
  Packet packet(const policy::CheckedPolicy& policy);
  Address address(Family family);
  std::uint16_t port();
  // An entry of a set.
  AddressPort pair();
  // One that rules name, or another.
  MacAddress mac();
  std::uint32_t mark();
  // A user or group that rules name or number, or another.
  std::uint32_t account();
  // The slices and the unit that a process is in: one that rules name and that runs, or none.
  std::vector<std::string> sender_units();
  // Long past or far ahead, whenever the test runs.
  Time end();
  // Of a device, not a pattern.
  std::string interface();
  // All that packets come in on or go out on, some more than rules know of.
  static std::vector<std::string> interfaces();

  std::size_t below(std::size_t end) { return engine_() % end; }
  bool one_in(std::size_t chances) { return below(chances) == 0; }
  template <typename List>
  auto pick(const List& list) {
    return *(list.begin() + static_cast<std::ptrdiff_t>(below(list.size())));
  }

 private:
  AddressRange range(Family family);
  AddressSuffix suffix();
  PortRange ports();
  policy::Verdict verdict();
  std::vector<policy::Rule> run();
  policy::PortItem port_item();
  std::vector<policy::PortItem> port_items(std::size_t most);
  policy::AddressItem address_item(Family family);
  void add_flow(policy::Rule& rule);
  void add_addresses(policy::Rule& rule);
  void name_pairs(policy::Rule& rule);
  void negate(std::vector<policy::AddressItem>& items);
  void add_interfaces(std::vector<std::string>& into);
  void add_accounts(std::vector<policy::Account>& into);
  void add_units(std::vector<std::string>& into);
  policy::Forward forward();
  policy::Masquerade masquerade();
  void add_switches(policy::Policy& policy);

  // Of a packet, given what the rule it is aimed at asks for.
  void aim_flow(Packet& packet, const std::vector<policy::Flow>& flows);
  // At an entry of the set of pairs that is there, if any.
  void aim_pair(Packet& packet, const policy::CheckedPolicy& policy, const policy::Conditions& at);
  void aim(Packet& packet, const policy::CheckedPolicy& policy, const policy::Conditions& at);
  // As if a forward, or another program, had exchanged its destination.
  void redirect(Packet& packet, const policy::CheckedPolicy& policy);
  Family family_for(const Packet& packet, const policy::CheckedPolicy& policy,
                    const policy::Conditions& aim);
  Address near(const policy::CheckedPolicy& policy,
               const std::vector<policy::AddressMatch>& matches, Family family);
  std::uint16_t near(PortRange ports);
  std::string near(const std::vector<std::string>& patterns);

  std::mt19937_64 engine_;
};

}  // namespace fwctl::testing
