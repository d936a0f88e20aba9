#include "rules/nft/plan.h"

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <utility>

#include "rules/nft/lookups.h"
#include "rules/nft/references.h"
#include "rules/number.h"
#include "rules/sorted_walk.h"

namespace fwctl::nft {
namespace {

// To load so many takes the kernel longer than a transaction more does.
constexpr std::size_t many_elements = 4096;

bool is_live(const References& reached, const Chain& chain) {
  return chain.name == marker_chain || reached.chains.contains(chain.name);
}

template <typename Object>
void sort_by_name(std::vector<Object>& objects) {
  std::sort(objects.begin(), objects.end(),
            [](const Object& a, const Object& b) { return a.name < b.name; });
}

Set definition(const Set& set) {
  return {.name = set.name,
          .key = set.key,
          .map = set.map,
          .interval = set.interval,
          .counters = set.counters,
          .ends = set.ends,
          .elements = {},
          .timeout_seconds = set.timeout_seconds,
          .size = set.size,
          .unread = set.unread};
}

std::uint64_t highest_version(const Ruleset& ruleset) {
  std::uint64_t highest = 0;
  const auto look = [&](const std::string& name) {
    const auto plain = plain_name(name);
    if (plain.size() == name.size()) return;
    highest =
        std::max(highest, parse_number(name.substr(plain.size() + 1), UINT64_MAX).value_or(0));
  };
  for (const auto& set : ruleset.sets) look(set.name);
  for (const auto& chain : ruleset.chains) look(chain.name);
  return highest;
}

// What only one of two sets has, `removed` what only the first.
void compare_elements(const Set& old, const Set& wanted, Set& removed, Set& added) {
  const auto less = [](const Element& a, const Element& b) {
    return std::tie(a.key, a.key_end) < std::tie(b.key, b.key_end);
  };
  const auto first = all_elements(old);
  const auto second = all_elements(wanted);
  walk_sorted(
      first, second, less, [&](const Element& one) { removed.elements.push_back(one); },
      [&](const Element& one) { added.elements.push_back(one); },
      [&](const Element& before, const Element& after) {
        if (before == after) return;
        removed.elements.push_back(before);
        added.elements.push_back(after);
      });
  pack(removed);
  pack(added);
}

void compare_intervals(const Set& old, const Set& wanted, Set& removed, Set& added) {
  std::string gone;
  std::string come;
  walk_sorted(
      old.intervals, wanted.intervals, std::less<>(), [&](std::string_view one) { gone += one; },
      [&](std::string_view one) { come += one; }, [](std::string_view, std::string_view) {});
  const auto packed = [&](std::string bytes) {
    const std::size_t width = nft::width(wanted.key);
    return wanted.interval ? Intervals(width, std::move(bytes))
                           : Intervals::of_values(width, std::move(bytes));
  };
  removed.intervals = packed(std::move(gone));
  added.intervals = packed(std::move(come));
}

// What becomes other in one set, with its plain name.
struct Edit {
  const Set* wanted;
  Set removed;
  Set added;
};

Edit edit_of(const Set& old, const Set& wanted) {
  Edit out{.wanted = &wanted, .removed = definition(wanted), .added = definition(wanted)};
  if (old.elements.empty() && wanted.elements.empty())
    compare_intervals(old, wanted, out.removed, out.added);
  else
    compare_elements(old, wanted, out.removed, out.added);
  return out;
}

// Whether they are of parts of one set.
bool of_one_whole(const std::vector<Edit>& edits) {
  const auto first = part(*edits.front().wanted);
  return first && std::ranges::all_of(edits, [&](const Edit& edit) {
           const auto one = part(*edit.wanted);
           return one && one->whole == first->whole;
         });
}

// Whether any address is in what becomes other of two parts.
bool moves_an_address(const std::vector<Edit>& edits) {
  std::vector<std::pair<std::string_view, int>> changed;  // first address, length
  for (const auto& edit : edits)
    for (const auto* side : {&edit.removed, &edit.added})
      for (std::size_t index = 0; index < side->intervals.size(); ++index)
        changed.emplace_back(side->intervals.first(index), part(*edit.wanted)->length);
  std::ranges::sort(changed);
  // Prefixes lie in each other or apart: one that lies in another comes behind it, with nothing
  // between them but what lies in that too.
  const auto lies_in = [](const auto& outer, const auto& inner) {
    for (std::size_t bit = 0; bit < static_cast<std::size_t>(outer.second); ++bit) {
      const auto bit_of = [&](std::string_view bytes) {
        return static_cast<unsigned char>(bytes[bit / 8]) >> (7 - bit % 8) & 1;
      };
      if (bit_of(outer.first) != bit_of(inner.first)) return false;
    }
    return true;
  };
  return std::ranges::adjacent_find(changed, lies_in) != changed.end();
}

// Plans on top of a table that is there.
class Replacement {
 public:
  Replacement(const Ruleset& loaded, const Ruleset& wanted, std::uint64_t version)
      : loaded_(loaded),
        live_(live(loaded)),
        wanted_(wanted),
        version_(std::max(version, highest_version(loaded) + 1)) {
    const References reached = reachable(loaded);
    for (const auto& chain : loaded.chains)
      if (is_live(reached, chain)) physical_[std::string(plain_name(chain.name))] = chain.name;
    for (const auto& set : loaded.sets)
      if (reached.sets.contains(set.name)) physical_[std::string(plain_name(set.name))] = set.name;
  }

