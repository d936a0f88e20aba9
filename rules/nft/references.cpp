#include "rules/nft/references.h"

#include <vector>

namespace fwctl::nft {
namespace {

void merge(References& into, References&& from) {
  into.sets.merge(from.sets);
  into.chains.merge(from.chains);
}

}  // namespace

References references(const Rule& rule) {
  References out;
  for (const auto& statement : rule.statements) {
    if (const auto* lookup = std::get_if<SetLookup>(&statement)) out.sets.insert(lookup->set);
    if (const auto* lookup = std::get_if<MapLookup>(&statement)) out.sets.insert(lookup->map);
    if (const auto* meter = std::get_if<Meter>(&statement)) out.sets.insert(meter->set);
    if (const auto* verdict = std::get_if<Verdict>(&statement);
        verdict != nullptr && !verdict->chain.empty())
      out.chains.insert(verdict->chain);
  }
  return out;
}

References references(const Chain& chain) {
  References out;
  for (const auto& rule : chain.rules) merge(out, references(rule));
  return out;
}

References references(const Set& set) {
  References out;
  for (const auto& element : set.elements)
    if (element.verdict && !element.verdict->chain.empty())
      out.chains.insert(element.verdict->chain);
  return out;
}

std::set<std::string> referenced_sets(const Ruleset& ruleset) {
  std::set<std::string> out;
  for (const auto& chain : ruleset.chains) out.merge(references(chain).sets);
  return out;
}

Chain retired(const Chain& base) {
  Chain chain = base;
  chain.hook->policy_drop = false;
  chain.rules = {{.statements = {Verdict{VerdictKind::accept, {}}}, .comment = "retired"}};
  return chain;
}

bool is_retired(const Chain& chain) {
  return chain.hook && chain == retired(chain);
}

References reachable(const Ruleset& ruleset) {
  References found;
  std::vector<std::string> chains;
  for (const auto& chain : ruleset.chains)
    if (chain.hook && !is_retired(chain)) chains.push_back(chain.name);
  const auto visit = [&](const References& mentioned) {
    for (const auto& name : mentioned.chains) chains.push_back(name);
  };
  while (!chains.empty()) {
    const std::string name = std::move(chains.back());
    chains.pop_back();
    if (!found.chains.insert(name).second) continue;
    const Chain* chain = ruleset.find_chain(name);
    if (chain == nullptr) continue;
    const References mentioned = references(*chain);
    visit(mentioned);
    for (const auto& set_name : mentioned.sets) {
      if (!found.sets.insert(set_name).second) continue;
      if (const Set* set = ruleset.find_set(set_name)) visit(references(*set));
    }
  }
  return found;
}

}  // namespace fwctl::nft
