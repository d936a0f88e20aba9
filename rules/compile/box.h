// The part of a clause that one lookup can decide: a range of values for each of some fields.
#pragma once

#include <vector>

#include "rules/compile/clause.h"
#include "rules/nft/ruleset.h"

namespace fwctl::compile {

// The values from `first` to `last` in each of the fields, one behind the other at their own
// widths, as in nft::Element.
struct Box {
  nft::Bytes first;
  nft::Bytes last;

  // One value of each field.
  bool point() const { return first == last; }
  bool operator==(const Box&) const = default;
};

struct Split {
  Clause rest;                     // what a lookup cannot decide; it guards the lookup
  std::vector<nft::Field> fields;  // empty: there is nothing to look up
  Box box;
};

// `clause` matches exactly what both parts do. Equal `rest` and `fields`: one lookup can decide for
// several clauses.
Split split(const Clause& clause, policy::Traffic traffic);

// Of a pattern, what stands before its * or ?.
nft::Bytes interface_bytes(const std::string& name);

}  // namespace fwctl::compile