  Plan make() {
    if (live_ == wanted_) return {.changes = {}, .result = loaded_};
    Plan collected = collect(loaded_);
    plan_.changes = std::move(collected.changes);
    plan_.result = std::move(collected.result);
    if (auto edits = edits_in_place(); !edits.empty()) {
      change_elements(edits);
    } else {
      decide_what_is_new();
      load_new_objects();
      if (new_intervals() || many_new_elements()) {
        plan_.prepare = std::exchange(plan_.changes, {});
        plan_.prepared = plan_.result;
        sort_by_name(plan_.prepared.sets);
        sort_by_name(plan_.prepared.chains);
      }
      point_base_chains();
    }
    exchange_marker();
    sort_by_name(plan_.result.sets);
    sort_by_name(plan_.result.chains);
    return std::move(plan_);
  }

 private:
  // Of the set, or of its parts, to edit in place, when everything else but the marker is as
  // wanted.
  std::vector<Edit> edits_in_place() const {
    if (live_.sets.size() != wanted_.sets.size()) return {};
    std::vector<Edit> out;
    for (std::size_t index = 0; index < wanted_.sets.size(); ++index) {
      const Set& old = live_.sets[index];
      const Set& set = wanted_.sets[index];
      if (old == set) continue;
      if (old.unread || !old.same_definition(set) || !may_be_edited(old, set)) return {};
      out.push_back(edit_of(old, set));
      if (!of_one_whole(out) && out.size() > 1) return {};
    }
    const auto without_marker = [](const Ruleset& ruleset) {
      auto chains = ruleset.chains;
      std::erase_if(chains, [](const Chain& chain) { return chain.name == marker_chain; });
      return chains;
    };
    if (out.empty() || without_marker(live_) != without_marker(wanted_)) return {};
    if (out.size() > 1 && moves_an_address(out)) return {};
    return out;
  }

  bool may_be_edited(const Set& old, const Set& wanted) const {
    // The kernel may have taken it out a moment before, and would refuse to do so again.
    if (takes_out_what_ends(old, wanted)) return false;
    // Looked into twice, a packet could meet the old elements first and the new ones then.
    return most_lookups(live_, wanted.name) == 1;
  }

  static bool takes_out_what_ends(const Set& old, const Set& wanted) {
    if (!old.ends) return false;
    std::map<Bytes, const Element*> kept;
    for (const auto& element : wanted.elements) kept.emplace(element.key, &element);
    return std::ranges::any_of(old.elements, [&](const Element& element) {
      const auto found = kept.find(element.key);
      return element.until != no_end && (found == kept.end() || *found->second != element);
    });
  }

  void change_elements(std::vector<Edit>& edits) {
    const auto rename = [this](const std::string& name) { return physical(name); };
    for (auto& [wanted, removed, added] : edits) {
      for (Set* side : {&removed, &added}) {
        side->name = physical(wanted->name);
        rename_references(*side, rename);
      }
      auto& result = *std::ranges::find(plan_.result.sets, removed.name, &Set::name);
      result.elements = wanted->elements;
      result.intervals = wanted->intervals;
      rename_references(result, rename);
      // In a set of intervals the kernel refuses what overlaps an element still there.
      if (!removed.empty()) plan_.changes.emplace_back(DeleteElements{std::move(removed)});
      if (!added.empty()) plan_.changes.emplace_back(AddElements{std::move(added)});
    }
  }

