// The order in which rules are asked, such that those which one lookup can decide come together.
//
// A clause goes into an earlier block of its own kind when no packet can meet both it and any
// clause of the blocks it passes by; inside a block the first claim of a packet wins. So every
// packet is still decided by the first rule of the policy that matches it. The worst case is rules
// of different kinds that overlap by turns ("allow 80", "deny from 10.0.0.1", "allow 81", "deny
// from 10.0.0.2"): each change of kind is a block of its own, and a packet is looked up in each.
#pragma once

#include <deque>
#include <optional>
#include <vector>

#include "rules/compile/box.h"
#include "rules/compile/cells.h"
#include "rules/compile/clause.h"
#include "rules/compile/coverage.h"

namespace fwctl::compile {

struct Entry {
  const policy::CheckedRule* rule;
  Clause clause;
};

// Clauses of which one lookup can decide, or one that stands for itself.
struct Block {
  Clause rest;                     // Split::rest of all
  std::vector<nft::Field> fields;  // none: `entries` is one clause, to be matched as it is
  Cells cells{{}};
  std::deque<Entry> entries;  // in the policy's order

 private:
  friend class Blocks;
  bool takes(const Split& split) const { return fields == split.fields && rest == split.rest; }
  bool disjoint(const Clause& clause);
  std::optional<Coverage> coverage_;  // of the entries, once it was asked for
};

// What a clause became: boxes that its block had not yet.
struct Joined {
  std::size_t block;  // index
  std::vector<Box> boxes;
};

class Blocks {
 public:
  explicit Blocks(policy::Traffic traffic) : traffic_(traffic) {}

  // `looked_up`: a verdict is all there is to the rule.
  void add(const policy::CheckedRule& rule, Clause clause, bool looked_up);

  // As add() of what is looked up, where an earlier block takes it; else nullopt and nothing was
  // done.
  std::optional<Joined> join(const policy::CheckedRule& rule, Clause clause);

  // In the order in which packets must meet them.
  const std::vector<Block>& all() const { return blocks_; }
  std::vector<Block> take();

 private:
  // Takes the clause where it joins.
  std::optional<Joined> join(const policy::CheckedRule& rule, Clause& clause, const Split& parts);

  policy::Traffic traffic_;
  std::vector<Block> blocks_;
};

}  // namespace fwctl::compile
