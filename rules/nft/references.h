// Which objects of a ruleset refer to which.
#pragma once

#include <set>
#include <string>

#include "rules/nft/ruleset.h"

namespace fwctl::nft {

struct References {
  std::set<std::string> sets;
  std::set<std::string> chains;
};

References references(const Rule& rule);
References references(const Chain& chain);
References references(const Set& set);

// Names of the sets that any rule looks into or fills.
std::set<std::string> referenced_sets(const Ruleset& ruleset);

// What is left of a base chain that drops, where it is no longer wanted: it accepts everything, and
// waits to be collected.
Chain retired(const Chain& base);
bool is_retired(const Chain& chain);

// What packets can get to: base chains but retired ones, whatever those reach, and nothing else.
References reachable(const Ruleset& ruleset);

// Replaces every name that the object mentions (not its own) by rename(name).
template <typename Rename>
void rename_references(Rule& rule, const Rename& rename) {
  for (auto& statement : rule.statements) {
    if (auto* lookup = std::get_if<SetLookup>(&statement)) lookup->set = rename(lookup->set);
    if (auto* lookup = std::get_if<MapLookup>(&statement)) lookup->map = rename(lookup->map);
    if (auto* meter = std::get_if<Meter>(&statement)) meter->set = rename(meter->set);
    if (auto* verdict = std::get_if<Verdict>(&statement);
        verdict != nullptr && !verdict->chain.empty())
      verdict->chain = rename(verdict->chain);
  }
}

template <typename Rename>
void rename_references(Set& set, const Rename& rename) {
  for (auto& element : set.elements)
    if (element.verdict && !element.verdict->chain.empty())
      element.verdict->chain = rename(element.verdict->chain);
}

template <typename Rename>
void rename_references(Chain& chain, const Rename& rename) {
  for (auto& rule : chain.rules) rename_references(rule, rename);
}

}  // namespace fwctl::nft
