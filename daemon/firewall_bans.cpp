// Who is banned. A change is one line on disk, then a few elements in the kernel.
#include <algorithm>
#include <map>
#include <utility>

#include "daemon/firewall.h"
#include "rules/compile/bans.h"

namespace fwctl {
namespace {

// A hundred bytes or so each, here as in the kernel.
constexpr std::size_t most_bans = 1'000'000;
// Beyond these, notes count instead of naming.
constexpr std::size_t most_named = 5;

std::string named(const std::vector<Prefix>& prefixes) {
  std::string out;
  for (std::size_t index = 0; index < std::min(prefixes.size(), most_named); ++index)
    out += (index == 0 ? "" : ", ") + prefixes[index].text();
  if (prefixes.size() > most_named)
    out += " and " + std::to_string(prefixes.size() - most_named) + " more";
  return out;
}

void say(std::vector<std::string>& notes, std::string_view what,
         const std::vector<Prefix>& prefixes) {
  if (!prefixes.empty()) notes.push_back(std::string(what) + ": " + named(prefixes));
}

std::string text(const Prefix& prefix, const Ban& ban, const Instant& now) {
  const auto until = ban.until(now);
  return "ban " + prefix.text() + (until ? " until " + time_text(*until) : "") +
         (ban.origin->comment.empty() ? "" : " (" + ban.origin->comment + ")");
}

// Elements by their sets.
class Elements {
 public:
  void add(const Prefix& prefix, Time until = nft::no_end) {
    const auto kind = prefix.kind();
    auto& set = sets_[kind];
    if (set.elements.empty()) set = compile::ban_set(kind);
    set.elements.push_back(compile::ban_element(prefix, until));
  }

  std::vector<nft::Set> take() {
    std::vector<nft::Set> out;
    out.reserve(sets_.size());
    for (auto& [kind, set] : sets_) out.push_back(std::move(set));
    return out;
  }

