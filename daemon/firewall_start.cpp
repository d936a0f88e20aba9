// How the firewall begins: with the newest generation that loads, and with what a crash left of the
// files.
#include <algorithm>
#include <set>
#include <utility>

#include "daemon/clock.h"
#include "daemon/firewall.h"

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

// Whether it is what a power loss may leave of writing these one over the other, in place or not:
// each byte is as one of them has it there.
bool is_made_of(std::string_view text, const std::vector<Generation>& kept) {
  const auto stands_there = [&](std::size_t index) {
    return std::ranges::any_of(kept, [&](const Generation& one) {
      const std::string& said = one.sources.added.text;
      return index < said.size() && said[index] == text[index];
    });
  };
  for (std::size_t index = 0; index < text.size(); ++index)
    if (!stands_there(index)) return false;
  return true;
}

}  // namespace

Result<void> Firewall::start() {
  if (auto taken = table_.take_over(); !taken) return taken;
  const bool was_in_force = table_.exists();
  if (auto bans = ban_file_.read(places_.clock(), problems_))
    bans_ = std::move(*bans);
  else
    problems_.push_back(bans.error().message() + ": nobody is banned, and nobody can be");

  auto kept = store_.kept();
  const bool readable = kept.has_value() && store_.damaged().empty();
  if (!kept) {
    problems_.push_back(kept.error().message());
    kept = std::vector<Generation>{};
  }
  for (const auto& path : store_.damaged())
    problems_.push_back(path + " is damaged and was left out");
  const bool over = end_trial_of(*kept);
  finish_files(*kept);
  const auto panic = kept->empty() ? std::nullopt : kept->front().panic;
  for (auto& generation : *kept) {
    // An older one on trial was confirmed with one that followed it, or not at all.
    if (generation.trial && (over || &generation != &kept->front())) continue;
    generation.panic = panic;  // it does not depend on what a policy says
    if (!adopt(generation)) continue;
    if (&generation != &kept->front())
      problems_.push_back("generation " + std::to_string(generation.number) +
                          ", an older one, is in force instead");
    return {};
  }
  // A store that was in use and cannot be read may have said "enabled": never open, then.
  if (!kept->empty() && !kept->front().enabled && !was_in_force) return start_inert();
  if (!kept->empty() || !readable) return start_minimal(panic);
  return first_start(was_in_force);
}

bool Firewall::adopt(const Generation& generation) {
  Diagnostics diagnostics;
  auto parsed = policy::parse(generation.sources, diagnostics);
  auto added = std::move(parsed.added);
  auto policy = policy::check(std::move(parsed), generation.sources,
                              services(generation.sources.services), diagnostics);
  if (!policy) {
    problems_.push_back("generation " + std::to_string(generation.number) +
                        " no longer makes sense: " + render(diagnostics));
    return false;
  }
  if (auto done = force(*policy, generation); !done) {
    problems_.push_back(done.error().message());
    return false;
  }
  take(generation, {*std::move(policy), std::move(added)}, std::move(diagnostics));
  return true;
}

// What is in the kernel without a store behind it stays in force; and what somebody wanted to be,
// in a life that the store has lost or before the first, gets there.
Result<void> Firewall::first_start(bool was_in_force) {
  const bool wanted = enabled_file_.is_there();
  Generation first{.number = 1,
                   .enabled = was_in_force || wanted,
                   .created = time_text(now()),
                   .reason = "first start"};
  if (wanted) first.reason += ": " + enabled_file_.path().string() + " is there";
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
  return first.enabled ? start_minimal({}) : start_inert();
}

Generation Firewall::built_in(bool enabled) const {
  return {.number = 0,
          .enabled = enabled,
          .sources = {.managed = {{.name = "built-in", .text = std::string(minimal_policy)}},
                      .added = {.name = config_.added_file().string(), .text = {}}},
          .created = time_text(now()),
          .reason = "fallback"};
}

Result<void> Firewall::start_minimal(const std::optional<Panic>& panic) {
  Generation minimal = built_in(true);
  minimal.panic = panic;
  if (!adopt(minimal)) return failed("load", "the built-in policy", 0, problems_.back());
  problems_.emplace_back(
      "NO STORED POLICY COULD BE LOADED: a built-in one is in force that lets in SSH (port 22) and "
      "nothing else. Mend the files and 'fwctl reload'");
  return {};
}

// Until there is a policy that loads.
Result<void> Firewall::start_inert() {
  Diagnostics none;
  Generation generation = built_in(false);
  auto parsed = policy::parse(generation.sources, none);
  auto added = std::move(parsed.added);
  auto policy = policy::check(std::move(parsed), generation.sources, policy::ServiceTable(), none);
  take(std::move(generation), {*std::move(policy), std::move(added)}, {});
  return {};
}

// What the newest generation says of files that were to take their places, and may not have.
void Firewall::finish_files(const std::vector<Generation>& kept) {
  std::set<std::string> paths{config_.added_file(), config_.policy_file()};
  for (const auto& generation : kept)
    for (const auto* source : generation.sources.files()) paths.insert(source->name);
  for (const auto& path : paths) {
    const auto staged = StagedFile::left_behind(path);
    if (!staged) problems_.push_back(staged.error().message());
    if (!staged || !*staged) continue;
    StagedFile file = StagedFile::take_over(path);
    // Any other belongs to a change that never was. Cut off at its very beginning, it would look
    // like a generation that has no such file.
    if (kept.empty() || (*staged)->empty()) continue;
    const auto* wanted = kept.front().sources.text_of(path);
    if (wanted != nullptr && *wanted == **staged) note(file.publish());
  }
  if (kept.empty() || store_.settled()) return;
  finish_added_file(kept);
  if (kept.front().restored) finish_restored(kept);
}

// A generation that put back all files: those that have what another generation says of them have
// not got there. What people made of them stays.
void Firewall::finish_restored(const std::vector<Generation>& kept) {
  const auto& sources = kept.front().sources;
  const auto known = [&](const std::string& path, const std::optional<std::string>& text) {
    return std::ranges::any_of(kept, [&](const Generation& one) {
      const auto* said = one.sources.text_of(path);
      return text ? said != nullptr && *said == *text : said == nullptr;
    });
  };
  std::vector<FileChange> missing;
  for (const auto* source : sources.files()) {
    if (source == &sources.added) continue;
    const auto there = read_file(source->name);
    if (!there) note(tl::unexpected(there.error()));
    if (there && *there != source->text && known(source->name, *there))
      missing.push_back({source->name, source->text});
  }
  if (const auto there = config_.read())
    for (const auto* folder : {&there->managed, &there->definitions})
      for (const auto& [path, text] : *folder)
        if (sources.text_of(path) == nullptr && known(path, text)) missing.push_back({path, {}});
  auto staged = StagedFiles::write(missing, {});
  note(staged ? staged->publish() : Result<void>(tl::unexpected(staged.error())));
}

// It is not synced with a change: a power loss may leave an earlier one, or part of one. What
// people made of it stays.
void Firewall::finish_added_file(const std::vector<Generation>& kept) {
  const auto path = config_.added_file();
  const auto& wanted = kept.front().sources.added.text;
  const auto read = read_file(path);
  if (!read) return note(tl::unexpected(read.error()));
  const std::string there = read->value_or("");
  const bool ours = there.find('\0') != std::string::npos || is_made_of(there, kept);
  if (there == wanted || !ours) return;
  auto staged = StagedFile::write(path, wanted);
  note(staged ? staged->publish() : Result<void>(tl::unexpected(staged.error())));
}

}  // namespace fwctl
