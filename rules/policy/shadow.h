// Rules that can never match because one earlier rule decides everything they are about.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "rules/policy/check.h"

namespace fwctl::policy {

// Whether all that `narrow` is about is decided by `wide` alone. Certain when it is true.
bool hides(const CheckedRule& wide, const CheckedRule& narrow);

// Where rules are found again that may hide another, so that 10,000 are not compared in pairs. A
// rule is kept under what the first of another's sources and ports must be for it to hide that.
class Hiders {
 public:
  // `index` is where the rule stands in its list, behind those that were added before.
  void add(const CheckedRule& rule, std::size_t index);
  // The first of those added that hides `rule`; `rules` is the list that they stand in.
  std::optional<std::size_t> first(const CheckedRule& rule, const CheckedRules& rules) const;

 private:
  using Port = std::pair<std::uint8_t, std::uint16_t>;  // a protocol and its port
  // A prefix that contains the source, and the port; nullopt: whatever it is.
  using Key = std::pair<std::optional<AddressRange>, std::optional<Port>>;

  static Port port(const Flow& flow);

  std::map<Key, std::vector<std::size_t>> rules_;
  std::set<std::pair<Family, int>> lengths_;  // of the prefixes there
};

// Indexes into the list that was looked at; `by` < `hidden`.
struct Shadow {
  std::size_t hidden = 0;
  std::size_t by = 0;
};

// At most one per hidden rule, the first that hides it. Finds rules hidden by a single earlier
// rule, not by several together; what it finds is certain, what it doesn't may still be hidden.
std::vector<Shadow> find_shadows(const CheckedRules& rules);

}  // namespace fwctl::policy