 private:
  std::map<PrefixKind, nft::Set> sets_;
};

}  // namespace

// All there are, as the kernel is to have them.
nft::Ruleset Firewall::banned() const {
  const Instant now = places_.clock();
  Elements elements;
  for (const auto& [prefix, ban] : bans_.all())
    if (!ban.over(now)) elements.add(prefix, ban.until(now).value_or(nft::no_end));
  nft::Ruleset out = compile::ban_objects(bans_.kinds());
  for (auto& filled : elements.take())
    *std::ranges::find(out.sets, filled.name, &nft::Set::name) = std::move(filled);
  return out;
}

std::optional<Failure> Firewall::not_bannable(const policy::Banning& wanted,
                                              const Request& request) const {
  const auto own = places_.own_addresses();
  if (!own) return Failure(own.error());
  std::vector<AddressRange> ranges;
  for (const auto& prefix : wanted.prefixes) {
    const auto range = ranges.emplace_back(prefix.range());
    if (auto why = policy::not_bannable(prefix)) return Failure(Refused{*std::move(why)});
    for (const auto& address : *own)
      if (address.family() == prefix.family() && range.contains(address))
        return Failure(
            Refused{"this host has an address of " + prefix.text() + ": " + address.text()});
  }
  if (auto failure = fwctl::lockout(ranges, seats(request))) return *std::move(failure);
  return {};
}

// What is banned for as long already stays as it is.
std::vector<Firewall::BanChange> Firewall::ban_changes(const policy::Banning& wanted,
                                                       const Ban& ban, const Instant& now,
                                                       std::vector<std::string>& notes) const {
  std::vector<BanChange> out;
  std::vector<Prefix> already;
  std::vector<Prefix> longer;
  for (const auto& prefix : wanted.prefixes) {
    const Ban* there = bans_.find(prefix, now);
    if (there != nullptr && (!there->lasting || (ban.lasting && *ban.end() <= *there->end()))) {
      already.push_back(prefix);
      continue;
    }
    out.push_back({.prefix = prefix, .before = {}, .after = ban});
    if (there == nullptr) continue;
    out.back().before = *there;
    longer.push_back(prefix);
  }
  say(notes, "banned already, for as long or longer", already);
  say(notes, "banned already, now for longer", longer);
  return out;
}

std::vector<Firewall::BanChange> Firewall::unban_changes(const policy::Lifting& wanted,
                                                         const Instant& now,
                                                         std::vector<std::string>& notes) const {
  std::vector<BanChange> out;
  std::vector<Prefix> missing;
  std::vector<Prefix> others;
  const auto is_meant = [&](const Ban& ban) {
    return !wanted.comment || ban.origin->comment == *wanted.comment;
  };
  for (const auto& prefix : wanted.prefixes) {
    const Ban* there = bans_.find(prefix, now);
    if (there == nullptr)
      missing.push_back(prefix);
    else if (!is_meant(*there))
      others.push_back(prefix);
    else
      out.push_back({.prefix = prefix, .before = *there, .after = {}});
  }
  if (wanted.prefixes.empty())
    for (const auto& [prefix, ban] : bans_.all())
      if (!ban.over(now) && is_meant(ban))
        out.push_back({.prefix = prefix, .before = ban, .after = {}});
  say(notes, "not banned", missing);
  say(notes, "banned with another comment, and so left", others);
  for (const auto& prefix : missing)
    if (const auto around = bans_.covering(prefix.range(), now))
      notes.push_back(prefix.text() + " is part of " + around->first.text() +
                      ", which is banned: 'fwctl unban " + around->first.text() + "'");
  if (wanted.prefixes.empty() && out.empty()) notes.emplace_back("there is no such ban");
  return out;
}

Change Firewall::ban(const std::vector<std::string>& words, const Request& request) {
  Diagnostics diagnostics;
  const auto wanted = policy::parse_ban(words, request.now, diagnostics);
  if (!wanted) return tl::unexpected(Failure(InvalidPolicy{std::move(diagnostics)}));
  if (auto failure = not_bannable(*wanted, request)) return tl::unexpected(*std::move(failure));
  const Instant now = places_.clock();
  if (bans_.size() + wanted->prefixes.size() > most_bans) bans_.prune(now);
  if (bans_.size() + wanted->prefixes.size() > most_bans)
    return tl::unexpected(Failure(Refused{"there would be more than " + std::to_string(most_bans) +
                                          " bans: ban prefixes instead"}));
  const Ban ban{.since = now.wall,
                .began = now.uptime,
                .lasting = wanted->lasting,
                .origin = bans_.share({.by = request.by, .comment = wanted->comment})};
  std::vector<std::string> notes;
  const auto changes = ban_changes(*wanted, ban, now, notes);
  return change_bans(changes, now, std::move(notes), request);
}

Change Firewall::unban(const std::vector<std::string>& words, const Request& request) {
  Diagnostics diagnostics;
  const auto wanted = policy::parse_unban(words, diagnostics);
  if (!wanted) return tl::unexpected(Failure(InvalidPolicy{std::move(diagnostics)}));
  const Instant now = places_.clock();
  std::vector<std::string> notes;
  const auto changes = unban_changes(*wanted, now, notes);
  return change_bans(changes, now, std::move(notes), request);
}

// Either all of `changes` have an `after`, the same one, or none has.
Change Firewall::change_bans(const std::vector<BanChange>& changes, const Instant& now,
                             std::vector<std::string> notes, const Request& request) {
  Outcome outcome{.changed = !changes.empty(),
                  .generation = current_.number,
                  .enabled = current_.enabled,
                  .notes = std::move(notes)};
  if (changes.empty()) return outcome;
  std::vector<Prefix> prefixes;
  for (const auto& [prefix, before, after] : changes) {
    prefixes.push_back(prefix);
    if (before) outcome.difference.push_back("- " + text(prefix, *before, now));
    if (after) outcome.difference.push_back("+ " + text(prefix, *after, now));
  }
  if (request.dry_run) return outcome;
  if (current_.enabled)
    if (const auto healed = heal(); !healed) return tl::unexpected(Failure(healed.error()));
  const auto& after = changes.front().after;
  if (auto stored = after ? ban_file_.ban(prefixes, *after, bans_, now)
                          : ban_file_.unban(prefixes, bans_, now);
      !stored)
    return tl::unexpected(Failure(stored.error()));
  put_bans(changes, &BanChange::after);
  if (!current_.enabled) return outcome;
  if (auto enforced = enforce_bans(changes, now); !enforced) {
    put_bans(changes, &BanChange::before);
    note(ban_file_.take_back());
    return tl::unexpected(std::move(enforced.error()));
  }
  return outcome;
}

void Firewall::put_bans(const std::vector<BanChange>& changes,
                        std::optional<Ban> BanChange::* side) {
  for (const auto& change : changes)
    if (const auto& ban = change.*side)
      bans_.put(change.prefix, *ban);
    else
      bans_.erase(change.prefix);
}

tl::expected<void, Failure> Firewall::enforce_bans(const std::vector<BanChange>& changes,
                                                   const Instant& now) {
  Elements gone;
  Elements come;
  for (const auto& [prefix, before, after] : changes) {
    if (before) gone.add(prefix);
    if (after) come.add(prefix, after->until(now).value_or(nft::no_end));
  }
  auto done = table_.edit_bans(compile::ban_objects(bans_.kinds()), gone.take(), come.take());
  // What ends about now may be there or not, and the kernel refuses the wrong guess.
  if (!done) done = table_.load_bans();
  if (!done) return tl::unexpected(explain(done.error(), *policy_, current_.sources));
  return {};
}

}  // namespace fwctl
