// A rule taken apart into what nftables can match in one go: conjunctions without alternatives.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "rules/policy/check.h"

namespace fwctl::compile {

struct Clause {
  std::uint8_t states = 0;
  std::optional<Family> family;
  std::optional<policy::Flow> flow;
  std::optional<policy::AddressMatch> from;  // of `family`
  std::optional<policy::AddressMatch> to;    // of `family`
  std::optional<std::string> interface;
  std::optional<std::string> out_interface;
  std::optional<MacAddress> mac;
  std::optional<policy::Mark> mark;
  std::optional<std::uint32_t> user;
  std::optional<std::uint32_t> group;
  std::optional<std::string> unit;
  std::optional<Time> until;

  bool operator==(const Clause&) const = default;
};

// Together they match exactly what `conditions` does. None where no packet can.
std::vector<Clause> clauses(const policy::CheckedPolicy& policy,
                            const policy::Conditions& conditions);

}  // namespace fwctl::compile
