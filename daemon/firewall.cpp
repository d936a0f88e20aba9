#include "daemon/firewall.h"

#include <unistd.h>

#include <algorithm>
#include <set>
#include <utility>

#include "daemon/clock.h"
#include "daemon/forwarding_problems.h"
#include "rules/compile/compile.h"
#include "rules/compile/growth.h"
#include "rules/digest.h"
#include "rules/evaluate.h"
#include "rules/nearest.h"
#include "rules/nft/grow.h"
#include "rules/nft/plan.h"
#include "rules/nft/text.h"
#include "rules/policy/append.h"
#include "rules/policy/difference.h"
#include "rules/policy/edit_translation.h"
#include "rules/policy/grammar.h"
#include "rules/policy/parse.h"
#include "rules/policy/set_difference.h"

namespace fwctl {
namespace {

// When nothing on disk can be used and the firewall was on: what is always there, and a way in to
// mend it. Nothing else.
constexpr std::string_view minimal_policy =
    "version: 1\n"
    "defaults: {incoming: deny, outgoing: allow, routed: deny}\n"
    "rules:\n"
    "  - allow: 22/tcp\n"
    "    comment: built-in fallback\n";

// "20261122-180000"
std::string for_file_name(Time time) {
  std::string text = time_text(time);
  std::erase_if(text, [](char c) { return c == '-' || c == ':' || c == 'Z'; });
  std::ranges::replace(text, 'T', '-');
  return text;
}

// An element of a set ends in the kernel by a clock of its own: so much before and after, it may be
// there or not.
constexpr auto around_an_end = std::chrono::seconds(2);

template <typename... Handlers>
struct Overloaded : Handlers... {
  using Handlers::operator()...;
};
template <typename... Handlers>
Overloaded(Handlers...) -> Overloaded<Handlers...>;

// Ids of the policy's rules in the object that the change is about.
std::vector<std::string> ids_in(const nft::Change& change) {
  return std::visit(
      Overloaded{[](const nft::AddRule& add) { return std::vector{add.rule.comment}; },
                 [](const nft::AddElements& add) {
                   std::vector<std::string> ids;
                   ids.reserve(add.set.elements.size());
                   for (const auto& element : add.set.elements) ids.push_back(element.comment);
                   return ids;
                 },
                 [](const auto&) { return std::vector<std::string>{}; }},
      change);
}

std::string idle_note(const std::string& unit) {
  return unit + " does not run: no packet matches 'unit " + unit + "' until it does";
}

std::optional<std::string> text_of(const policy::Sources& sources,
                                   const std::filesystem::path& path) {
  if (sources.added.name == path) return sources.added.text;
  for (const auto& source : sources.managed)
    if (source.name == path) return source.text;
  return {};
}

bool deletes_table(const nft::Changes& changes) {
  return std::ranges::any_of(
      changes, [](const auto& change) { return std::holds_alternative<nft::DeleteTable>(change); });
}

std::vector<std::string> problems_with(const Result<Forwarding>& kernel,
                                       const policy::CheckedPolicy& policy) {
  if (!kernel) return {"whether the kernel forwards cannot be asked: " + kernel.error().message()};
  return forwarding_problems(policy, *kernel);
}

std::string object_of(const nft::Change& change) {
  return std::visit(
      Overloaded{
          [](const nft::AddRule& add) { return "a rule of chain " + add.chain; },
          [](const nft::AddElements& add) { return "elements of set " + add.set.name; },
          [](const nft::DeleteElements& remove) { return "elements of set " + remove.set.name; },
          [](const nft::AddChain& add) { return "chain " + add.chain.name; },
          [](const nft::AddSet& add) { return "set " + add.set.name; },
          [](const nft::FlushChain& flush) { return "the rules of chain " + flush.chain; },
          [](const nft::DeleteChain& remove) { return "chain " + remove.chain; },
          [](const nft::DeleteSet& remove) { return "set " + remove.set; },
          [](const auto&) { return std::string("table inet fwctl"); }},
      change);
}

}  // namespace

std::string message(const Failure& failure) {
  return std::visit(
      Overloaded{[](const InvalidPolicy& invalid) { return render(invalid.diagnostics); },
                 [](const KernelRefused& refused) {
                   return refused.message + render(refused.diagnostics);
                 },
                 [](const Error& error) { return error.message(); },
                 [](const Refused& refused) { return refused.message; }},
      failure);
}

// What one rule more starts from, for as long as no other change comes.
struct Firewall::Appending {
  bool printed;                           // rules.yaml has the form that yaml_text() gives it
  std::uint64_t sum;                      // Generation::sum() of the current one
  std::optional<compile::Growth> growth;  // of the policy in force
};

Firewall::Firewall(Places places, Kernel& kernel)
    : places_(std::move(places)), config_(places_.config), store_(places_.state), kernel_(kernel) {}

Firewall::~Firewall() = default;

// --- looking ---

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

std::vector<std::string> Firewall::problems() const {
  std::vector<std::string> out = problems_;
  const auto files = config_.read();
  if (!files) {
    out.push_back(files.error().message());
    return out;
  }
  if (fallback()) return out;  // nothing on disk is in force
  const auto compare = [&](const Source& loaded, const Source* now) {
    if (now == nullptr)
      out.push_back(loaded.name + " is gone but still in force: 'fwctl reload' takes it out");
    else if (now->text != loaded.text)
      out.push_back(now->name +
                    " has changed since it was loaded: 'fwctl reload' puts it in force");
  };
  const auto find = [](const std::vector<Source>& sources, const std::string& name) {
    const auto found = std::find_if(sources.begin(), sources.end(),
                                    [&](const Source& source) { return source.name == name; });
    return found == sources.end() ? nullptr : &*found;
  };
  const auto compare_all = [&](const std::vector<Source>& loaded, const std::vector<Source>& now) {
    for (const auto& source : loaded) compare(source, find(now, source.name));
    for (const auto& source : now)
      if (find(loaded, source.name) == nullptr)
        out.push_back(source.name + " is new: 'fwctl reload' puts it in force");
  };
  compare_all(current_.sources.managed, files->managed);
  compare_all(current_.sources.definitions, files->definitions);
  compare_all(current_.sources.set_files, files->set_files);
  compare(current_.sources.added, &files->added);
  const auto services = policy::kept_difference(
      current_.sources.services, policy::used_services(policy_->policy(), services_of_host()));
  if (current_.sources.surroundings.wan && current_.sources.surroundings.wan->empty())
    out.emplace_back("there is no default route: rules on 'wan' match nothing until there is one");
  const auto names = policy::names(policy_->policy());
  for (const auto& host : names.hosts)
    if (!current_.sources.surroundings.hosts.contains(host))
      out.push_back("host:" + host +
                    " has not been resolved yet: no packet matches it until it is");
  for (const auto& line :
       policy::difference(current_.sources.surroundings,
                          surroundings({.users = names.users, .groups = names.groups}, {})))
    out.push_back("since the policy was loaded, this host changed " + line +
                  ": 'fwctl reload' puts it in force");
  for (const auto& line : services)
    out.push_back("since the policy was loaded, this host changed " + line +
                  ": 'fwctl app update all' puts it in force");
  return out;
}

std::vector<std::string> Firewall::forwarding_problems() const {
  return current_.enabled ? problems_with(places_.forwarding(), *policy_)
                          : std::vector<std::string>();
}

Result<Firewall::Look> Firewall::look() {
  Look out;
  if (!current_.enabled) return out;
  const auto ruleset = read_kernel();
  if (!ruleset && ruleset.error().code != EBADMSG) return tl::unexpected(ruleset.error());
  out.drifted = drifted_ || !ruleset || !is_loaded(*ruleset);
  if (!ruleset || !*ruleset) return out;
  const auto count = [&](const std::string& id, const nft::Counter& counter) {
    out.hits[id].packets += counter.packets;
    out.hits[id].bytes += counter.bytes;
  };
  for (const auto& chain : (*ruleset)->chains)
    for (const auto& rule : chain.rules)
      for (const auto& statement : rule.statements)
        if (const auto* counter = std::get_if<nft::Counter>(&statement))
          count(rule.comment, *counter);
  for (const auto& set : (*ruleset)->sets)
    for (const auto& element : set.elements)
      if (set.counters) count(element.comment, element.counter);
  return out;
}

std::string Firewall::ruleset_text() const {
  auto ruleset = compile::compile(*policy_, units_of(*policy_));
  nft::remove_ended(ruleset, now());
  return nft::text(ruleset, now());
}

// --- the transaction ---

Firewall::Candidate Firewall::same_as_now() const {
  return {.sources = current_.sources, .enabled = current_.enabled};
}

tl::expected<Firewall::Checked, Failure> Firewall::check(Candidate& candidate,
                                                         Diagnostics& diagnostics) const {
  policy::Sources named = candidate.sources;
  if (!candidate.name_for_policy_file.empty())
    for (auto& source : named.managed)
      if (source.name == config_.policy_file().string())
        source.name = candidate.name_for_policy_file;
  const auto table = services(candidate.sources.services);
  auto parsed = policy::parse(named, diagnostics);
  const auto names = policy::names(parsed.policy);
  named.surroundings = surroundings(names, candidate.sources.surroundings);
  auto policy = policy::check(parsed, named, table, diagnostics);
  if (!policy) return tl::unexpected(Failure(InvalidPolicy{std::move(diagnostics)}));
  candidate.sources.services = policy::used_services(policy->policy(), table);
  candidate.sources.surroundings = named.surroundings.only(names);
  return Checked{*std::move(policy), std::move(parsed.added)};
}

std::optional<nft::Ruleset> Firewall::wanted(const policy::CheckedPolicy& policy,
                                             const policy::Units& units,
                                             const Generation& generation) {
  if (!generation.enabled) return {};
  nft::Ruleset ruleset = compile::compile(policy, units);
  nft::remove_ended(ruleset, now());
  nft::Chain marker{
      .name = std::string(nft::marker_chain), .comment = generation.marker(), .rules = {}};
  const auto place =
      std::find_if(ruleset.chains.begin(), ruleset.chains.end(),
                   [&](const nft::Chain& chain) { return chain.name > marker.name; });
  ruleset.chains.insert(place, std::move(marker));
  return ruleset;
}

nft::Plan Firewall::plan_for(const std::optional<nft::Ruleset>& wanted,
                             std::uint64_t version) const {
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

Failure Firewall::explain(const TransactionError& error, const nft::Changes& changes,
                          const policy::CheckedPolicy& policy, const policy::Sources& sources) {
  KernelRefused refused{.message = "the kernel refused the change: " + error.error.message()};
  std::vector<std::string> objects;
  for (const auto& [index, code] : error.refusals) {
    if (index >= changes.size()) continue;
    const std::string why =
        "the kernel refuses this: " + Error{"load", object_of(changes[index]), code, {}}.message();
    if (objects.size() < 3) objects.push_back(object_of(changes[index]));
    for (const auto& id : ids_in(changes[index])) {
      const auto blame = [&](const auto& written) {
        refused.diagnostics.push_back(error_in(sources.at(written.source), written.at, why));
      };
      if (const auto number = policy.find(id)) blame(policy.policy().rules[*number]);
      for (const auto& forward : policy.forwards())
        if (forward.id == id) blame(policy.policy().forwards[forward.written]);
      for (const auto& masquerade : policy.masquerades())
        if (masquerade.id == id) blame(policy.policy().masquerades[masquerade.written]);
    }
  }
  for (const auto& object : objects)
    refused.message += (&object == &objects.front() ? ": " : ", ") + object;
  return refused;
}

tl::expected<void, Failure> Firewall::load(const std::optional<nft::Ruleset>& wanted,
                                           std::uint64_t version,
                                           const policy::CheckedPolicy& policy,
                                           const policy::Sources& sources) {
  // Another program may have changed our table: what is planned starts from what is really there.
  if (const auto looked = look_again(); !looked) return tl::unexpected(Failure(looked.error()));
  forget_ended();
  nft::Plan plan = plan_for(wanted, version);
  uncollected_ = true;
  if (const auto prepared = kernel_.apply(plan.prepare); !prepared)
    return tl::unexpected(explain(prepared.error(), plan.prepare, policy, sources));
  if (!plan.prepare.empty()) loaded_ = plan.prepared;
  const auto applied = kernel_.apply(plan.changes);
  if (applied) {
    if (std::exchange(drifted_, false)) note_restored();
    foreign_ = false;
    loaded_ = wanted ? std::optional(plan.result) : std::nullopt;
    if (deletes_table(plan.changes)) traces_.clear();
  } else if (!plan.prepare.empty()) {
    take_back();
  }
  if (const auto revision = kernel_.revision()) revision_ = *revision;
  if (!applied) return tl::unexpected(explain(applied.error(), plan.changes, policy, sources));
  return {};
}

// What was loaded beside the rules in force, and now will not be used.
void Firewall::take_back() {
  nft::Plan rest = nft::collect(*loaded_);
  const bool was_empty = rest.result.chains.empty();
  if (was_empty) rest.changes = {nft::DeleteTable{}};
  if (const auto taken = kernel_.apply(rest.changes); !taken) return;  // a later change collects it
  loaded_ = was_empty ? std::nullopt : std::optional(std::move(rest.result));
}

// A trace that somebody else touched is no longer ours: what is left of it is a change of theirs.
Result<std::optional<nft::Ruleset>> Firewall::read_kernel() {
  auto ruleset = kernel_.read();
  if (!ruleset) return ruleset;
  std::erase_if(traces_, [&](const nft::Chain& trace) {
    return !*ruleset || std::erase((*ruleset)->chains, trace) == 0;
  });
  return ruleset;
}

void Firewall::forget_ended() {
  if (loaded_) nft::remove_ended(*loaded_, now() - around_an_end);
}

bool Firewall::is_loaded(const std::optional<nft::Ruleset>& seen) const {
  if (seen == loaded_) return true;
  if (!seen || !loaded_) return false;
  auto is = *seen;
  auto was = *loaded_;
  const Time soon = now() + around_an_end;
  const bool ended = nft::remove_ended(was, soon);
  return (nft::remove_ended(is, soon) || ended) && is == was;
}

Result<void> Firewall::look_again() {
  const auto revision = kernel_.revision();
  if (!revision) return tl::unexpected(revision.error());
  if (*revision == revision_) return {};
  auto now = read_kernel();
  if (!now && now.error().code != EBADMSG) return tl::unexpected(now.error());
  revision_ = *revision;
  if (now && !foreign_ && is_loaded(*now)) return {};
  foreign_ = !now;
  loaded_ = now ? std::move(*now) : std::nullopt;
  drifted_ = true;
  return {};
}

Result<std::vector<Firewall::Replaced>> Firewall::stage(const std::vector<Source>& files) const {
  std::vector<Replaced> out;
  for (const auto& [path, text] : files) {
    auto before = read_file(path);
    if (!before) return tl::unexpected(before.error());
    // What rules.yaml says the generation has, which is synced; see finish_files().
    const bool machine_written = path == config_.added_file();
    auto staged =
        StagedFile::write(path, text, machine_written ? Safety::unsynced : Safety::synced);
    if (!staged) return tl::unexpected(staged.error());
    out.push_back({.file = std::move(*staged), .path = path, .before = std::move(*before)});
  }
  return out;
}

Result<void> Firewall::publish(std::vector<Replaced>& files) {
  for (auto& replaced : files)
    if (auto published = replaced.file.publish(); !published) return published;
  return {};
}

// The latest time is enough.
void Firewall::note_restored() {
  constexpr std::string_view what =
      "another program had changed table inet fwctl; it was restored at ";
  std::erase_if(problems_, [&](const std::string& problem) { return problem.starts_with(what); });
  problems_.push_back(std::string(what) + time_text(now()));
}

void Firewall::note(const Result<void>& done) {
  if (!done) problems_.push_back(done.error().message());
}

// Behind the commit point a file could not take its place: back to the old generation, everywhere.
void Firewall::undo(const Generation& next, const std::vector<Replaced>& files) {
  if (auto back = load(wanted(*policy_, units_of(*policy_), current_), next.number + 1, *policy_,
                       current_.sources);
      !back)
    problems_.push_back("the kernel holds generation " + std::to_string(next.number) +
                        ", which could not be stored, and refuses the one before: 'fwctl reload'");
  note(store_.take_back());
  for (const auto& replaced : files) {
    const auto there = read_file(replaced.path);
    if (there && *there == replaced.before) continue;
    if (!replaced.before) {
      ::unlink(replaced.path.c_str());
      continue;
    }
    auto staged = StagedFile::write(replaced.path, *replaced.before);
    note(staged ? staged->publish() : Result<void>(tl::unexpected(staged.error())));
  }
}

// Puts our table back when someone else changed it. True when there was something to do.
Result<bool> Firewall::heal() {
  if (const auto looked = look_again(); !looked) return tl::unexpected(looked.error());
  if (!drifted_) return false;
  if (auto done = force(*policy_, current_); !done) return tl::unexpected(done.error());
  return true;
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

Change Firewall::commit(Candidate candidate, const Request& request) {
  Outcome outcome{.generation = current_.number,
                  .enabled = current_.enabled,
                  .notes = std::move(candidate.notes)};
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
    const auto known = candidate.only_news && current_.enabled ? problems_with(kernel, *policy_)
                                                               : std::vector<std::string>();
    for (auto& problem : problems_with(kernel, policy))
      if (std::ranges::find(known, problem) == known.end())
        outcome.notes.push_back(std::move(problem));
  }
  const auto running = units_of(policy);
  if (!request.refresh)
    for (auto& note : idle_units(policy.policy(), running, candidate.only_news))
      outcome.notes.push_back(std::move(note));
  if (candidate.sources == current_.sources && candidate.enabled == current_.enabled) {
    outcome.warnings.clear();
    return outcome;
  }
  outcome.changed = true;
  outcome.difference = policy::difference(policy_->policy(), policy.policy());
  const auto services =
      policy::kept_difference(current_.sources.services, candidate.sources.services);
  outcome.difference.insert(outcome.difference.end(), services.begin(), services.end());
  const auto names =
      policy::difference(current_.sources.surroundings, candidate.sources.surroundings);
  outcome.difference.insert(outcome.difference.end(), names.begin(), names.end());
  Generation next = next_generation(std::move(candidate.sources), candidate.enabled, request);
  const auto ruleset = wanted(policy, running, next);
  if (request.dry_run) {
    auto plan = plan_for(ruleset, next.number);
    plan.changes.insert(plan.changes.begin(), plan.prepare.begin(), plan.prepare.end());
    const auto possible = kernel_.check(plan.changes);
    if (!possible)
      return tl::unexpected(explain(possible.error(), plan.changes, policy, next.sources));
    return outcome;
  }
  const auto enforce = [&] { return load(ruleset, next.number, policy, next.sources); };
  if (auto done = carry_out(next, candidate.files, enforce, [] {}); !done)
    return tl::unexpected(std::move(done.error()));
  // Of those that nobody asked for, the last is enough: they must not push out what people did.
  if (next.refreshed && current_.refreshed) static_cast<void>(store_.forget(current_.number));
  take(std::move(next), *std::move(checked), std::move(warnings));
  outcome.generation = current_.number;
  outcome.enabled = current_.enabled;
  return outcome;
}

// What follows when nothing has been touched yet. `enforce` is the commit point; `abandon` is
// called when anything fails, before what was done is undone.
tl::expected<void, Failure> Firewall::carry_out(
    const Generation& next, const std::vector<Source>& written,
    const std::function<tl::expected<void, Failure>()>& enforce,
    const std::function<void()>& abandon) {
  const auto fail = [&](Failure failure) {
    abandon();
    return tl::unexpected(std::move(failure));
  };
  // 2. On disk, in force nowhere.
  auto files = stage(written);
  if (!files) return fail(files.error());
  if (const auto appended = store_.append(next, current_); !appended) return fail(appended.error());
  // 3. The commit point.
  if (auto enforced = enforce(); !enforced) {
    note(store_.take_back());
    return fail(std::move(enforced.error()));
  }
  // 4. In their places.
  if (const auto published = publish(*files); !published) {
    auto failed = fail(published.error());
    undo(next, *files);
    return failed;
  }
  return {};
}

// What is in force from now on.
void Firewall::take(Generation generation, Checked checked, Diagnostics warnings) {
  appending_.reset();
  current_ = std::move(generation);
  policy_ = std::move(checked.policy);
  added_ = std::move(checked.added);
  warnings_ = std::move(warnings);
}

// --- changes ---

std::optional<Failure> Firewall::not_editable() const {
  if (fallback())
    return Failure(
        Refused{"no policy of this host could be loaded ('fwctl status' says why): mend the "
                "files and 'fwctl reload' first"});
  const auto text = read_file(config_.added_file());
  if (!text) return Failure(text.error());
  if (text->value_or("") == current_.sources.added.text) return {};
  return Failure(Refused{config_.added_file().string() +
                         " was changed by hand since it was loaded, and this would overwrite it: "
                         "'fwctl reload' first"});
}

void Firewall::write_added(Candidate& candidate, const policy::Added& added) const {
  candidate.sources.added = {.name = config_.added_file().string(),
                             .text = policy::yaml_text(added)};
  candidate.files.push_back(candidate.sources.added);
  candidate.only_news = true;
}

// What is wrong with what was typed, at the place where it was typed. `typed` has nothing else.
Diagnostics Firewall::check_typed(const std::vector<std::string>& words,
                                  const policy::Policy& typed) const {
  Diagnostics diagnostics;
  const auto alone = policy::alone(*policy_, typed);
  policy::Sources command;
  command.managed.push_back(
      {.name = std::string(policy::command_source), .text = policy::join(words)});
  command.surroundings = surroundings(policy::names(alone.policy));
  const auto table =
      policy::names_services(typed) ? services(current_.sources.services) : policy::ServiceTable();
  if (policy::check(alone, command, table, diagnostics)) diagnostics.clear();
  return diagnostics;
}

Change Firewall::add(const std::vector<std::string>& words, policy::Place place,
                     const Request& request) {
  if (!words.empty() && policy::begins_translation(words.front())) {
    if (!place.number) return add_translation(words, request);
    return tl::unexpected(
        Failure(Refused{"'" + words.front() + "' has no number among the rules: 'fwctl " +
                        words.front() + " ...' adds it"}));
  }
  Diagnostics diagnostics;
  auto rule = policy::parse_rule(words, diagnostics, request.now);
  policy::Policy typed;
  if (rule) {
    typed.rules = {*rule};
    diagnostics = check_typed(words, typed);
  }
  if (!rule || has_errors(diagnostics))
    return tl::unexpected(Failure(InvalidPolicy{std::move(diagnostics)}));
  if (auto failure = not_editable()) return tl::unexpected(*std::move(failure));
  auto addition =
      policy::plan_addition(*policy_, current_.sources, added_, std::move(*rule), place);
  if (!addition) return tl::unexpected(Failure(Refused{addition.error()}));
  if (auto done = append(*addition, request)) return *std::move(done);
  auto edit = policy::add(*policy_, added_, *std::move(addition));
  Candidate candidate = same_as_now();
  candidate.notes = std::move(edit.notes);
  if (edit.changed) write_added(candidate, edit.added);
  return commit(std::move(candidate), request);
}

// What add() comes to where it is one plain rule more, without going through all the others:
// nullopt where it is not, and nothing was done.
std::optional<Change> Firewall::append(const policy::Addition& addition, const Request& request) {
  if (addition.kind != policy::Addition::Kind::appends || added_.rules.empty() || request.dry_run)
    return {};
  auto appended = policy::append(*policy_, current_.sources, addition.rule);
  if (!appended) return {};
  if (!printed()) return {};
  Generation next = next_generation(current_.sources, current_.enabled, request);
  next.sources.added.text += appended->item;
  const auto sum = digest(appended->item, appending_->sum);
  if (current_.enabled && !appending_->growth) appending_->growth.emplace(*policy_);
  const auto traffic = policy::traffic(appended->rule.direction);
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
  auto change = grow_to(std::move(next), sum, *changes, abandon);
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
  auto change = grow_to(std::move(next), sum, *changes, abandon);
  if (!change) return change;
  auto& own = *std::ranges::find(added_.sets, wanted.name, &policy::AddressSet::name);
  own.ranges.insert(own.ranges.end(), entries.begin(), entries.end());
  for (const auto& range : entries)
    change->difference.push_back("+ set " + wanted.name + " " + range.text());
  return change;
}

// Brings `next`, whose sum() is `sum`, in force by what growing() said of it; `abandon` as of
// carry_out(). policy_ has what is new already.
Change Firewall::grow_to(Generation next, std::uint64_t sum, const nft::Changes& changes,
                         const std::function<void()>& abandon) {
  const auto enforce = [&] { return grow(changes, next.sources); };
  if (auto done = carry_out(next, {next.sources.added}, enforce, abandon); !done)
    return tl::unexpected(std::move(done.error()));
  current_ = std::move(next);
  appending_->sum = sum;
  return Outcome{
      .changed = true, .generation = current_.number, .enabled = current_.enabled, .notes = {}};
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

Generation Firewall::next_generation(policy::Sources sources, bool enabled,
                                     const Request& request) const {
  return {.number = std::max(current_.number, store_.highest()) + 1,
          .enabled = enabled,
          .sources = std::move(sources),
          .created = time_text(now()),
          .reason = request.reason,
          .refreshed = request.refresh};
}

// What the kernel needs for `more`, which it has not yet; nullopt where that is not just elements
// in sets that are there.
std::optional<nft::Changes> Firewall::growing(
    const std::function<std::optional<std::vector<nft::Set>>()>& more, const std::string& marker) {
  if (!current_.enabled) return nft::Changes();
  if (!table_is_known()) return {};
  const auto elements = more();
  if (!elements) return {};
  return nft::grow(*loaded_, *elements,
                   {.name = std::string(nft::marker_chain), .comment = marker, .rules = {}});
}

// Whether loaded_ is what the kernel has, and as it was left.
bool Firewall::table_is_known() {
  return look_again() && !drifted_ && !foreign_ && loaded_;
}

tl::expected<void, Failure> Firewall::grow(const nft::Changes& changes,
                                           const policy::Sources& sources) {
  if (const auto applied = kernel_.apply(changes); !applied)
    return tl::unexpected(explain(applied.error(), changes, *policy_, sources));
  if (loaded_) nft::grown(*loaded_, changes);
  if (const auto revision = kernel_.revision()) revision_ = *revision;
  return {};
}

Change Firewall::add_translation(const std::vector<std::string>& words, const Request& request) {
  Diagnostics diagnostics;
  const auto translation = policy::parse_translation(words, diagnostics);
  if (translation) {
    policy::Policy typed;
    if (const auto* forward = std::get_if<policy::Forward>(&*translation))
      typed.forwards = {*forward};
    else
      typed.masquerades = {std::get<policy::Masquerade>(*translation)};
    diagnostics = check_typed(words, typed);
  }
  if (!translation || has_errors(diagnostics))
    return tl::unexpected(Failure(InvalidPolicy{std::move(diagnostics)}));
  if (auto failure = not_editable()) return tl::unexpected(*std::move(failure));
  auto edit = policy::add(*policy_, current_.sources, added_, *translation);
  if (!edit) return tl::unexpected(Failure(Refused{edit.error()}));
  Candidate candidate = same_as_now();
  candidate.notes = std::move(edit->notes);
  if (edit->changed) write_added(candidate, edit->added);
  return commit(std::move(candidate), request);
}

tl::expected<policy::Edit, Failure> Firewall::edit_out(
    const std::vector<std::string>& selection) const {
  Diagnostics diagnostics;
  policy::EditResult edit;
  if (!selection.empty() && policy::begins_translation(selection.front())) {
    const auto translation = policy::parse_translation(selection, diagnostics);
    if (translation) edit = policy::remove(*policy_, current_.sources, added_, *translation);
  } else {
    edit = policy::remove(*policy_, current_.sources, added_, selection, diagnostics);
  }
  if (!diagnostics.empty()) return tl::unexpected(Failure(InvalidPolicy{std::move(diagnostics)}));
  if (!edit) return tl::unexpected(Failure(Refused{edit.error()}));
  return *std::move(edit);
}

Change Firewall::remove(const std::vector<std::string>& selection, const Request& request) {
  if (auto failure = not_editable()) return tl::unexpected(*std::move(failure));
  auto edit = edit_out(selection);
  if (!edit) return tl::unexpected(std::move(edit.error()));
  Candidate candidate = same_as_now();
  candidate.notes = std::move(edit->notes);
  if (edit->changed) write_added(candidate, edit->added);
  return commit(std::move(candidate), request);
}

Change Firewall::remove_ended(const Request& request) {
  if (auto failure = not_editable()) return tl::unexpected(*std::move(failure));
  auto edit = policy::remove_ended(added_, request.now);
  Candidate candidate = same_as_now();
  candidate.notes = std::move(edit.notes);
  if (edit.changed) write_added(candidate, edit.added);
  return commit(std::move(candidate), request);
}

std::optional<Time> Firewall::next_end() const {
  std::optional<Time> next;
  for (const auto& rule : policy_->policy().rules)
    if (rule.layer != policy::Layer::managed && rule.until && (!next || *rule.until < *next))
      next = rule.until;
  for (const auto& set : policy_->policy().sets)
    if (set.source == current_.sources.managed.size())
      for (const auto& [range, until] : set.temporary)
        if (const Time then = until + around_an_end; !next || then < *next) next = then;
  return next;
}

Change Firewall::set_default(policy::Traffic traffic, policy::Verdict verdict,
                             const Request& request) {
  if (auto failure = not_editable()) return tl::unexpected(*std::move(failure));
  Candidate candidate = same_as_now();
  if (policy_->default_for(traffic) == verdict) {
    candidate.notes.push_back("the default for " + std::string(text(traffic)) + " traffic is " +
                              std::string(text(verdict)) + " already");
    return commit(std::move(candidate), request);
  }
  auto added = added_;
  added.defaults[static_cast<std::size_t>(traffic)] = verdict;
  write_added(candidate, added);
  return commit(std::move(candidate), request);
}

Change Firewall::set_logging(policy::Logging level, const Request& request) {
  if (auto failure = not_editable()) return tl::unexpected(*std::move(failure));
  Candidate candidate = same_as_now();
  if (policy_->logging() == level) {
    candidate.notes.push_back("logging is " + std::string(text(level)) + " already");
    return commit(std::move(candidate), request);
  }
  auto added = added_;
  added.logging = level;
  write_added(candidate, added);
  return commit(std::move(candidate), request);
}

Change Firewall::edit_set(policy::SetAction action, const std::string& name,
                          const std::vector<std::string>& words, const Request& request) {
  Diagnostics diagnostics;
  const auto wanted = policy::parse_set_edit(action, name, words, request.now, diagnostics);
  if (!wanted) return tl::unexpected(Failure(InvalidPolicy{std::move(diagnostics)}));
  if (auto failure = not_editable()) return tl::unexpected(*std::move(failure));
  if (auto done = extend(*wanted, request)) return *std::move(done);
  auto edit = policy::edit_set(policy_->policy(), current_.sources, added_, *wanted);
  if (!edit) return tl::unexpected(Failure(Refused{edit.error()}));
  Candidate candidate = same_as_now();
  candidate.notes = std::move(edit->notes);
  if (edit->changed) write_added(candidate, edit->added);
  return commit(std::move(candidate), request);
}

Change Firewall::enable(const Request& request) {
  if (fallback() && !current_.enabled)
    return tl::unexpected(
        Failure(Refused{"no policy of this host could be loaded ('fwctl status' says "
                        "why): mend the files and 'fwctl reload' first"}));
  Candidate candidate = same_as_now();
  const bool already = candidate.enabled;
  candidate.enabled = true;
  candidate.only_news = true;
  auto change = commit(std::move(candidate), request);
  if (!change || !already) return change;
  return healed(std::move(*change), "the firewall is in force already", request);
}

Change Firewall::disable(const Request& request) {
  Candidate candidate = same_as_now();
  if (!candidate.enabled) candidate.notes.emplace_back("the firewall is not in force already");
  candidate.enabled = false;
  candidate.only_news = true;
  return commit(std::move(candidate), request);
}

Change Firewall::reload(const Request& request) {
  auto sources = config_.read();
  if (!sources) return tl::unexpected(Failure(sources.error()));
  Candidate candidate = same_as_now();
  candidate.sources = std::move(*sources);
  // Accounts are looked up anew; of the rest, what cannot be found out stays as it was.
  candidate.sources.surroundings = current_.sources.surroundings;
  candidate.sources.surroundings.users.clear();
  candidate.sources.surroundings.groups.clear();
  auto change = commit(std::move(candidate), request);
  if (!change) return change;
  // Also when they are why nothing changed.
  const auto bad = read_services(places_.services).warnings;
  change->warnings.insert(change->warnings.end(), bad.begin(), bad.end());
  if (request.dry_run) return change;
  problems_.clear();
  if (change->changed) return change;
  const auto* already = current_.enabled ? "the files say what is in force already"
                                         : "the files say what is stored already";
  return healed(std::move(*change), already, request);
}

Change Firewall::update_services(const std::string& name, const Request& request) {
  const auto host = services_of_host();
  if (!name.empty() && host.find(name) == nullptr)
    return tl::unexpected(
        Failure(Refused{"no service is called '" + name + "'" + suggestion(name, host.names())}));
  Candidate candidate = same_as_now();
  auto& kept = candidate.sources.services;
  auto rest = name.empty() ? std::string() : policy::without_kept(kept, name);
  const bool used = rest != kept;
  kept = std::move(rest);
  candidate.only_news = true;
  auto change = commit(std::move(candidate), request);
  if (!change || change->changed) return change;
  const std::string what = name.empty() ? "every service" : "'" + name + "'";
  change->notes.push_back(used || name.empty()
                              ? what + " means what it meant already"
                              : "no rule takes what " + what + " means from this host");
  return change;
}

Change Firewall::refresh() {
  const Request request{.reason = "what names mean has changed", .refresh = true};
  Candidate candidate = same_as_now();
  candidate.only_news = true;
  const auto& kept = current_.sources.surroundings;
  if (current_.enabled && !kept.to_look_up(policy::names(policy_->policy())).empty())
    return commit(std::move(candidate), request);
  return Outcome{.generation = current_.number, .enabled = current_.enabled};
}

Result<void> Firewall::follow_units() {
  if (!current_.enabled || policy::unit_names(policy_->policy()).empty()) return {};
  const auto changes =
      table_is_known() ? nft::exchange(*loaded_, compile::unit_sets(*policy_, units_of(*policy_)))
                       : std::nullopt;
  if (!changes) return force(*policy_, current_);
  if (changes->empty()) return {};
  if (auto done = grow(*changes, current_.sources); !done)
    return failed("load", "where units run", 0, message(done.error()));
  return {};
}

// A change that turned out to be none is the moment to look whether what should be in force is.
Change Firewall::healed(Outcome outcome, std::string_view already, const Request& request) {
  if (current_.enabled && !request.dry_run) {
    const auto mended = heal();
    if (!mended) return tl::unexpected(Failure(mended.error()));
    outcome.changed = *mended;
  }
  outcome.notes.emplace_back(
      outcome.changed ? "another program had changed table inet fwctl: restored" : already);
  return outcome;
}

Change Firewall::apply(const std::string& text, const std::string& name, const Request& request) {
  Candidate candidate = same_as_now();
  if (fallback()) {
    auto sources = config_.read();
    if (!sources) return tl::unexpected(Failure(sources.error()));
    candidate.sources = std::move(*sources);
  }
  candidate.name_for_policy_file = name;
  const std::string path = config_.policy_file().string();
  auto& managed = candidate.sources.managed;
  const auto found = std::find_if(managed.begin(), managed.end(),
                                  [&](const Source& source) { return source.name == path; });
  if (found != managed.end())
    found->text = text;
  else
    managed.insert(managed.begin(), {.name = path, .text = text});
  if (auto sets = config_.read_sets(candidate.sources); !sets)
    return tl::unexpected(Failure(sets.error()));
  if (candidate.sources == current_.sources)
    candidate.notes.emplace_back("this policy is in force already");
  candidate.files.push_back({.name = path, .text = text});
  return commit(std::move(candidate), request);
}

tl::expected<Firewall::ResetOutcome, Failure> Firewall::reset(const Request& request) {
  ResetOutcome result;
  const std::string path = config_.added_file().string();
  const auto text = read_file(path);
  if (!text) return tl::unexpected(Failure(text.error()));
  const bool keep =
      !fallback() && !text->value_or("").empty() && **text != policy::yaml_text(policy::Added{});
  if (keep) {
    const std::string stamped = path + "." + for_file_name(request.now);
    result.kept = stamped;
    for (int copy = 2; ::access(result.kept.c_str(), F_OK) == 0; ++copy)
      result.kept = stamped + "-" + std::to_string(copy);
    if (!request.dry_run)
      if (auto written = write_synced(result.kept, **text, for_everyone); !written)
        return tl::unexpected(Failure(written.error()));
  }
  Candidate candidate = same_as_now();
  candidate.enabled = false;
  if (!fallback() && keep) write_added(candidate, {});
  auto change = commit(std::move(candidate), request);
  if (!change) {
    if (keep && !request.dry_run) ::unlink(result.kept.c_str());
    return tl::unexpected(std::move(change.error()));
  }
  result.outcome = std::move(*change);
  return result;
}

Result<void> Firewall::collect() {
  if (const auto settled = settle(); !settled) return settled;
  if (const auto healed = heal(); !healed) return tl::unexpected(healed.error());
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
  if (const auto revision = kernel_.revision()) revision_ = *revision;
  return {};
}

Result<void> Firewall::settle() {
  if (fallback() || store_.settled()) return {};
  std::error_code unknown;
  const auto path = config_.added_file();
  if (std::filesystem::exists(path, unknown))
    if (auto synced = sync_file(path); !synced) return synced;
  store_.settle();
  return {};
}

// --- traces ---

tl::expected<void, Failure> Firewall::begin_trace(const nft::Chain& chain) {
  if (!current_.enabled)
    return tl::unexpected(
        Failure(Refused{"the firewall is not in force: every packet passes ('fwctl enable')"}));
  if (const auto healed = heal(); !healed) return tl::unexpected(Failure(healed.error()));
  nft::Changes changes{nft::AddChain{{.name = chain.name, .hook = chain.hook}}};
  for (const auto& rule : chain.rules) changes.emplace_back(nft::AddRule{chain.name, rule});
  if (const auto applied = kernel_.apply(changes); !applied)
    return tl::unexpected(explain(applied.error(), changes, *policy_, current_.sources));
  traces_.push_back(chain);
  if (const auto revision = kernel_.revision()) revision_ = *revision;
  return {};
}

void Firewall::end_trace(const std::string& name) {
  if (!tracing(name)) return;
  // What another program did until now stays to be seen.
  const auto before = kernel_.revision();
  const bool known = before && *before == revision_;
  // Where this is refused the chain is gone already, or will be found to be none of ours.
  static_cast<void>(kernel_.apply({nft::FlushChain{name}, nft::DeleteChain{name}}));
  std::erase_if(traces_, [&](const nft::Chain& trace) { return trace.name == name; });
  const auto after = kernel_.revision();
  if (known && after) revision_ = *after;
}

bool Firewall::tracing(const std::string& name) const {
  return std::ranges::find(traces_, name, &nft::Chain::name) != traces_.end();
}

// --- start ---

// What the newest generation says of files that were to take their places, and may not have.
void Firewall::finish_files(const std::vector<Generation>& kept) {
  for (const auto& path : {config_.added_file(), config_.policy_file()}) {
    const auto staged = StagedFile::left_behind(path);
    if (!staged) problems_.push_back(staged.error().message());
    if (!staged || !*staged) continue;
    StagedFile file = StagedFile::take_over(path);
    // Any other belongs to a change that never was. Cut off at its very beginning, it would look
    // like a generation that has no such file.
    if (kept.empty() || (*staged)->empty() || text_of(kept.front().sources, path) != **staged)
      continue;
    note(file.publish());
  }
  if (!kept.empty() && !store_.settled()) finish_added_file(kept);
}

// It is not synced with a change: a power loss may leave an earlier one, or part of one. What
// people made of it stays.
void Firewall::finish_added_file(const std::vector<Generation>& kept) {
  const auto path = config_.added_file();
  const auto& wanted = kept.front().sources.added.text;
  const auto read = read_file(path);
  if (!read) return note(tl::unexpected(read.error()));
  const std::string there = read->value_or("");
  const bool ours = wanted.starts_with(there) || there.find('\0') != std::string::npos ||
                    std::ranges::any_of(kept, [&](const Generation& one) {
                      return one.sources.added.text == there;
                    });
  if (there == wanted || !ours) return;
  auto staged = StagedFile::write(path, wanted);
  note(staged ? staged->publish() : Result<void>(tl::unexpected(staged.error())));
}

Result<void> Firewall::force(const policy::CheckedPolicy& policy, const Generation& generation) {
  auto loaded = load(wanted(policy, units_of(policy), generation), generation.number, policy,
                     generation.sources);
  if (loaded) return {};
  const auto* refused = std::get_if<KernelRefused>(&loaded.error());
  return failed("load", "generation " + std::to_string(generation.number), 0,
                refused != nullptr ? refused->message : std::string());
}

bool Firewall::adopt(const Generation& generation) {
  Diagnostics diagnostics;
  auto parsed = policy::parse(generation.sources, diagnostics);
  auto policy =
      policy::check(parsed, generation.sources, services(generation.sources.services), diagnostics);
  if (!policy) {
    problems_.push_back("generation " + std::to_string(generation.number) +
                        " no longer makes sense: " + render(diagnostics));
    return false;
  }
  if (auto done = force(*policy, generation); !done) {
    problems_.push_back(done.error().message());
    return false;
  }
  take(generation, {*std::move(policy), std::move(parsed.added)}, std::move(diagnostics));
  return true;
}

Generation Firewall::built_in(bool enabled) const {
  return {.number = 0,
          .enabled = enabled,
          .sources = {.managed = {{.name = "built-in", .text = std::string(minimal_policy)}},
                      .added = {.name = config_.added_file().string(), .text = {}}},
          .created = time_text(now()),
          .reason = "fallback"};
}

Result<void> Firewall::start_minimal() {
  const Generation minimal = built_in(true);
  if (!adopt(minimal)) return failed("load", "the built-in policy", 0, problems_.back());
  problems_.emplace_back(
      "NO STORED POLICY COULD BE LOADED: a built-in one is in force that lets in SSH (port 22) and "
      "nothing else. Mend the files and 'fwctl reload'");
  return {};
}

Result<void> Firewall::start() {
  if (const auto looked = look_again(); !looked) return tl::unexpected(looked.error());
  drifted_ = false;  // whatever is there, it is where we start from
  const bool was_in_force = loaded_.has_value() || foreign_;

  auto kept = store_.kept();
  const bool readable = kept.has_value() && store_.damaged().empty();
  if (!kept) {
    problems_.push_back(kept.error().message());
    kept = std::vector<Generation>{};
  }
  for (const auto& path : store_.damaged())
    problems_.push_back(path + " is damaged and was left out");
  finish_files(*kept);
  for (const auto& generation : *kept) {
    if (!adopt(generation)) continue;
    if (&generation != &kept->front())
      problems_.push_back("generation " + std::to_string(generation.number) +
                          ", an older one, is in force instead");
    return {};
  }
  // A store that was in use and cannot be read may have said "enabled": never open, then.
  if (!kept->empty() && !kept->front().enabled && !was_in_force) return start_inert();
  if (!kept->empty() || !readable) return start_minimal();
  return first_start(was_in_force);
}

// What is in the kernel without a store behind it stays in force.
Result<void> Firewall::first_start(bool was_in_force) {
  Generation first{
      .number = 1, .enabled = was_in_force, .created = time_text(now()), .reason = "first start"};
  auto sources = config_.read();
  if (!sources) {
    problems_.push_back(sources.error().message());
  } else {
    first.sources = std::move(*sources);
    Diagnostics ignored;
    const auto written = policy::parse(first.sources, ignored);
    first.sources.services = policy::used_services(written.policy, services({}));
    const auto names = policy::names(written.policy);
    first.sources.surroundings = surroundings(names, {}).only(names);
    if (adopt(first)) {
      note(store_.append(first, {}));
      return {};
    }
  }
  return was_in_force ? start_minimal() : start_inert();
}

// Until there is a policy that loads.
Result<void> Firewall::start_inert() {
  Diagnostics none;
  Generation generation = built_in(false);
  auto parsed = policy::parse(generation.sources, none);
  auto policy = policy::check(parsed, generation.sources, policy::ServiceTable(), none);
  take(std::move(generation), {*std::move(policy), std::move(parsed.added)}, {});
  return {};
}

}  // namespace fwctl
