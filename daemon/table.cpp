#include "daemon/table.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "daemon/clock.h"
#include "rules/nft/drift.h"
#include "rules/nft/grow.h"

namespace fwctl {
namespace {

bool deletes_table(const nft::Changes& changes) {
  return std::ranges::any_of(
      changes, [](const auto& change) { return std::holds_alternative<nft::DeleteTable>(change); });
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

}  // namespace

Result<void> Table::take_over() {
  if (auto looked = look_again(); !looked) return looked;
  drifted_ = false;
  return {};
}

bool Table::is_known() {
  return look_again() && !drifted_ && !foreign_ && loaded_;
}

Result<Table::Look> Table::look() {
  if (auto looked = look_again(); !looked) return tl::unexpected(looked.error());
  Look out{.hits = {}, .drifted = drifted_};
  const auto ruleset = kernel_.read_hits();
  if (!ruleset && ruleset.error().code != EBADMSG) return tl::unexpected(ruleset.error());
  if (ruleset && *ruleset) out.hits = count_hits(**ruleset);
  return out;
}

nft::Plan Table::plan_for(const std::optional<nft::Ruleset>& wanted, std::uint64_t version) const {
  nft::Plan plan;
  if (wanted) plan = nft::plan(loaded_, *wanted, version);
  if (foreign_ || (!wanted && loaded_)) {
    // Nothing can be loaded beside what is not understood: all of it goes in one transaction.
    plan.changes.insert(plan.changes.begin(), plan.prepare.begin(), plan.prepare.end());
    plan.changes.insert(plan.changes.begin(), nft::DeleteTable{});
    plan.prepare.clear();
  }
  return plan;
}

tl::expected<bool, TableFailure> Table::load(const std::optional<nft::Ruleset>& wanted,
                                             std::uint64_t version) {
  if (auto looked = look_again(); !looked) return tl::unexpected(TableFailure(looked.error()));
  forget_ended();
  nft::Plan plan = plan_for(wanted, version);
  uncollected_ = true;
  if (auto prepared = kernel_.apply(plan.prepare); !prepared)
    return tl::unexpected(RefusedChanges{std::move(prepared.error()), std::move(plan.prepare)});
  if (!plan.prepare.empty()) loaded_ = plan.prepared;
  auto applied = kernel_.apply(plan.changes);
  bool restored = false;
  if (applied) {
    restored = std::exchange(drifted_, false);
    foreign_ = false;
    loaded_ = wanted ? std::optional(std::move(plan.result)) : std::nullopt;
    if (deletes_table(plan.changes)) traces_.clear();
  } else if (!plan.prepare.empty()) {
    take_back();
  }
  note_revision();
  if (!applied)
    return tl::unexpected(RefusedChanges{std::move(applied.error()), std::move(plan.changes)});
  return restored;
}

void Table::take_back() {
  nft::Plan rest = nft::collect(*loaded_);
  const bool was_empty = rest.result.chains.empty();
  if (was_empty) rest.changes = {nft::DeleteTable{}};
  if (const auto taken = kernel_.apply(rest.changes); !taken) return;  // a later change collects it
  loaded_ = was_empty ? std::nullopt : std::optional(std::move(rest.result));
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
  auto now = read();
  if (!now && now.error().code != EBADMSG) return tl::unexpected(now.error());
  revision_ = revision;
  if (now && !foreign_ && is_loaded(*now)) return {};
  drift_ = {.who = kernel_.toucher(),
            .what = now ? nft::drift(loaded_, *now) : std::vector{now.error().message()}};
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
  if (plan.changes.empty()) {
    uncollected_ = false;
    return {};
  }
  if (auto applied = kernel_.apply(plan.changes); !applied)
    return tl::unexpected(applied.error().error);
  loaded_ = std::move(plan.result);
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
