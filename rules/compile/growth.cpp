#include "rules/compile/growth.h"

#include <algorithm>

#include "rules/compile/gather.h"
#include "rules/compile/publish.h"

namespace fwctl::compile {
namespace {

using nft::Field;
using policy::Traffic;

// Whether the chain `published` looks into the map as it did.
bool leaves_published_as_it_is(const nft::Set& map) {
  const bool has_port = std::ranges::find(map.key, Field::th_dport) != map.key.end();
  return !has_port || published_protocols(map) == published_protocols({});
}

nft::Set& map_of(std::vector<nft::Set>& maps, const std::string& name,
                 const std::vector<Field>& key, bool interval) {
  const auto known = std::ranges::find(maps, name, &nft::Set::name);
  if (known != maps.end()) return *known;
  return maps.emplace_back(empty_map(name, key, interval));
}

}  // namespace

Growth::Growth(const policy::CheckedPolicy& policy, std::size_t big)
    : big_(big),
      chains_{gathered(policy, Traffic::incoming), gathered(policy, Traffic::outgoing)} {}

Growth::Chain Growth::gathered(const policy::CheckedPolicy& policy, Traffic traffic) {
  Chain out{.blocks = Blocks(traffic), .maps = {}};
  for (const auto& rule : policy.rules(traffic)) gather(policy, rule, out.blocks);
  MapNames names(traffic);
  for (const auto& block : out.blocks.all()) {
    Maps maps;
    if (looked_up(block) && !block.cells.points().empty())
      maps.points = names.next(block.fields, false);
    if (looked_up(block) && !block.cells.boxes().empty())
      maps.ranges = names.next(block.fields, true);
    out.maps.push_back(std::move(maps));
  }
  return out;
}

std::optional<std::vector<nft::Set>> Growth::add(const policy::CheckedPolicy& policy,
                                                 const policy::CheckedRule& rule, Traffic traffic) {
  auto& [blocks, names] = chains_[static_cast<std::size_t>(traffic)];
  std::vector<Joined> joined;
  if (!join(policy, rule, blocks, joined)) return {};
  std::vector<nft::Set> out;
  for (const auto& [block, boxes] : joined)
    for (const auto& box : boxes) {
      const auto& name = box.point() ? names[block].points : names[block].ranges;
      if (name.empty()) return {};
      const auto& there = blocks.all()[block];
      auto& map = map_of(out, name, there.fields, !box.point());
      if (box.point()) map.size = size_of_map(there.cells.points().size(), big_);
      map.elements.push_back(element(box, rule));
    }
  for (auto& map : out) {
    if (!leaves_published_as_it_is(map)) return {};
    std::ranges::sort(map.elements, {}, &nft::Element::key);
  }
  return out;
}

}  // namespace fwctl::compile
