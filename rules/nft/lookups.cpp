#include "rules/nft/lookups.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "rules/nft/references.h"

namespace fwctl::nft {
namespace {

// The one protocol of packets that get past this statement.
std::optional<char> protocol_of(const Statement& statement) {
  const auto* match = std::get_if<Match>(&statement);
  if (match == nullptr || match->field != Field::l4proto || match->negated || !match->mask.empty())
    return {};
  return match->value.front();
}

const std::string* looked_into(const Statement& statement) {
  if (const auto* lookup = std::get_if<SetLookup>(&statement)) return &lookup->set;
  if (const auto* lookup = std::get_if<MapLookup>(&statement)) return &lookup->map;
  if (const auto* meter = std::get_if<Meter>(&statement)) return &meter->set;
  return nullptr;
}

std::set<char> protocols(const Ruleset& ruleset) {
  std::set<char> out{'\0'};
  for (const auto& chain : ruleset.chains)
    for (const auto& rule : chain.rules)
      for (const auto& statement : rule.statements)
        if (const auto protocol = protocol_of(statement)) out.insert(*protocol);
  return out;
}

// Of packets of one protocol.
class Count {
 public:
  Count(const Ruleset& ruleset, const std::string& set, char protocol)
      : ruleset_(ruleset), set_(set), protocol_(protocol) {}

  std::size_t in_all() {
    std::size_t input = 0;
    std::size_t forward = 0;
    std::size_t others = 0;
    for (const auto& chain : ruleset_.chains) {
      if (!chain.hook || is_retired(chain)) continue;
      const auto count = in(chain.name);
      if (chain.hook->point == HookPoint::input)
        input += count;
      else if (chain.hook->point == HookPoint::forward)
        forward += count;
      else
        others += count;
    }
    return others + std::max(input, forward);
  }

 private:
  std::size_t in(const std::string& name) {
    const auto known = known_.find(name);
    if (known != known_.end()) return known->second;
    const auto* chain = ruleset_.find_chain(name);
    std::size_t sum = 0;
    if (chain != nullptr)
      for (const auto& rule : chain->rules) sum += in(rule);
    known_[name] = sum;
    return sum;
  }

  std::size_t in(const Rule& rule) {
    std::size_t sum = 0;
    for (const auto& statement : rule.statements) {
      if (const auto protocol = protocol_of(statement); protocol && *protocol != protocol_) break;
      if (const auto* set = looked_into(statement)) sum += (*set == set_ ? 1 : 0) + behind(*set);
      const auto* verdict = std::get_if<Verdict>(&statement);
      if (verdict != nullptr && !verdict->chain.empty()) sum += in(verdict->chain);
    }
    return sum;
  }

  // In the chains that the verdicts of a map lead to.
  std::size_t behind(const std::string& map) {
    const auto known = behind_.find(map);
    if (known != behind_.end()) return known->second;
    std::size_t sum = 0;
    if (const auto* set = ruleset_.find_set(map))
      for (const auto& chain : references(*set).chains) sum += in(chain);
    behind_[map] = sum;
    return sum;
  }

  const Ruleset& ruleset_;
  const std::string& set_;
  char protocol_;
  std::map<std::string, std::size_t> known_;
  std::map<std::string, std::size_t> behind_;
};

}  // namespace

std::size_t most_lookups(const Ruleset& ruleset, const std::string& set) {
  std::size_t most = 0;
  for (const char protocol : protocols(ruleset))
    most = std::max(most, Count(ruleset, set, protocol).in_all());
  return most;
}

}  // namespace fwctl::nft
