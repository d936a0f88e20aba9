#include "rules/nft/grow.h"

#include <algorithm>
#include <utility>

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

bool has(const Set& set, const Element& element) {
  const auto at = std::ranges::lower_bound(set.elements, element.key, {}, &Element::key);
  return at != set.elements.end() && at->key == element.key;
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

void grown(Ruleset& loaded, const Changes& changes) {
  for (const auto& change : changes) {
    if (const auto* marker = std::get_if<AddChain>(&change)) {
      *std::ranges::find(loaded.chains, marker->chain.name, &Chain::name) = marker->chain;
      continue;
    }
    const auto* add = std::get_if<AddElements>(&change);
    if (add == nullptr) continue;
    auto& elements = std::ranges::find(loaded.sets, add->set.name, &Set::name)->elements;
    for (const auto& element : add->set.elements)
      elements.insert(std::ranges::lower_bound(elements, element.key, {}, &Element::key), element);
  }
}

}  // namespace fwctl::nft