  std::string physical(const std::string& plain) const {
    if (fresh_.contains(plain)) return fresh_.at(plain);
    const auto found = physical_.find(plain);
    return found == physical_.end() ? plain : found->second;
  }

  void make_fresh(const std::string& plain) {
    const bool taken = loaded_.find_chain(plain) != nullptr || loaded_.find_set(plain) != nullptr;
    fresh_[plain] =
        taken || physical_.contains(plain) ? plain + "." + std::to_string(version_) : plain;
  }

  bool mentions_fresh(const References& mentioned) const {
    const auto is_fresh = [this](const std::string& name) { return fresh_.contains(name); };
    return std::any_of(mentioned.chains.begin(), mentioned.chains.end(), is_fresh) ||
           std::any_of(mentioned.sets.begin(), mentioned.sets.end(), is_fresh);
  }

  // An object is new when it differs, or when it mentions one that is new. Base chains stay.
  void decide_what_is_new() {
    for (const auto& set : wanted_.sets) {
      const Set* old = live_.find_set(set.name);
      if (old == nullptr || !(*old == set)) make_fresh(set.name);
    }
    for (const auto& chain : wanted_.chains) {
      if (chain.hook || chain.name == marker_chain) continue;
      const Chain* old = live_.find_chain(chain.name);
      if (old == nullptr || !(*old == chain)) make_fresh(chain.name);
    }
    bool more = true;
    while (more) {
      more = false;
      const auto spread = [&](const auto& object) {
        if (fresh_.contains(object.name) || !mentions_fresh(references(object))) return;
        make_fresh(object.name);
        more = true;
      };
      for (const auto& set : wanted_.sets) spread(set);
      for (const auto& chain : wanted_.chains)
        if (!chain.hook && chain.name != marker_chain) spread(chain);
    }
  }

  void load_new_objects() {
    const auto rename = [this](const std::string& name) { return physical(name); };
    std::vector<Chain> chains;
    std::vector<Set> sets;
    for (auto chain : wanted_.chains) {
      if (!fresh_.contains(chain.name)) continue;
      chain.name = fresh_.at(chain.name);
      rename_references(chain, rename);
      chains.push_back(std::move(chain));
    }
    for (auto set : wanted_.sets) {
      if (!fresh_.contains(set.name)) continue;
      set.name = fresh_.at(set.name);
      rename_references(set, rename);
      sets.push_back(std::move(set));
    }
    // Names first, then what mentions them.
    for (const auto& chain : chains)
      plan_.changes.emplace_back(
          AddChain{{.name = chain.name, .comment = chain.comment, .rules = {}}});
    for (const auto& set : sets) plan_.changes.emplace_back(AddSet{definition(set)});
    for (const auto& set : sets)
      if (!set.empty()) plan_.changes.emplace_back(AddElements{set});
    for (const auto& chain : chains)
      for (const auto& rule : chain.rules) plan_.changes.emplace_back(AddRule{chain.name, rule});
    for (auto& chain : chains) plan_.result.chains.push_back(std::move(chain));
    for (auto& set : sets) plan_.result.sets.push_back(std::move(set));
  }

  bool new_intervals() const {
    return std::any_of(wanted_.sets.begin(), wanted_.sets.end(), [this](const Set& set) {
      return set.interval && fresh_.contains(set.name);
    });
  }

  bool many_new_elements() const {
    std::size_t count = 0;
    for (const auto& set : wanted_.sets)
      if (fresh_.contains(set.name)) count += set.elements.size() + set.intervals.size();
    return count >= many_elements;
  }

  // Each is refilled in one go: a packet that comes to it finds the old rules or the new.
  void point_base_chains() {
    remove_other_base_chains();
    for (const auto& wanted : wanted_.chains) {
      if (!wanted.hook) continue;
      if (!physical_.contains(wanted.name)) make_fresh(wanted.name);
      Chain chain = wanted;
      chain.name = physical(wanted.name);
      rename_references(chain, [this](const std::string& name) { return physical(name); });
      const auto there = std::find_if(plan_.result.chains.begin(), plan_.result.chains.end(),
                                      [&](const Chain& one) { return one.name == chain.name; });
      const bool exists = there != plan_.result.chains.end();
      if (exists && *there == chain) continue;
      plan_.changes.emplace_back(AddChain{
          {.name = chain.name, .hook = chain.hook, .comment = chain.comment, .rules = {}}});
      if (exists) plan_.changes.emplace_back(FlushChain{chain.name});
      for (const auto& rule : chain.rules) plan_.changes.emplace_back(AddRule{chain.name, rule});
      if (exists)
        *there = std::move(chain);
      else
        plan_.result.chains.push_back(std::move(chain));
    }
  }

