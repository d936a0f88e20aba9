#include "daemon/firewall.h"

#include <algorithm>
#include <future>
#include <set>
#include <system_error>
#include <utility>

#include "daemon/appending.h"
#include "daemon/clock.h"
#include "daemon/forwarding_problems.h"
#include "daemon/panic.h"
#include "rules/compile/compile.h"
#include "rules/compile/panic.h"
#include "rules/joined.h"
#include "rules/policy/difference.h"

namespace fwctl {
namespace {

std::string idle_note(const std::string& unit) {
  return unit + " does not run: no packet matches 'unit " + unit + "' until it does";
}

Trial trial_from(std::uint64_t before, std::chrono::seconds length, const Instant& start) {
  return {.before = before,
          .deadline = start.uptime + length,
          .until = start.wall + length,
          .booted = start.wall - std::chrono::floor<std::chrono::seconds>(start.uptime)};
}

}  // namespace

Firewall::Firewall(Places places, Kernel& kernel)
    : places_(std::move(places)),
      config_(places_.config),
      store_(places_.state),
      ban_file_(places_.state),
      table_(kernel, places_.protection, [this] { return banned(); }),
      added_file_(config_.added_file()),
      enabled_file_(config_.enabled_file()) {}

Firewall::~Firewall() = default;

// With what the policy in force relies on, so that editing /etc/services or a profile changes
// nothing unasked.
policy::ServiceTable Firewall::services(const std::string& relied_on) const {
  auto table = read_services(places_.services).table;
  table.keep(relied_on);
  return table;
}

policy::ServiceTable Firewall::services_in_force() const {
  auto table = services(current_.sources.services);
  policy::define_services(policy_->policy(), current_.sources, table);
  return table;
}

policy::ServiceTable Firewall::services_of_host() const {
  auto table = services({});
  policy::define_services(policy_->policy(), current_.sources, table);
  return table;
}

// Accounts are what the policy in force relies on, as services are; the rest is as it is now.
policy::Surroundings Firewall::surroundings(const policy::Names& wanted,
                                            const policy::Surroundings& relied_on) const {
  policy::Surroundings out = relied_on;
  if (const auto unknown = out.to_look_up(wanted); !unknown.empty())
    out.update(places_.surroundings(unknown));
  return out;
}

policy::Surroundings Firewall::surroundings(const policy::Names& wanted) const {
  return surroundings(wanted, current_.sources.surroundings);
}

policy::Units Firewall::units(const policy::UnitNames& wanted) const {
  return wanted.empty() ? policy::Units() : places_.units(wanted);
}

policy::Units Firewall::units_of(const policy::CheckedPolicy& policy) const {
  return units(policy::unit_names(policy.policy()));
}

// Said of each unit that the policy names and that is not among those `running`; `only_new`: unless
// the policy in force names it too.
std::vector<std::string> Firewall::idle_units(const policy::Policy& policy,
                                              const policy::Units& running, bool only_new) const {
  const auto wanted = policy::unit_names(policy);
  const auto known = only_new ? policy::unit_names(policy_->policy()) : policy::UnitNames();
  std::vector<std::string> out;
  for (const auto& unit : wanted)
    if (!running.contains(unit) && !known.contains(unit)) out.push_back(idle_note(unit));
  return out;
}

Firewall::Candidate Firewall::same_as_now() const {
  return {.sources = current_.sources, .enabled = current_.enabled, .panic = current_.panic};
}

// As diagnostics call them.
policy::Sources Firewall::as_named(const Candidate& candidate) const {
  policy::Sources named = candidate.sources;
  if (!candidate.name_for_policy_file.empty())
    for (auto& source : named.managed)
      if (source.name == config_.policy_file().string())
        source.name = candidate.name_for_policy_file;
  return named;
}

tl::expected<Firewall::Checked, Failure> Firewall::check(Candidate& candidate,
                                                         Diagnostics& diagnostics) const {
  // Files of sets may be long, and keep their names: they are lent.
  auto set_files = std::exchange(candidate.sources.set_files, {});
  policy::Sources named = as_named(candidate);
  named.set_files = std::move(set_files);
  const auto table = services(candidate.sources.services);
  auto parsed = policy::parse(named, diagnostics);
  const auto names = policy::names(parsed.policy);
  named.surroundings = surroundings(names, candidate.sources.surroundings);
  auto added = std::move(parsed.added);
  auto policy = policy::check(std::move(parsed), named, table, diagnostics);
  if (!policy) return tl::unexpected(Failure(InvalidPolicy{std::move(diagnostics)}));
  candidate.sources.services = policy::used_services(policy->policy(), table);
  candidate.sources.surroundings = named.surroundings.only(names);
  candidate.sources.set_files = std::move(named.set_files);
  return Checked{*std::move(policy), std::move(added)};
}

std::optional<nft::Ruleset> Firewall::wanted(const policy::CheckedPolicy& policy,
                                             const policy::Units& units,
                                             const Generation& generation) {
  if (!generation.enabled && !generation.panic) return {};
  nft::Ruleset ruleset;
  if (generation.enabled) ruleset = compile::compile(policy, units);
  nft::remove_ended(ruleset, now());
  if (generation.panic) compile::add_panic(spared(*generation.panic), ruleset);
  nft::Chain marker{
      .name = std::string(nft::marker_chain), .comment = generation.marker(), .rules = {}};
  const auto place =
      std::find_if(ruleset.chains.begin(), ruleset.chains.end(),
                   [&](const nft::Chain& chain) { return chain.name > marker.name; });
  ruleset.chains.insert(place, std::move(marker));
  return ruleset;
}

tl::expected<void, Failure> Firewall::load(const std::optional<nft::Ruleset>& wanted,
                                           std::uint64_t version,
                                           const policy::CheckedPolicy& policy,
                                           const policy::Sources& sources) {
  const auto loaded = table_.load(wanted, version);
  if (!loaded) return tl::unexpected(explain(loaded.error(), policy, sources));
  if (*loaded) note_restored();
  return {};
}

Result<void> Firewall::force(const policy::CheckedPolicy& policy, const Generation& generation) {
  auto loaded = load(wanted(policy, units_of(policy), generation), generation.number, policy,
                     generation.sources);
  if (loaded) return {};
  const auto* refused = std::get_if<KernelRefused>(&loaded.error());
  return failed("load", "generation " + std::to_string(generation.number), 0,
                refused != nullptr ? refused->message : std::string());
}

// The latest time is enough.
void Firewall::note_restored() {
  constexpr std::string_view sign = " had changed table inet fwctl";
  const auto& [who, what] = table_.drift();
  last_drift_ = (who.empty() ? "another program" : who) + std::string(sign);
  if (!what.empty()) last_drift_ += " (" + joined(what) + ")";
  last_drift_ += "; it was restored at " + time_text(now());
  std::erase_if(problems_, [&](const std::string& problem) {
    return problem.find(sign) != std::string::npos;
  });
  problems_.push_back(last_drift_);
}

void Firewall::note(const Result<void>& done) {
  if (!done) problems_.push_back(done.error().message());
}

// Behind the commit point a file could not take its place: back to the old generation, everywhere.
void Firewall::undo(std::uint64_t number, const StagedFiles& files) {
  if (auto back = load(wanted(*policy_, units_of(*policy_), current_), number + 1, *policy_,
                       current_.sources);
      !back)
    problems_.push_back("the kernel holds generation " + std::to_string(number) +
                        ", which could not be stored, and refuses the one before: 'fwctl reload'");
  note(store_.take_back());
  for (const auto& error : files.restore()) problems_.push_back(error.message());
}

// Puts our table back when someone else changed it. True when there was something to do.
Result<bool> Firewall::heal() {
  if (const auto looked = table_.look_again(); !looked) return tl::unexpected(looked.error());
  if (!table_.drifted()) return false;
  if (auto done = force(*policy_, current_); !done) return tl::unexpected(done.error());
  return true;
}

Result<bool> Firewall::mend() {
  if (const auto looked = table_.follow_notices(); !looked) return tl::unexpected(looked.error());
  return heal();
}

// Who adds a rule wants to hear about that rule. Numbers and lines move; the rule's own text stays.
void Firewall::leave_out_known(Diagnostics& warnings) const {
  std::multiset<std::string> known;
  for (const auto& warning : warnings_) known.insert(warning.text);
  std::erase_if(warnings, [&](const Diagnostic& warning) {
    const auto found = known.find(warning.text);
    if (found == known.end()) return false;
    known.erase(found);
    return true;
  });
}

Generation Firewall::next_generation(policy::Sources sources, bool enabled,
                                     const Request& request) const {
  Generation next{.number = std::max(current_.number, store_.highest()) + 1,
                  .enabled = enabled,
                  .panic = current_.panic,
                  .sources = std::move(sources),
                  .created = time_text(now()),
                  .reason = request.reason,
                  .refreshed = request.refresh,
                  .by = request.by};
  if (request.trial == Request::Trial::goes_on) next.trial = current_.trial;
  if (request.confirm) next.trial = trial_from(current_.number, *request.confirm, places_.clock());
  return next;
}

Change Firewall::commit(Candidate candidate, const Request& request) {
  Outcome outcome{.generation = current_.number,
                  .enabled = current_.enabled,
                  .notes = std::move(candidate.notes),
                  .panic = candidate.panic.has_value()};
  // 1. Nothing is touched.
  auto checked = check(candidate, outcome.warnings);
  if (!checked) return tl::unexpected(std::move(checked.error()));
  auto& policy = checked->policy;
  Diagnostics warnings = outcome.warnings;
  if (candidate.only_news) {
    leave_out_known(outcome.warnings);
  } else {
    const auto ended = policy::ended(policy.policy(), candidate.sources, request.now);
    outcome.warnings.insert(outcome.warnings.end(), ended.begin(), ended.end());
  }
  if (candidate.enabled && !request.refresh) {
    const auto kernel = places_.forwarding();
    const auto known = candidate.only_news && current_.enabled
                           ? fwctl::forwarding_problems(*policy_, kernel)
                           : std::vector<std::string>();
    for (auto& problem : fwctl::forwarding_problems(policy, kernel))
      if (std::ranges::find(known, problem) == known.end())
        outcome.notes.push_back(std::move(problem));
  }
  const auto running = units_of(policy);
  if (!request.refresh)
    for (auto& note : idle_units(policy.policy(), running, candidate.only_news))
      outcome.notes.push_back(std::move(note));
  if (candidate.sources == current_.sources && candidate.enabled == current_.enabled &&
      candidate.panic == current_.panic) {
    outcome.warnings.clear();
    return outcome;
  }
  if (auto failure = lockout(policy, candidate, request))
    return tl::unexpected(*std::move(failure));
  outcome.changed = true;
  outcome.difference = policy::difference(policy_->policy(), policy.policy());
  const auto services =
      policy::kept_difference(current_.sources.services, candidate.sources.services);
  outcome.difference.insert(outcome.difference.end(), services.begin(), services.end());
  const auto names =
      policy::difference(current_.sources.surroundings, candidate.sources.surroundings);
  outcome.difference.insert(outcome.difference.end(), names.begin(), names.end());
  for (auto& line : difference(current_.panic, candidate.panic))
    outcome.difference.push_back(std::move(line));
  Generation next = next_generation(std::move(candidate.sources), candidate.enabled, request);
  next.panic = std::move(candidate.panic);
  next.restored = candidate.restores;
  const auto ruleset = wanted(policy, running, next);
  if (request.dry_run) {
    if (const auto possible = table_.check(ruleset, next.number); !possible)
      return tl::unexpected(explain(possible.error(), policy, next.sources));
    return outcome;
  }
  if (auto failure = in_the_way(request)) return tl::unexpected(*std::move(failure));
  const auto refused = [&](const TableFailure& failure) {
    return tl::unexpected(explain(failure, policy, next.sources));
  };
  auto loading = table_.begin_load(ruleset, next.number);
  if (!loading) return refused(loading.error());
  Enforcement kernel;
  if (loading->in_two_steps())
    kernel.prepare = [&]() -> tl::expected<void, Failure> {
      if (const auto prepared = table_.prepare(*loading); !prepared)
        return refused(prepared.error());
      return {};
    };
  kernel.enforce = [&]() -> tl::expected<void, Failure> {
    const auto loaded = table_.finish_load(*std::move(loading));
    if (!loaded) return refused(loaded.error());
    if (*loaded) note_restored();
    return {};
  };
  kernel.abandon = [&] { table_.take_back(); };
  if (auto done = carry_out(next, current_.number, change_of_rules(next, current_),
                            StagedFiles::write(candidate.files, config_.added_file()), kernel);
      !done)
    return tl::unexpected(std::move(done.error()));
  // Of those that nobody asked for, the last is enough: they must not push out what people did.
  if (next.refreshed && current_.refreshed) static_cast<void>(store_.forget(current_.number));
  take(std::move(next), *std::move(checked), std::move(warnings));
  outcome.generation = current_.number;
  outcome.enabled = current_.enabled;
  outcome.confirm = request.confirm;
  return outcome;
}

// Why the change cannot begin now, if so.
std::optional<Failure> Firewall::in_the_way(const Request& request) const {
  if (current_.trial && request.trial == Request::Trial::in_the_way) {
    const auto left = std::chrono::ceil<std::chrono::seconds>(trial_left());
    return AwaitingConfirmation{
        .message = "generation " + std::to_string(current_.number) +
                   " waits to be confirmed, for " + span_text(left) +
                   " more: 'fwctl confirm' keeps it, 'fwctl rollback' undoes it at once",
        .generation = current_.number,
        .left = left};
  }
  if (!request.confirm) return {};
  if (*request.confirm < std::chrono::seconds(1) || *request.confirm > longest_trial)
    return Refused{"the time to confirm a change is from one second to 24 hours"};
  if (fallback()) return Refused{"no policy of this host is in force that could come back"};
  return {};
}

// What follows when nothing has been touched yet but that `files` stand beside those that are
// there. `before` and `change` as of Store::append().
tl::expected<void, Failure> Firewall::carry_out(const Generation& next, std::uint64_t before,
                                                const std::optional<TextChange>& change,
                                                Result<StagedFiles> files,
                                                const Enforcement& kernel) {
  const auto number = next.number;
  const auto fail = [&](Failure failure) {
    kernel.abandon();
    return tl::unexpected(std::move(failure));
  };
  // Where changes follow each other without a pause. What cannot be synced now is tried again.
  if (unsettled_ >= most_unsettled) static_cast<void>(settle());
  // 2. On disk, in force nowhere.
  if (!files) return fail(files.error());
  if (auto stored = store(next, before, change, kernel); !stored)
    return fail(std::move(stored.error()));
  if (const auto inserted = files->insert(); !inserted) {
    note(store_.take_back());
    return fail(inserted.error());
  }
  // 3. The commit point.
  if (auto enforced = kernel.enforce(); !enforced) {
    for (const auto& error : files->restore()) problems_.push_back(error.message());
    note(store_.take_back());
    return fail(std::move(enforced.error()));
  }
  // 4. In their places.
  if (const auto published = files->publish(); !published) {
    auto failed = fail(published.error());
    undo(number, *files);
    return failed;
  }
  if (files->replaces(config_.added_file())) added_file_.replaced(next.sources.added.text);
  ++unsettled_;
  return {};
}

// What is new in the kernel and the disk's part take long, each, and do not wait for each other:
// the disk's has a thread of its own, and touches nothing but the store. Behind this function there
// is none.
tl::expected<void, Failure> Firewall::store(const Generation& next, std::uint64_t before,
                                            const std::optional<TextChange>& change,
                                            const Enforcement& kernel) {
  const auto append = [&] { return store_.append(next, before, change); };
  if (!kernel.prepare) {
    if (const auto appended = append(); !appended) return tl::unexpected(Failure(appended.error()));
    return {};
  }
  std::future<Result<void>> appending;
  try {
    appending = std::async(std::launch::async, append);
  } catch (const std::system_error&) {  // there is no thread to be had: one after the other
    appending = std::async(std::launch::deferred, append);
  }
  auto prepared = kernel.prepare();
  const auto appended = appending.get();
  if (!appended) return tl::unexpected(Failure(appended.error()));
  if (!prepared) note(store_.take_back());
  return prepared;
}

// What is in force from now on.
void Firewall::take(Generation generation, Checked checked, Diagnostics warnings) {
  appending_.reset();
  ++to_watch_;
  current_ = std::move(generation);
  policy_ = std::move(checked.policy);
  added_ = std::move(checked.added);
  warnings_ = std::move(warnings);
  note_enabled();
}

// For a start without a store. That of the built-in policy is nobody's wish.
void Firewall::note_enabled() {
  if (fallback()) return;
  const auto done = enabled_file_.put(current_.enabled);
  std::erase(problems_, std::exchange(enabled_file_problem_, {}));
  if (done) return;
  enabled_file_problem_ = done.error().message() + ": a boot that finds nothing in " +
                          places_.state.string() + " would not know whether the firewall is on";
  problems_.push_back(enabled_file_problem_);
}

Result<void> Firewall::collect() {
  if (const auto settled = settle(); !settled) return settled;
  if (const auto healed = heal(); !healed) return tl::unexpected(healed.error());
  if (const auto collected = table_.collect(); !collected) return collected;
  get_ready_to_grow();
  return {};
}

Result<void> Firewall::settle() {
  if (fallback()) return {};
  if (!store_.settled()) {
    std::error_code unknown;
    const auto path = config_.added_file();
    if (std::filesystem::exists(path, unknown))
      if (auto synced = sync_file(path); !synced) return synced;
    store_.settle();
  }
  unsettled_ = 0;
  return {};
}

tl::expected<void, Failure> Firewall::begin_trace(const nft::Chain& chain) {
  if (!current_.enabled)
    return tl::unexpected(
        Failure(Refused{"the firewall is not in force: every packet passes ('fwctl enable')"}));
  if (const auto healed = heal(); !healed) return tl::unexpected(Failure(healed.error()));
  if (const auto begun = table_.begin_trace(chain); !begun)
    return tl::unexpected(explain(begun.error(), *policy_, current_.sources));
  return {};
}

}  // namespace fwctl
