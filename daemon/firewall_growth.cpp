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

// What add() comes to where it is one plain rule more, without going through all the others:
// nullopt where it is not, and nothing was done.
std::optional<Change> Firewall::append(const policy::Addition& addition, const Request& request) {
  if (addition.kind != policy::Addition::Kind::appends || added_.rules.empty() || request.dry_run)
    return {};
  auto appended = policy::append(*policy_, current_.sources, addition.rule);
  if (!appended) return {};
  const auto traffic = policy::traffic(appended->rule.direction);
  if (endangers(appended->checked, traffic, request) || !printed()) return {};
  Generation next = next_generation(current_.sources, current_.enabled, request);
  next.sources.added.text += appended->item;
  const auto sum = digest(appended->item, appending_->sum);
  if (current_.enabled && !appending_->growth) appending_->growth.emplace(*policy_);
  policy_->append(appended->rule, std::move(appended->checked));
  const auto abandon = [&] {
    policy_->take_back();
    appending_->growth.reset();  // it may refer to the rule
  };
  const auto more = [&] {
    return appending_->growth->add(*policy_, policy_->rules(traffic).back(), traffic);
  };
  const auto changes = growing(more, Generation::marker(next.number, sum));
  if (!changes) {
    abandon();
    return {};
  }
  auto change = grow_to(std::move(next), request, sum, *changes, abandon);
  if (!change) return change;
  change->notes = addition.notes;
  change->difference = {"+ " + policy::difference_text(appended->rule)};
  added_.rules.push_back(std::move(appended->rule));
  return change;
}

// What edit_set() comes to where it is new entries, without going through everything: as append().
std::optional<Change> Firewall::extend(const policy::SetEdit& wanted, const Request& request) {
  const auto& entries = wanted.ranges;
  if (wanted.action != policy::SetAction::add || wanted.until ||
      entries.size() > policy::most_entries || request.dry_run || !printed())
    return {};
  const auto is_meant = [&](const TcpConnection& caller) {
    return std::ranges::any_of(entries, [&](const AddressRange& entry) {
      return entry.contains(caller.peer) || entry.contains(caller.own);
    });
  };
  if (std::ranges::any_of(guarded(request), is_meant)) return {};
  auto extended = policy::extend(*policy_, current_.sources.added.text, wanted.name, entries);
  if (!extended) return {};
  const std::size_t set = extended->set;
  Generation next = next_generation(current_.sources, current_.enabled, request);
  next.sources.added.text = std::move(extended->text);
  const auto sum = next.sum();
  const auto more = [&] {
    AddressRanges ranges;
    for (const auto& range : entries) ranges.push_back(range);
    return compile::more_elements(policy_->sets()[set], ranges.merged());
  };
  const auto changes = growing(more, Generation::marker(next.number, sum));
  if (!changes) return {};
  const auto before = policy_->sets()[set].lasting;
  policy_->extend(set, entries, std::move(extended->lasting));
  const auto abandon = [&] { policy_->take_back(set, entries.size(), before); };
  auto change = grow_to(std::move(next), request, sum, *changes, abandon);
  if (!change) return change;
  auto& own = *std::ranges::find(added_.sets, wanted.name, &policy::AddressSet::name);
  own.ranges.insert(own.ranges.end(), entries.begin(), entries.end());
  for (const auto& range : entries)
    change->difference.push_back("+ set " + wanted.name + " " + range.text());
  return change;
}

// Brings `next`, whose sum() is `sum`, in force by what growing() said of it; `abandon` as of
// carry_out(). policy_ has what is new already.
Change Firewall::grow_to(Generation next, const Request& request, std::uint64_t sum,
                         const nft::Changes& changes, const std::function<void()>& abandon) {
  const auto& added = next.sources.added;
  const auto enforce = [&] { return grow(changes, next.sources); };
  if (auto done = carry_out(next, request, {{added.name, added.text}}, enforce, abandon); !done)
    return tl::unexpected(std::move(done.error()));
  current_ = std::move(next);
  appending_->sum = sum;
  return Outcome{.changed = true,
                 .generation = current_.number,
                 .enabled = current_.enabled,
                 .notes = {},
                 .confirm = request.confirm};
}

// Whether rules.yaml has the form that can be added to.
bool Firewall::printed() {
  if (appending_ == nullptr)
    appending_ = std::make_unique<Appending>(
        Appending{.printed = current_.sources.added.text == policy::yaml_text(added_),
                  .sum = current_.sum(),
                  .growth = {}});
  return appending_->printed;
}

// What the kernel needs for `more`, which it has not yet; nullopt where that is not just elements
// in sets that are there.
std::optional<nft::Changes> Firewall::growing(
    const std::function<std::optional<std::vector<nft::Set>>()>& more, const std::string& marker) {
  if (!current_.enabled) return nft::Changes();
  if (!table_.is_known()) return {};
  const auto elements = more();
  if (!elements) return {};
  return nft::grow(*table_.loaded(), *elements,
                   {.name = std::string(nft::marker_chain), .comment = marker, .rules = {}});
}

tl::expected<void, Failure> Firewall::grow(const nft::Changes& changes,
                                           const policy::Sources& sources) {
  const auto done = table_.edit(changes);
  if (!done) return tl::unexpected(explain(done.error(), *policy_, sources));
  return {};
}

}  // namespace fwctl
