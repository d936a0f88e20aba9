#include "rules/nft/grow.h"

#include <algorithm>
#include <utility>

#include "rules/nft/lookups.h"
#include "rules/nft/plan.h"
#include "rules/nft/references.h"

namespace fwctl::nft {
namespace {

// The only one of that plain name: beside it, none waits to be collected.
template <typename Object>
const Object* only(const std::vector<Object>& objects, const std::string& plain) {
  const Object* found = nullptr;
  for (const auto& object : objects) {
    if (plain_name(object.name) != plain) continue;
    if (found != nullptr) return nullptr;
    found = &object;
  }
  return found;
}

// What the rule may say of packets that it matches.
void add_verdicts(const Ruleset& ruleset, const Rule& rule, std::vector<Verdict>& out) {
  const auto add = [&](const Verdict& verdict) {
    if (std::ranges::find(out, verdict) == out.end()) out.push_back(verdict);
  };
  for (const auto& statement : rule.statements) {
    if (const auto* verdict = std::get_if<Verdict>(&statement)) add(*verdict);
    const auto* lookup = std::get_if<MapLookup>(&statement);
    const auto* map = lookup == nullptr ? nullptr : ruleset.find_set(lookup->map);
    if (map == nullptr) continue;
    for (const auto& element : map->elements) add(*element.verdict);
  }
}

bool looks_for_others(const Rule& rule, const std::string& set) {
  return std::ranges::any_of(rule.statements, [&](const Statement& statement) {
    const auto* lookup = std::get_if<SetLookup>(&statement);
    return lookup != nullptr && lookup->set == set && lookup->negated;
  });
}

// Whether one rule alone looks into the set, or all that do have one verdict for what is in it.
bool decides_alike(const Ruleset& ruleset, const std::string& set) {
  std::size_t rules = 0;
  bool negated = false;
  std::vector<Verdict> verdicts;
  for (const auto& chain : ruleset.chains)
    for (const auto& rule : chain.rules) {
      if (!references(rule).sets.contains(set)) continue;
      ++rules;
      negated = negated || looks_for_others(rule, set);
      add_verdicts(ruleset, rule, verdicts);
    }
  return rules <= 1 || (verdicts.size() <= 1 && !negated);
}

bool has(const Set& set, const Element& element) {
  const auto at = std::ranges::lower_bound(set.elements, element.key, {}, &Element::key);
  return at != set.elements.end() && at->key == element.key;
}

// Puts in `more`, which are few and meet none of those there.
void insert(const Intervals& more, Intervals& there) {
  if (there.empty()) {
    there = more;
    return;
  }
  for (std::size_t index = 0; index < more.size(); ++index) {
    std::size_t at = 0;
    for (std::size_t left = there.size(); left != 0;) {
      const std::size_t half = left / 2;
      const bool behind = there.first(at + half) < more.first(index);
      at += behind ? half + 1 : 0;
      left = behind ? left - half - 1 : half;
    }
    there.insert(at, more.first(index), more.last(index));
  }
}

}  // namespace

std::optional<Changes> grow(const Ruleset& loaded, const std::vector<Set>& more,
                            const Chain& marker) {
  const Chain* old_marker = loaded.find_chain(marker.name);
  if (old_marker == nullptr) return {};
  Changes out;
  for (Set added : more) {
    const Set* there = only(loaded.sets, added.name);
    if (there == nullptr) return {};
    added.name = there->name;
    if (!there->same_definition(added)) return {};
    // Of a set that a packet meets twice, it could meet the old elements first and the new ones
    // then. Maps are not: compile() looks into each once.
    if (!added.map && most_lookups(loaded, there->name) != 1) return {};
    bool known = true;
    rename_references(added, [&](const std::string& plain) {
      const Chain* chain = only(loaded.chains, plain);
      known = known && chain != nullptr;
      return chain == nullptr ? plain : chain->name;
    });
    known = known && std::ranges::none_of(added.elements, [&](const Element& element) {
              return has(*there, element);
            });
    if (!known) return {};
    out.emplace_back(AddElements{std::move(added)});
  }
  out.emplace_back(DeleteChain{old_marker->name});
  out.emplace_back(AddChain{marker});
  return out;
}

std::optional<Changes> exchange(const Ruleset& loaded, const std::vector<Set>& wanted) {
  Changes out;
  for (Set added : wanted) {
    const auto of_that_name = [&](const Set& set) { return plain_name(set.name) == added.name; };
    if (std::ranges::none_of(loaded.sets, of_that_name)) continue;
    const Set* there = only(loaded.sets, added.name);
    if (there == nullptr) return {};
    added.name = there->name;
    if (added == *there) continue;
    if (!there->same_definition(added) || !out.empty() || !decides_alike(loaded, added.name))
      return {};
    if (!there->elements.empty()) out.emplace_back(DeleteElements{*there});
    if (!added.elements.empty()) out.emplace_back(AddElements{std::move(added)});
  }
  return out;
}

void grown(Ruleset& loaded, const Changes& changes) {
  for (const auto& change : changes) {
    if (const auto* remove = std::get_if<DeleteElements>(&change)) {
      std::ranges::find(loaded.sets, remove->set.name, &Set::name)->elements.clear();
      continue;
    }
    if (const auto* marker = std::get_if<AddChain>(&change)) {
      *std::ranges::find(loaded.chains, marker->chain.name, &Chain::name) = marker->chain;
      continue;
    }
    const auto* add = std::get_if<AddElements>(&change);
    if (add == nullptr) continue;
    auto& set = *std::ranges::find(loaded.sets, add->set.name, &Set::name);
    insert(add->set.intervals, set.intervals);
    auto& elements = set.elements;
    for (const auto& element : add->set.elements)
      elements.insert(std::ranges::lower_bound(elements, element.key, {}, &Element::key), element);
  }
}

}  // namespace fwctl::nft
