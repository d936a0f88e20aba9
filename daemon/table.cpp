#include "daemon/table.h"

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <iterator>
#include <utility>

#include "daemon/clock.h"
#include "rules/nft/drift.h"
#include "rules/nft/grow.h"
#include "rules/nft/references.h"

namespace fwctl {
namespace {

bool deletes_table(const nft::Changes& changes) {
  return std::ranges::any_of(
      changes, [](const auto& change) { return std::holds_alternative<nft::DeleteTable>(change); });
}

// Where the first of them makes the table.
void make_owned(nft::Changes& changes) {
  if (changes.empty()) return;
  if (auto* made = std::get_if<nft::AddTable>(&changes.front())) made->owned = true;
}

std::map<std::string, Hits> count_hits(const nft::Ruleset& ruleset) {
  std::map<std::string, Hits> out;
  const auto count = [&](const std::string& id, const nft::Counter& counter) {
    out[id].packets += counter.packets;
    out[id].bytes += counter.bytes;
  };
  for (const auto& chain : ruleset.chains)
    for (const auto& rule : chain.rules)
      for (const auto& statement : rule.statements)
        if (const auto* counter = std::get_if<nft::Counter>(&statement))
          count(rule.comment, *counter);
  for (const auto& set : ruleset.sets)
    for (const auto& element : set.elements)
      if (set.counters) count(element.comment, element.counter);
  return out;
}

nft::Set renamed(nft::Set set, const std::string& name) {
  set.name = name;
  return set;
}

// What the set of that plain name that packets meet is called in the kernel.
std::optional<std::string> name_in(const nft::Ruleset& loaded, const std::string& plain) {
  for (const auto& name : nft::reachable(loaded).sets)
    if (nft::plain_name(name) == plain) return name;
  return {};
}

// Leaves the rest.
nft::Ruleset take_bans(nft::Ruleset& ruleset) {
  nft::Ruleset out;
  const auto take = [](auto& from, auto& into) {
    const auto is_one = [](const auto& object) { return nft::holds_bans(object.name); };
    std::ranges::copy_if(from, std::back_inserter(into), is_one);
    std::erase_if(from, is_one);
  };
  take(ruleset.sets, out.sets);
  take(ruleset.chains, out.chains);
  return out;
}

}  // namespace

Result<void> Table::take_over() {
  const auto owner = kernel_.owner();
  if (!owner) return tl::unexpected(owner.error());
  if (*owner == Owner::another)
    return failed("take over", "table inet fwctl", 0,
                  "a program that runs keeps all others out of it, most likely another fwctld in "
                  "this network namespace ('nft list table inet fwctl' names it)");
  if (auto looked = look_again(); !looked) return looked;
  if (owning_ && exists() && *owner == Owner::anyone)
    if (auto claimed = claim(); !claimed) return claimed;
  drifted_ = false;
  return {};
}

// One that was made without an owner (EOPNOTSUPP) never gets one: to make it anew would let
// through, or lose, what is under way, and would forget counters and limits.
Result<void> Table::claim() {
  const auto claimed = kernel_.apply({nft::AddTable{.owned = true}});
  if (!claimed && claimed.error().error.code != EOPNOTSUPP)
    return tl::unexpected(claimed.error().error);
  return look_again();  // what others did until now
}

bool Table::is_known() {
  return look_again() && !drifted_ && !foreign_ && loaded_;
}

Result<Table::Look> Table::look() {
  if (auto looked = look_again(); !looked) return tl::unexpected(looked.error());
  Look out{.hits = {}, .drifted = drifted_, .protection = std::nullopt};
  const auto owner = kernel_.owner();
  if (!owner) return tl::unexpected(owner.error());
  if (exists()) out.protection = *owner == Owner::us ? Protection::kernel : Protection::watching;
  const auto ruleset = kernel_.read_hits();
  if (!ruleset && ruleset.error().code != EBADMSG) return tl::unexpected(ruleset.error());
  if (ruleset && *ruleset) out.hits = count_hits(**ruleset);
  return out;
}

nft::Plan Table::plan_for(const std::optional<nft::Ruleset>& wanted, std::uint64_t version) const {
  nft::Plan plan;
  if (wanted) plan = nft::plan(loaded_, *wanted, version);
  if (owning_)
    for (auto* part : {&plan.prepare, &plan.changes}) make_owned(*part);
  if (foreign_ || (!wanted && loaded_)) {
    // Nothing can be loaded beside what is not understood: all of it goes in one transaction.
    plan.changes.insert(plan.changes.begin(), plan.prepare.begin(), plan.prepare.end());
    plan.changes.insert(plan.changes.begin(), nft::DeleteTable{});
    plan.prepare.clear();
  }
  return plan;
}

// Filling a set that is there takes flushing it first.
nft::Plan Table::plan_bans(const nft::Ruleset& there) const {
  nft::Ruleset all = banned_();
  std::vector<std::vector<nft::Element>> elements;
  elements.reserve(all.sets.size());
  for (auto& set : all.sets) elements.push_back(std::exchange(set.elements, {}));
  auto plan = nft::plan(there, all, 0);
  for (std::size_t index = 0; index < all.sets.size(); ++index) {
    nft::Set set = std::move(all.sets[index]);
    set.name = *name_in(plan.result, set.name);
    if (there.find_set(set.name) != nullptr) plan.changes.emplace_back(nft::FlushSet{set.name});
    set.elements = std::move(elements[index]);
    plan.changes.emplace_back(nft::AddElements{std::move(set)});
  }
  return plan;
}

tl::expected<void, TableFailure> Table::apply_bans(nft::Plan plan) {
  assert(plan.prepare.empty());
  auto applied = kernel_.apply(plan.changes);
  bans_known_ = applied.has_value();
  if (!applied)
    return tl::unexpected(RefusedChanges{std::move(applied.error()), std::move(plan.changes)});
  bans_ = std::move(plan.result);
  uncollected_ = uncollected_ || !nft::collect(bans_).changes.empty();
  note_revision();
  return {};
}

tl::expected<void, TableFailure> Table::load_bans() {
  return apply_bans(plan_bans(bans_));
}

tl::expected<void, TableFailure> Table::edit_bans(const nft::Ruleset& objects,
                                                  const std::vector<nft::Set>& gone,
                                                  const std::vector<nft::Set>& come) {
  if (!bans_known_) return load_bans();
  auto plan = nft::plan(bans_, objects, 0);
  // A set that goes, goes with its elements; one that is new has none.
  for (const auto& set : gone)
    if (const auto name = name_in(plan.result, set.name); name && bans_.find_set(*name) != nullptr)
      plan.changes.emplace_back(nft::DeleteElements{renamed(set, *name)});
  for (const auto& set : come)
    plan.changes.emplace_back(nft::AddElements{renamed(set, *name_in(plan.result, set.name))});
  return apply_bans(std::move(plan));
}

tl::expected<bool, TableFailure> Table::load(const std::optional<nft::Ruleset>& wanted,
                                             std::uint64_t version) {
  auto loading = begin_load(wanted, version);
  if (!loading) return tl::unexpected(std::move(loading.error()));
  return commit(*std::move(loading));
}

tl::expected<Table::Loading, TableFailure> Table::begin_load(
    const std::optional<nft::Ruleset>& wanted, std::uint64_t version) {
  if (auto looked = look_again(); !looked) return tl::unexpected(TableFailure(looked.error()));
  forget_ended();
  Loading out;
  out.wanted_ = &wanted;
  out.version_ = version;
  out.plan_ = plan_for(wanted, version);
  out.bans_.result = bans_;
  const bool anew = deletes_table(out.plan_.changes) || !loaded_;
  if (!wanted)
    out.bans_.result = {};
  else if (anew || !bans_known_)
    out.bans_ = plan_bans(anew ? nft::Ruleset() : bans_);
  return out;
}

tl::expected<void, TableFailure> Table::prepare(Loading& loading) {
  auto& plan = loading.plan_;
  if (plan.prepare.empty()) return {};
  uncollected_ = true;
  if (auto prepared = kernel_.apply(plan.prepare); !prepared)
    return tl::unexpected(RefusedChanges{std::move(prepared.error()), std::move(plan.prepare)});
  plan.prepare.clear();
  loaded_ = std::move(plan.prepared);
  prepared_ = true;
  note_revision();
  return {};
}

tl::expected<bool, TableFailure> Table::finish_load(Loading loading) {
  // Another program may have changed the table while other things were done.
  const bool had_drifted = drifted_;
  if (auto looked = look_again(); !looked) return tl::unexpected(TableFailure(looked.error()));
  if (drifted_ && !had_drifted) return load(*loading.wanted_, loading.version_);
  return commit(std::move(loading));
}

tl::expected<bool, TableFailure> Table::commit(Loading loading) {
  if (auto prepared = prepare(loading); !prepared)
    return tl::unexpected(std::move(prepared.error()));
  auto& plan = loading.plan_;
  auto& bans = loading.bans_;
  std::ranges::move(bans.changes, std::back_inserter(plan.changes));
  uncollected_ = true;
  auto applied = kernel_.apply(plan.changes);
  if (!applied) {
    take_back();
    note_revision();
    return tl::unexpected(RefusedChanges{std::move(applied.error()), std::move(plan.changes)});
  }
  prepared_ = false;
  foreign_ = false;
  loaded_ = *loading.wanted_ ? std::optional(std::move(plan.result)) : std::nullopt;
  bans_ = std::move(bans.result);
  bans_known_ = true;
  if (deletes_table(plan.changes)) traces_.clear();
  note_revision();
  return std::exchange(drifted_, false);
}

void Table::take_back() {
  if (!std::exchange(prepared_, false) || !loaded_) return;
  nft::Plan rest = nft::collect(*loaded_);
  const bool was_empty = rest.result.chains.empty();
  if (was_empty) rest.changes = {nft::DeleteTable{}};
  if (const auto taken = kernel_.apply(rest.changes); !taken) return;  // a later change collects it
  loaded_ = was_empty ? std::nullopt : std::optional(std::move(rest.result));
  note_revision();
}

tl::expected<void, TableFailure> Table::check(const std::optional<nft::Ruleset>& wanted,
                                              std::uint64_t version) {
  auto plan = plan_for(wanted, version);
  plan.changes.insert(plan.changes.begin(), plan.prepare.begin(), plan.prepare.end());
  if (auto possible = kernel_.check(plan.changes); !possible)
    return tl::unexpected(RefusedChanges{std::move(possible.error()), std::move(plan.changes)});
  return {};
}

tl::expected<void, TableFailure> Table::edit(const nft::Changes& changes) {
  if (auto applied = kernel_.apply(changes); !applied)
    return tl::unexpected(RefusedChanges{std::move(applied.error()), changes});
  if (loaded_) nft::grown(*loaded_, changes);
  note_revision();
  return {};
}

// A trace that somebody else touched is no longer ours: what is left of it is a change of theirs.
Result<std::optional<nft::Ruleset>> Table::read() {
  auto ruleset = kernel_.read();
  if (!ruleset) return ruleset;
  std::erase_if(traces_, [&](const nft::Chain& trace) {
    return !*ruleset || std::erase((*ruleset)->chains, trace) == 0;
  });
  bans_ = *ruleset ? take_bans(**ruleset) : nft::Ruleset();
  return ruleset;
}

void Table::forget_ended() {
  if (loaded_) nft::remove_ended(*loaded_, now() - around_an_end);
}

bool Table::is_loaded(const std::optional<nft::Ruleset>& seen) const {
  if (seen == loaded_) return true;
  if (!seen || !loaded_) return false;
  auto is = *seen;
  auto was = *loaded_;
  const Time soon = now() + around_an_end;
  const bool ended = nft::remove_ended(was, soon);
  return (nft::remove_ended(is, soon) || ended) && is == was;
}

Result<void> Table::look_again() {
  const auto revision = kernel_.revision();
  if (!revision) return tl::unexpected(revision.error());
  return *revision == revision_ ? Result<void>() : compare_at(*revision);
}

Result<void> Table::follow_notices() {
  const auto revision = kernel_.revision();
  if (!revision) return tl::unexpected(revision.error());
  return compare_at(*revision);
}

Result<void> Table::compare_at(std::uint32_t revision) {
  if (!kernel_.touched(revision)) {
    revision_ = revision;
    return {};
  }
  const bool had_bans = !bans_.chains.empty();
  bans_known_ = false;
  auto now = read();
  if (!now && now.error().code != EBADMSG) return tl::unexpected(now.error());
  revision_ = revision;
  const bool has_bans = !bans_.sets.empty() || !bans_.chains.empty();
  if (now && !foreign_ && is_loaded(*now) && !had_bans && !has_bans) return {};
  drift_ = {.who = kernel_.toucher(),
            .what = now ? nft::drift(loaded_, *now) : std::vector{now.error().message()}};
  // Those are not compared but loaded anew.
  if (drift_.what.empty()) drift_.what = {"bans may have been"};
  foreign_ = !now;
  loaded_ = now ? std::move(*now) : std::nullopt;
  drifted_ = true;
  return {};
}

void Table::note_revision() {
  if (const auto revision = kernel_.revision()) revision_ = *revision;
}

Result<void> Table::collect() {
  if (!loaded_ || !uncollected_) return {};
  auto plan = nft::collect(*loaded_);
  auto bans = nft::collect(bans_);
  std::ranges::move(bans.changes, std::back_inserter(plan.changes));
  if (plan.changes.empty()) {
    uncollected_ = false;
    return {};
  }
  if (auto applied = kernel_.apply(plan.changes); !applied)
    return tl::unexpected(applied.error().error);
  loaded_ = std::move(plan.result);
  bans_ = std::move(bans.result);
  uncollected_ = false;
  note_revision();
  return {};
}

tl::expected<void, TableFailure> Table::begin_trace(const nft::Chain& chain) {
  nft::Changes changes{nft::AddChain{{.name = chain.name, .hook = chain.hook}}};
  for (const auto& rule : chain.rules) changes.emplace_back(nft::AddRule{chain.name, rule});
  if (auto applied = kernel_.apply(changes); !applied)
    return tl::unexpected(RefusedChanges{std::move(applied.error()), std::move(changes)});
  traces_.push_back(chain);
  note_revision();
  return {};
}

void Table::end_trace(const std::string& name) {
  if (!tracing(name)) return;
  // What another program did until now stays to be seen.
  const auto before = kernel_.revision();
  const bool known = before && *before == revision_;
  // Where this is refused the chain is gone already, or will be found to be none of ours.
  static_cast<void>(kernel_.apply({nft::FlushChain{name}, nft::DeleteChain{name}}));
  std::erase_if(traces_, [&](const nft::Chain& trace) { return trace.name == name; });
  if (known) note_revision();
}

bool Table::tracing(const std::string& name) const {
  return std::ranges::find(traces_, name, &nft::Chain::name) != traces_.end();
}

}  // namespace fwctl
