// The ways back: to an earlier generation, and from one that nobody confirmed.
#include <algorithm>
#include <tuple>
#include <utility>

#include "daemon/clock.h"
#include "daemon/copies.h"
#include "daemon/firewall.h"
#include "daemon/panic.h"
#include "rules/joined.h"
#include "rules/policy/difference.h"

namespace fwctl {
namespace {

using std::chrono::seconds;

std::string name_of(std::uint64_t number) {
  return "generation " + std::to_string(number);
}

// "12, 9-7, 3"
std::string text(const std::vector<std::uint64_t>& numbers) {
  std::vector<std::string> out;
  for (std::size_t first = 0; first < numbers.size();) {
    std::size_t last = first;
    while (last + 1 < numbers.size() && numbers[last + 1] + 1 == numbers[last]) ++last;
    out.push_back(std::to_string(numbers[first]));
    if (last > first) out.back() += "-" + std::to_string(numbers[last]);
    first = last + 1;
  }
  return joined(out);
}

// Whether the one says what the other says, whatever names mean on this host.
bool say_the_same(const Generation& a, const Generation& b) {
  const auto written = [](const policy::Sources& sources) {
    return std::tie(sources.managed, sources.added, sources.definitions, sources.set_files,
                    sources.services);
  };
  return a.enabled == b.enabled && a.panic == b.panic && written(a.sources) == written(b.sources);
}

policy::Policy parsed(const Generation& generation) {
  Diagnostics ignored;
  return policy::parse(generation.sources, ignored).policy;
}

// Why what was on trial is gone, for its history and the log.
std::string end_text(const Generation& on_trial, bool over) {
  return name_of(on_trial.number) + " was not confirmed " +
         (over ? "in time" : "before the host was started again") + ": back to " +
         name_of(on_trial.trial->before);
}

}  // namespace

tl::expected<Generation, Failure> Firewall::find(std::uint64_t number) const {
  auto found = store_.find(number);
  if (!found) return tl::unexpected(Failure(found.error()));
  if (*found) return std::move(**found);
  UnknownGeneration unknown{.message = name_of(number) + " is not kept"};
  for (const auto& entry : store_.entries()) unknown.known.push_back(entry.number);
  unknown.message += "; there are " + text(unknown.known);
  return tl::unexpected(Failure(std::move(unknown)));
}

tl::expected<Generation, Failure> Firewall::before_last_change() const {
  const auto entries = store_.entries();
  for (std::size_t index = 0; index + 1 < entries.size(); ++index) {
    if (!entries[index].by.uid) continue;
    auto before = find(entries[index + 1].number);
    if (!before || !say_the_same(*before, current_)) return before;
  }
  return tl::unexpected(Failure(
      Refused{"there is nothing to go back to: no generation is kept that says anything else"}));
}

std::chrono::milliseconds Firewall::trial_left() const {
  using std::chrono::milliseconds;
  if (!current_.trial) return milliseconds(0);
  return std::max(current_.trial->deadline - places_.clock().uptime, milliseconds(0));
}

Change Firewall::confirm() {
  Outcome outcome{.generation = current_.number, .enabled = current_.enabled, .notes = {}};
  if (!current_.trial) {
    outcome.notes.emplace_back("nothing waits to be confirmed");
    return outcome;
  }
  if (const auto done = store_.confirm(); !done) return tl::unexpected(Failure(done.error()));
  current_.trial.reset();
  outcome.changed = true;
  outcome.notes.push_back("confirmed: " + name_of(current_.number) + " stays");
  return outcome;
}

Change Firewall::rollback(std::optional<std::uint64_t> number, Request request) {
  if (current_.trial && !request.confirm && (!number || *number == current_.trial->before)) {
    number = current_.trial->before;
    request.trial = Request::Trial::ends;
  }
  const auto target = number ? find(*number) : before_last_change();
  if (!target) return tl::unexpected(target.error());
  return restore(*target, request);
}

// What files have to become for `target`, of those that are not so already.
tl::expected<std::vector<FileChange>, Failure> Firewall::files_of(
    const policy::Sources& target) const {
  const auto there = config_.read();
  if (!there) return tl::unexpected(Failure(there.error()));
  std::vector<FileChange> out;
  for (const auto* source : target.files()) {
    const auto text = read_file(source->name);
    if (!text) return tl::unexpected(Failure(text.error()));
    const bool none = !*text && source != &target.added;  // no rules.yaml is an empty one
    if (none || text->value_or("") != source->text) out.push_back({source->name, source->text});
  }
  for (const auto* folder : {&there->managed, &there->definitions})
    for (const auto& source : *folder)
      if (target.text_of(source.name) == nullptr) out.push_back({source.name, {}});
  return out;
}

Change Firewall::restore(const Generation& target, const Request& request) {
  auto files = files_of(target.sources);
  if (!files) return tl::unexpected(std::move(files.error()));
  Candidate candidate = same_as_now();
  candidate.sources = target.sources;
  candidate.enabled = target.enabled;
  candidate.panic = target.panic;
  candidate.restores = true;
  if (target.enabled != current_.enabled)
    candidate.notes.push_back(name_of(target.number) +
                              (target.enabled ? " was in force: the firewall is, too"
                                              : " was not in force: the firewall is not any more"));
  else if (say_the_same(target, current_))
    candidate.notes.push_back("what " + name_of(target.number) + " says is so already");
  Copies copies;
  if (!request.dry_run && !say_the_same(target, current_)) {
    // What somebody has written since it was loaded is nowhere else.
    for (const auto& file : *files) {
      const auto text = read_file(file.path);
      if (!text) return tl::unexpected(Failure(text.error()));
      const auto* loaded = current_.sources.text_of(file.path);
      if (!*text || (loaded != nullptr && **text == *loaded)) continue;
      if (const auto kept = copies.keep(file.path, **text, request.now); !kept)
        return tl::unexpected(Failure(kept.error()));
    }
  }
  for (const auto& [path, copy] : copies.kept()) {
    candidate.notes.push_back(path);
    candidate.notes.back() += ", as it was written since it was loaded, is kept in " + copy;
  }
  candidate.files = *std::move(files);
  auto change = commit(std::move(candidate), request);
  if (change) copies.stay();
  return change;
}

Change Firewall::end_trial() {
  if (!current_.trial || trial_left() > std::chrono::milliseconds(0))
    return Outcome{.generation = current_.number, .enabled = current_.enabled, .notes = {}};
  const auto target = find(current_.trial->before);
  if (!target) return tl::unexpected(target.error());
  const auto why = end_text(current_, true);
  // Nobody is there to be shut out by what was before.
  auto change = restore(
      *target, {.reason = why, .now = now(), .allow_lockout = true, .trial = Request::Trial::ends});
  if (change) {
    change->notes.insert(change->notes.begin(), why);
    return change;
  }
  // The way in matters more than the files. The store goes on saying that nobody confirmed it: the
  // next start tries again.
  if (!adopt(*target)) return change;
  problems_.push_back(why + "; but the files could not be put back: " + message(change.error()));
  return Outcome{.changed = true,
                 .generation = current_.number,
                 .enabled = current_.enabled,
                 .notes = {problems_.back()}};
}

tl::expected<std::vector<std::string>, Failure> Firewall::what_changed(std::uint64_t number) const {
  const auto after = find(number);
  if (!after) return tl::unexpected(after.error());
  const auto entries = store_.entries();
  const auto at = std::ranges::find(entries, number, &Entry::number);
  if (at + 1 == entries.end()) return std::vector<std::string>();
  const auto before = find((at + 1)->number);
  if (!before) return tl::unexpected(before.error());
  auto out = policy::difference(parsed(*before), parsed(*after));
  for (auto& line : policy::kept_difference(before->sources.services, after->sources.services))
    out.push_back(std::move(line));
  for (auto& line : policy::difference(before->sources.surroundings, after->sources.surroundings))
    out.push_back(std::move(line));
  for (auto& line : difference(before->panic, after->panic)) out.push_back(std::move(line));
  if (before->enabled != after->enabled)
    out.emplace_back(after->enabled ? "+ in force" : "- in force");
  return out;
}

// --- at a start ---

// Another boot, or nobody's table any more: it is as if it had never been confirmed in time.
bool Firewall::is_over(const Generation& on_trial) const {
  constexpr auto same_boot = seconds(5);  // so much may the clock have been set
  const auto now = places_.clock();
  const auto booted = now.wall - std::chrono::floor<seconds>(now.uptime);
  const auto& trial = *on_trial.trial;
  return booted > trial.booted + same_boot || trial.booted > booted + same_boot ||
         now.uptime >= trial.deadline || ((on_trial.enabled || on_trial.panic) && !table_.exists());
}

// True: the newest of `kept` was on trial when fwctld ended, and that is over. Then what was before
// it comes first in `kept`, as a generation of its own, if there is such a one and the store takes
// it.
bool Firewall::end_trial_of(std::vector<Generation>& kept) {
  if (kept.empty() || !kept.front().trial || !is_over(kept.front())) return false;
  const auto& on_trial = kept.front();
  const auto before = std::ranges::find_if(
      kept, [&](const Generation& one) { return one.number <= on_trial.trial->before; });
  if (before == kept.end()) {
    problems_.push_back(name_of(on_trial.number) +
                        " was not confirmed, and nothing is kept that was before it");
    return true;
  }
  Generation back = *before;
  back.number = std::max(store_.highest(), on_trial.number) + 1;
  back.created = time_text(now());
  back.reason = end_text(on_trial, places_.clock().uptime >= on_trial.trial->deadline);
  back.by = {};
  back.refreshed = false;
  back.restored = true;
  back.trial.reset();
  if (const auto stored = store_.append(back, on_trial); !stored)
    problems_.push_back(back.reason + "; but it cannot be stored: " + stored.error().message());
  else
    kept.insert(kept.begin(), std::move(back));
  return true;
}

}  // namespace fwctl