  // Chains that are not wanted, here or at all, among them what another program hung into our
  // table.
  void remove_other_base_chains() {
    std::erase_if(plan_.result.chains, [this](Chain& chain) {
      if (!chain.hook || stays(chain)) return false;
      const auto known = physical_.find(std::string(plain_name(chain.name)));
      if (known != physical_.end() && known->second == chain.name) physical_.erase(known);
      const bool goes_at_once = !chain.hook->policy_drop;
      plan_.changes.emplace_back(FlushChain{chain.name});
      if (goes_at_once)
        plan_.changes.emplace_back(DeleteChain{chain.name});
      else
        retire(chain);
      return goes_at_once;
    });
  }

  bool stays(const Chain& base) const {
    const std::string plain(plain_name(base.name));
    const Chain* wanted = wanted_.find_chain(plain);
    return wanted != nullptr && wanted->hook && physical(plain) == base.name &&
           wanted->hook->point == base.hook->point &&
           wanted->hook->priority == base.hook->priority && wanted->hook->type == base.hook->type &&
           wanted->comment == base.comment;
  }

  void retire(Chain& flushed) {
    flushed = retired(flushed);
    plan_.changes.emplace_back(AddChain{
        {.name = flushed.name, .hook = flushed.hook, .comment = flushed.comment, .rules = {}}});
    plan_.changes.emplace_back(AddRule{flushed.name, flushed.rules.front()});
  }

  void exchange_marker() {
    const Chain* wanted = wanted_.find_chain(marker_chain);
    const Chain* old = live_.find_chain(marker_chain);
    if (wanted == nullptr || (old != nullptr && *old == *wanted)) return;
    if (old != nullptr) plan_.changes.emplace_back(DeleteChain{old->name});
    plan_.changes.emplace_back(AddChain{*wanted});
    std::erase_if(plan_.result.chains,
                  [](const Chain& chain) { return chain.name == marker_chain; });
    plan_.result.chains.push_back(*wanted);
  }

  const Ruleset& loaded_;
  Ruleset live_;
  const Ruleset& wanted_;
  std::uint64_t version_;
  std::map<std::string, std::string> physical_;  // plain name → name in the kernel, of live objects
  std::map<std::string, std::string> fresh_;     // plain name → new name
  Plan plan_;
};

}  // namespace

Plan plan(const std::optional<Ruleset>& loaded, const Ruleset& wanted, std::uint64_t version) {
  if (loaded) return Replacement(*loaded, wanted, version).make();
  const Ruleset nothing;
  Plan plan = Replacement(nothing, wanted, version).make();
  auto& first = plan.prepare.empty() ? plan.changes : plan.prepare;
  first.insert(first.begin(), AddTable{});
  return plan;
}

Plan collect(const Ruleset& loaded) {
  Plan plan;
  const References reached = reachable(loaded);
  std::vector<std::string> chains;
  for (const auto& chain : loaded.chains) {
    if (is_live(reached, chain)) {
      plan.result.chains.push_back(chain);
      continue;
    }
    if (!chain.rules.empty()) plan.changes.emplace_back(FlushChain{chain.name});
    chains.push_back(chain.name);
  }
  for (const auto& set : loaded.sets) {
    if (reached.sets.contains(set.name))
      plan.result.sets.push_back(set);
    else
      plan.changes.emplace_back(DeleteSet{set.name});
  }
  for (auto& name : chains) plan.changes.emplace_back(DeleteChain{std::move(name)});
  return plan;
}

Ruleset live(const Ruleset& loaded) {
  Ruleset out = collect(loaded).result;
  const auto plain = [](const std::string& name) { return std::string(plain_name(name)); };
  for (auto& set : out.sets) {
    set.name = plain(set.name);
    rename_references(set, plain);
  }
  for (auto& chain : out.chains) {
    chain.name = plain(chain.name);
    rename_references(chain, plain);
  }
  sort_by_name(out.sets);
  sort_by_name(out.chains);
  return out;
}

std::string_view plain_name(std::string_view name) {
  return name.substr(0, name.rfind('.'));
}

}  // namespace fwctl::nft
