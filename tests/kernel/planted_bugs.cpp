#include "tests/kernel/planted_bugs.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace fwctl::testing {
namespace {

using nft::Bytes;
using nft::Field;

bool is_port(Field field) {
  return field == Field::th_dport || field == Field::th_sport;
}

bool is_address(Field field) {
  return field == Field::ip_saddr || field == Field::ip_daddr || field == Field::ip6_saddr ||
         field == Field::ip6_daddr;
}

Bytes next(Bytes value) {
  for (auto at = value.size(); at-- != 0;)
    if (static_cast<unsigned char>(++value[at]) != 0) break;
  return value;
}

// In a concatenation, the last field ends late.
void end_elements_late(nft::Set& set) {
  set.elements = nft::all_elements(set);
  set.intervals = {};
  for (std::size_t index = 0; index < set.elements.size(); ++index) {
    auto& element = set.elements[index];
    if (element.key_end.empty()) continue;
    const Bytes later = next(element.key_end);
    const bool room = index + 1 == set.elements.size() || later < set.elements[index + 1].key;
    if (room && later > element.key_end) element.key_end = later;
  }
  nft::pack(set);
}

void end_late(nft::Ruleset& ruleset, bool (*concerns)(Field)) {
  for (auto& chain : ruleset.chains)
    for (auto& rule : chain.rules)
      for (auto& statement : rule.statements)
        if (auto* range = std::get_if<nft::RangeMatch>(&statement);
            range != nullptr && concerns(range->field) && next(range->high) > range->high)
          range->high = next(range->high);
  for (auto& set : ruleset.sets)
    if (set.interval && concerns(set.key.back())) end_elements_late(set);
}

const nft::Verdict* verdict_of(const nft::Rule& rule) {
  return rule.statements.empty() ? nullptr : std::get_if<nft::Verdict>(&rule.statements.back());
}

}  // namespace

void end_port_ranges_late(nft::Ruleset& ruleset) {
  end_late(ruleset, is_port);
}

void end_address_ranges_late(nft::Ruleset& ruleset) {
  end_late(ruleset, is_address);
}

void shorten_masks(nft::Ruleset& ruleset) {
  for (auto& chain : ruleset.chains)
    for (auto& rule : chain.rules)
      for (auto& statement : rule.statements)
        if (auto* lookup = std::get_if<nft::SetLookup>(&statement);
            lookup != nullptr && !lookup->mask.empty()) {
          auto& mask = lookup->mask;
          const auto last = mask.find_last_not_of('\0');
          mask[last] = static_cast<char>(static_cast<unsigned char>(mask[last]) &
                                         (static_cast<unsigned char>(mask[last]) - 1U));
        }
}

void match_names_by_their_beginning(nft::Ruleset& ruleset) {
  for (auto& chain : ruleset.chains)
    for (auto& rule : chain.rules)
      for (auto& statement : rule.statements)
        if (auto* match = std::get_if<nft::Match>(&statement);
            match != nullptr && match->mask.empty() &&
            (match->field == Field::iifname || match->field == Field::oifname))
          match->value.resize(std::min(match->value.size(), match->value.find('\0')));
}

void swap_two_rules(nft::Ruleset& ruleset) {
  for (auto& chain : ruleset.chains) {
    const auto differ = [](const nft::Rule& a, const nft::Rule& b) {
      const auto* first = verdict_of(a);
      const auto* second = verdict_of(b);
      // Not the baseline's, which hardly overlap.
      return a.comment.starts_with('r') && b.comment.starts_with('r') && first != nullptr &&
             second != nullptr && *first != *second;
    };
    const auto found = std::adjacent_find(chain.rules.begin(), chain.rules.end(), differ);
    if (found == chain.rules.end()) continue;
    std::swap(*found, *std::next(found));
    return;
  }
}

void redirect_one_port_further(nft::Ruleset& ruleset) {
  for (auto& chain : ruleset.chains)
    for (auto& rule : chain.rules)
      for (auto& statement : rule.statements)
        if (auto* dnat = std::get_if<nft::Dnat>(&statement); dnat != nullptr && dnat->port)
          dnat->port = static_cast<std::uint16_t>(*dnat->port == 65535 ? 1 : *dnat->port + 1);
}

void lose_a_masquerade(nft::Ruleset& ruleset) {
  for (auto& chain : ruleset.chains)
    if (chain.name == "masquerades" && chain.rules.back().comment.starts_with('m'))
      chain.rules.pop_back();
}

void move_pairs_one_port_further(nft::Ruleset& ruleset) {
  for (auto& set : ruleset.sets) {
    if (set.map || !set.sized() || set.key.size() != 3) continue;
    set.elements = nft::all_elements(set);
    for (auto& element : set.elements) element.key = next(element.key);
    std::ranges::sort(set.elements, {}, &nft::Element::key);
    nft::pack(set);
  }
}

void claim_an_element_twice(nft::Ruleset& ruleset) {
  for (auto& set : ruleset.sets) {
    if (!set.map || !set.name.starts_with("incoming-ports")) continue;
    nft::Element other = set.elements.front();
    const bool drops = other.verdict->kind == nft::VerdictKind::drop;
    other.verdict = {drops ? nft::VerdictKind::accept : nft::VerdictKind::drop, {}};
    set.elements.push_back(other);
  }
}

}  // namespace fwctl::testing
