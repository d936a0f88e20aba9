// What people and programs ask the firewall to change, but for what grows by itself.
#include <algorithm>
#include <utility>

#include "daemon/appending.h"
#include "daemon/clock.h"
#include "daemon/copies.h"
#include "daemon/firewall.h"
#include "rules/compile/compile.h"
#include "rules/nearest.h"
#include "rules/nft/grow.h"
#include "rules/policy/edit_translation.h"
#include "rules/policy/grammar.h"

namespace fwctl {
std::optional<Failure> Firewall::not_editable() {
  if (fallback())
    return Failure(
        Refused{"no policy of this host could be loaded ('fwctl status' says why): mend the "
                "files and 'fwctl reload' first"});
  const auto unchanged = added_file_.holds(current_.sources.added.text);
  if (!unchanged) return Failure(unchanged.error());
  if (*unchanged) return {};
  return Failure(Refused{config_.added_file().string() +
                         " was changed by hand since it was loaded, and this would overwrite it: "
                         "'fwctl reload' first"});
}

void Firewall::write_added(Candidate& candidate, const policy::Added& added) const {
  candidate.sources.added = {.name = config_.added_file().string(),
                             .text = policy::yaml_text(added)};
  candidate.files.push_back({candidate.sources.added.name, candidate.sources.added.text});
  candidate.only_news = true;
}

// What is wrong with what was typed, at the place where it was typed. `typed` has nothing else.
Diagnostics Firewall::check_typed(const std::vector<std::string>& words,
                                  const policy::Policy& typed) const {
  Diagnostics diagnostics;
  auto alone = policy::alone(*policy_, typed);
  policy::Sources command;
  command.managed.push_back(
      {.name = std::string(policy::command_source), .text = policy::join(words)});
  command.surroundings = surroundings(policy::names(alone.policy));
  const auto table =
      policy::names_services(typed) ? services(current_.sources.services) : policy::ServiceTable();
  if (policy::check(std::move(alone), command, table, diagnostics)) diagnostics.clear();
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
  if (rule) {
    if (auto done = append(*rule, place, request)) return *std::move(done);
    policy::Policy typed;
    typed.rules = {*rule};
    diagnostics = check_typed(words, typed);
  }
  if (!rule || has_errors(diagnostics))
    return tl::unexpected(Failure(InvalidPolicy{std::move(diagnostics)}));
  if (auto failure = not_editable()) return tl::unexpected(*std::move(failure));
  auto addition = policy::plan_addition(*policy_, appending().rules, current_.sources, added_,
                                        std::move(*rule), place);
  if (!addition) return tl::unexpected(Failure(Refused{addition.error()}));
  auto edit = policy::add(*policy_, added_, *std::move(addition));
  Candidate candidate = same_as_now();
  candidate.notes = std::move(edit.notes);
  if (edit.changed) write_added(candidate, edit.added);
  return commit(std::move(candidate), request);
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
  const Request request{
      .reason = "what names mean has changed", .refresh = true, .trial = Request::Trial::goes_on};
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
      table_.is_known()
          ? nft::exchange(*table_.loaded(), compile::unit_sets(*policy_, units_of(*policy_)))
          : std::nullopt;
  if (!changes) return force(*policy_, current_);
  if (changes->empty()) return {};
  if (auto done = grow(*changes, current_.sources); !done)
    return failed("load", "where units run", 0, message(done.error()));
  return {};
}

// A change that turned out to be none is the moment to look whether what should be in force is.
Change Firewall::healed(Outcome outcome, std::string_view already, const Request& request) {
  if (has_table() && !request.dry_run) {
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
  candidate.files.push_back({path, text});
  return commit(std::move(candidate), request);
}

tl::expected<Firewall::ResetOutcome, Failure> Firewall::reset(const Request& request) {
  ResetOutcome result;
  const std::string path = config_.added_file().string();
  const auto text = read_file(path);
  if (!text) return tl::unexpected(Failure(text.error()));
  const bool keep =
      !fallback() && !text->value_or("").empty() && **text != policy::yaml_text(policy::Added{});
  Copies copies;
  if (keep && request.dry_run) {
    result.kept = free_copy_path(path, request.now);
  } else if (keep) {
    if (auto kept = copies.keep(path, **text, request.now); !kept)
      return tl::unexpected(Failure(kept.error()));
    result.kept = copies.kept().front().second;
  }
  Candidate candidate = same_as_now();
  candidate.enabled = false;
  if (!fallback() && keep) write_added(candidate, {});
  auto change = commit(std::move(candidate), request);
  if (!change) return tl::unexpected(std::move(change.error()));
  copies.stay();
  result.outcome = std::move(*change);
  return result;
}

}  // namespace fwctl
