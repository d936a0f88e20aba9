// One transaction on our table, as an ordered list of changes. The kernel takes all of it or
// nothing. Where another program owns the table, each is an error (EPERM).
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "rules/nft/ruleset.h"

namespace fwctl::nft {

// No error when it is there. `owned`: from then on nobody else may change it or what is in it. When
// this program has ended the table stays, and is anybody's until the next such change claims it. An
// error (EOPNOTSUPP) where the kernel cannot do both, and where a table is there that was made
// without.
struct AddTable {
  bool owned = false;
};
struct DeleteTable {};  // with all that is in it; an error when it is not there

// The definition only: rules are added by AddRule. Adding a base chain that is there with the same
// hook changes its policy, and nothing else of it; adding any other chain that is there is an error
// (EEXIST; EOPNOTSUPP in newer kernels when only the hook differs).
struct AddChain {
  Chain chain;
};
// All rules of the chain; the chain stays.
struct FlushChain {
  std::string chain;
};
// An error (EBUSY) while anything refers to it or it has rules.
struct DeleteChain {
  std::string chain;
};
// Appends.
struct AddRule {
  std::string chain;
  Rule rule;
};
// The definition only: elements are added by AddElements. An error (EEXIST) when it is there.
struct AddSet {
  Set set;
};
// An error (EBUSY) while a rule refers to it.
struct DeleteSet {
  std::string set;
};
// `set` carries the definition and just the elements to add; an element that is there, or meets an
// interval that is there, is an error (EEXIST). No elements: nothing is sent.
struct AddElements {
  Set set;
};
// `set` carries the definition and just the elements to remove, with both ends where they are
// intervals; a missing one is an error (ENOENT). No elements: nothing is sent.
struct DeleteElements {
  Set set;
};
// All elements of the set; the set stays. With AddElements behind it, a packet finds the old ones
// or the new.
struct FlushSet {
  std::string set;
};

using Change = std::variant<AddTable, DeleteTable, AddChain, FlushChain, DeleteChain, AddRule,
                            AddSet, DeleteSet, AddElements, DeleteElements, FlushSet>;
using Changes = std::vector<Change>;

}  // namespace fwctl::nft
