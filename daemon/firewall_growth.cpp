// A rule or entries more, without going through all the others: as `fwctl allow` a hundred times.
#include <algorithm>
#include <utility>

#include "daemon/appending.h"
#include "daemon/firewall.h"
#include "rules/compile/compile.h"
#include "rules/digest.h"
#include "rules/nft/grow.h"
#include "rules/policy/append.h"
#include "rules/policy/difference.h"
#include "rules/policy/set_difference.h"

namespace fwctl {

// What add() comes to where it is one plain rule more with which nothing is wrong, without going
// through all the others: nullopt where it is not, and nothing was done.
std::optional<Change> Firewall::append(const policy::Rule& rule, policy::Place place,
                                       const Request& request) {
  if (added_.rules.empty() || !may_grow(request) || not_editable()) return {};
  const auto& index = appending().rules;
  auto addition = policy::plan_addition(*policy_, index, current_.sources, added_, rule, place);
  if (!addition || addition->kind != policy::Addition::Kind::appends) return {};
  auto appended = policy::append(*policy_, index, current_.sources, addition->rule);
  if (!appended) return {};
  const auto traffic = policy::traffic(appended->rule.direction);
  if (endangers(appended->checked, traffic, request)) return {};
  const policy::Insertion insertion{.at = current_.sources.added.text.size(),
                                    .text = std::move(appended->item)};
  if (current_.enabled && !appending_->growth) appending_->growth.emplace(*policy_);
  policy_->append(appended->rule, std::move(appended->checked));
  const auto abandon = [&] {
    policy_->take_back();
    appending_->growth.reset();  // it may refer to the rule
  };
  std::optional<std::vector<nft::Set>> more;
  if (current_.enabled)
    more = appending_->growth->add(*policy_, policy_->rules(traffic).back(), traffic);
  auto change = grow_by(insertion, request, more, abandon);
  if (!change || !*change) return change;
  (*change)->notes = std::move(addition->notes);
  (*change)->difference = {"+ " + policy::difference_text(appended->rule)};
  if (appended->rule.until) ++to_watch_;
  added_.rules.push_back(std::move(appended->rule));
  appending_->rules.append(*policy_);
  return change;
}

// What edit_set() comes to where it is new entries, without going through everything: as append().
std::optional<Change> Firewall::extend(const policy::SetEdit& wanted, const Request& request) {
  const auto& entries = wanted.ranges;
  if (wanted.action != policy::SetAction::add || wanted.until || !wanted.pairs.empty() ||
      entries.size() > policy::most_entries || !may_grow(request))
    return {};
  const auto is_meant = [&](const TcpConnection& caller) {
    return std::ranges::any_of(entries, [&](const AddressRange& entry) {
      return entry.contains(caller.peer) || entry.contains(caller.own);
    });
  };
  if (std::ranges::any_of(guarded(request), is_meant)) return {};
  const auto extended = policy::extend(*policy_, current_.sources.added.text, wanted.name, entries);
  if (!extended) return {};
  const std::size_t set = extended->set;
  AddressRanges ranges;
  for (const auto& range : entries) ranges.push_back(range);
  std::optional<std::vector<nft::Set>> more;
  if (current_.enabled)
    more = compile::more_elements(policy_->sets()[set], ranges.merged(), appending_->counts[set]);
  policy_->extend(set, entries);
  const auto abandon = [&] {
    policy_->take_back(set, entries);
    appending_->counts.erase(set);
  };
  auto change = grow_by(extended->text, request, more, abandon);
  if (!change || !*change) return change;
  auto& own = *std::ranges::find(added_.sets, wanted.name, &policy::AddressSet::name);
  own.ranges.insert(own.ranges.end(), entries.begin(), entries.end());
  for (const auto& range : entries)
    (*change)->difference.push_back("+ set " + wanted.name + " " + range.text());
  return change;
}

// Whether the short way is open, for what is small enough: not where a change would be refused, or
// nothing is to be done, or what is in the kernel says no more of the policy than its generation.
bool Firewall::may_grow(const Request& request) {
  return !request.dry_run && !in_the_way(request) && appending().printed &&
         (current_.enabled ? table_.is_known() : !current_.panic);
}

// Brings a generation in force that has so much more in rules.yaml, and in the kernel `more`;
// policy_ has it already. `abandon` is called where that comes to nothing. nullopt: `more` is, or
// the kernel would need more than elements in sets that are there, and nothing was done.
std::optional<Change> Firewall::grow_by(const policy::Insertion& insertion, const Request& request,
                                        const std::optional<std::vector<nft::Set>>& more,
                                        const std::function<void()>& abandon) {
  Generation before = step(insertion, request);
  const auto back = [&] {
    abandon();
    step_back(std::move(before), insertion);
  };
  const auto changes = current_.enabled ? growing(more) : nft::Changes();
  if (!changes) {
    back();
    return {};
  }
  const auto& [path, text] = current_.sources.added;
  const Enforcement kernel{
      .prepare = {}, .enforce = [&] { return grow(*changes, current_.sources); }, .abandon = back};
  if (auto done = carry_out(
          current_, before.number, TextChange{.at = insertion.at, .added = insertion.text},
          added_file_.takes(insertion, text) ? StagedFiles::inserting(added_file_, insertion, text)
                                             : StagedFiles::write({{path, text}}, path),
          kernel);
      !done)
    return tl::unexpected(std::move(done.error()));
  return Outcome{.changed = true,
                 .generation = current_.number,
                 .enabled = current_.enabled,
                 .notes = {},
                 .panic = current_.panic.has_value(),
                 .confirm = request.confirm};
}

// The current generation becomes the next one; returned is what it was, without its sources.
Generation Firewall::step(const policy::Insertion& insertion, const Request& request) {
  Generation next = next_generation({}, current_.enabled, request);
  next.sources = std::move(current_.sources);
  next.sources.added.text.insert(insertion.at, insertion.text);
  current_.sources = {};
  return std::exchange(current_, std::move(next));
}

void Firewall::step_back(Generation before, const policy::Insertion& insertion) {
  before.sources = std::move(current_.sources);
  before.sources.added.text.erase(insertion.at, insertion.text.size());
  current_ = std::move(before);
}

void Firewall::get_ready_to_grow() {
  if (!current_.enabled || fallback() || added_.rules.empty() || !appending().printed) return;
  if (!appending_->growth) appending_->growth.emplace(*policy_);
}

Firewall::Appending& Firewall::appending() {
  if (appending_ == nullptr)
    appending_ = std::make_unique<Appending>(
        Appending{.printed = current_.sources.added.text == policy::yaml_text(added_),
                  .rest = current_.sum_of_rest(),
                  .rules = policy::RuleIndex(*policy_),
                  .growth = {},
                  .counts = {}});
  return *appending_;
}

// What the kernel needs for `more` and the current generation, which it has not yet; nullopt where
// that is not just elements in sets that are there.
std::optional<nft::Changes> Firewall::growing(
    const std::optional<std::vector<nft::Set>>& more) const {
  if (!more) return {};
  return nft::grow(*table_.loaded(), *more,
                   {.name = std::string(nft::marker_chain),
                    .comment = current_.marker(appending_->rest),
                    .rules = {}});
}

tl::expected<void, Failure> Firewall::grow(const nft::Changes& changes,
                                           const policy::Sources& sources) {
  const auto done = table_.edit(changes);
  if (!done) return tl::unexpected(explain(done.error(), *policy_, sources));
  return {};
}

}  // namespace fwctl
