// From rules to the lookups and rules of a chain: what holds of all of them together and of one
// more.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "rules/compile/blocks.h"

namespace fwctl::compile {

constexpr std::string_view invalid_id = "invalid";  // of the baseline
// Answers what is rejected.
constexpr std::string_view refuse_chain = "refuse";

// Puts the rule's clauses behind those that are there.
void gather(const policy::CheckedPolicy& policy, const policy::CheckedRule& rule, Blocks& blocks);
// As gather(), where that makes no new block; else false, and some may have been put there.
bool join(const policy::CheckedPolicy& policy, const policy::CheckedRule& rule, Blocks& blocks,
          std::vector<Joined>& joined);

bool logs(const policy::CheckedPolicy& policy, const policy::CheckedRule& rule);
// The two that nearly every packet meets come before everything else, and go uncounted.
bool counted(const policy::CheckedRule& rule);

// Whether one lookup decides for the block; else each entry is a rule.
bool looked_up(const Block& block);

nft::Verdict nft_verdict(policy::Verdict verdict);
nft::Set empty_map(std::string name, const std::vector<nft::Field>& key, bool interval);
// The size to declare of a map of `count` points, with which it loads quicker; 0: of fewer than
// `big` none.
std::uint32_t size_of_map(std::size_t count, std::size_t big);
// Of the map of points or of that of ranges.
nft::Element element(const Box& box, const policy::CheckedRule& owner);

// The first of a kind is "incoming-ipv4-from-ports", the next "incoming-ipv4-from-ports-2"; with
// ranges "incoming-ipv4-from-port-ranges". No set of the policy's has such a name: those end in
// their family.
class MapNames {
 public:
  explicit MapNames(policy::Traffic traffic) : traffic_(traffic) {}
  std::string next(const std::vector<nft::Field>& fields, bool interval);

 private:
  std::string words(const std::vector<nft::Field>& fields) const;
  std::string_view word(nft::Field field) const;

  policy::Traffic traffic_;
  std::map<std::string, int> names_;  // how many maps have had that name
};

}  // namespace fwctl::compile
