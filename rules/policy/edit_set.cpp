#include "rules/policy/edit_set.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <utility>

#include "rules/policy/grammar.h"
#include "rules/policy/items.h"

namespace fwctl::policy {
namespace {

constexpr std::array<std::string_view, 4> action_texts{"add", "remove", "replace", "delete"};

// Beyond these, notes count instead of naming.
constexpr std::size_t most_named = 5;

using Ranges = std::vector<AddressRange>;
using Pairs = std::vector<AddressPort>;

template <typename Some>
std::string named(const Some& entries) {
  std::string out;
  for (std::size_t index = 0; index < std::min(entries.size(), most_named); ++index)
    out += (index == 0 ? "" : ", ") + entries[index].text();
  if (entries.size() > most_named)
    out += " and " + std::to_string(entries.size() - most_named) + " more";
  return out;
}

std::string quoted(const std::string& name) {
  return "set '" + name + "'";
}

const AddressSet* find(const std::vector<AddressSet>& sets, const std::string& name) {
  const auto found = std::find_if(sets.begin(), sets.end(),
                                  [&](const AddressSet& set) { return set.name == name; });
  return found == sets.end() ? nullptr : &*found;
}

std::string elsewhere(const AddressSet& set, const Sources& sources) {
  const auto place = sources.place_of(set);
  if (set.file.empty())
    return quoted(set.name) + " stands in " + place +
           ", a file that fwctl does not write: change it there, then 'fwctl reload'";
  return quoted(set.name) + " (" + place + ") is read from the file " + set.file +
         " beside it, which fwctl does not write: change it there, then 'fwctl reload'";
}

template <typename Entry>
std::vector<Entry> without_repetitions(const std::vector<Entry>& entries) {
  std::set<Entry> seen;
  std::vector<Entry> out;
  for (const auto& entry : entries)
    if (seen.insert(entry).second) out.push_back(entry);
  return out;
}

// Those of `wanted` that are in `there`, or those that are not.
template <typename Entry>
std::vector<Entry> select(const std::vector<Entry>& wanted, const std::vector<Entry>& there,
                          bool present) {
  const std::set<Entry> known(there.begin(), there.end());
  std::vector<Entry> out;
  for (const auto& entry : wanted)
    if (known.contains(entry) == present) out.push_back(entry);
  return out;
}

// What is in a set.
struct Entries {
  Ranges ranges;
  std::vector<TemporaryRange> temporary;
  Pairs pairs;
  bool operator==(const Entries&) const = default;
};

Entries entries(const AddressSet* set) {
  if (set == nullptr) return {};
  Entries out{set->ranges, set->temporary, set->pairs};
  set->from_file.each([&](const AddressRange& range) { out.ranges.push_back(range); });
  set->pairs_from_file.each([&](const AddressPort& pair) { out.pairs.push_back(pair); });
  return out;
}

// Puts in what is not there for good already.
class Addition {
 public:
  Addition(Entries& entries, const SetEdit& wanted) : entries_(entries), wanted_(wanted) {
    for (std::size_t index = 0; index < entries.temporary.size(); ++index)
      places_.emplace(entries.temporary[index].range, index);
  }

  void put(const Ranges& ranges) {
    std::set<AddressRange> now_lasting;
    for (const auto& range : ranges) {
      const auto there = places_.find(range);
      if (there == places_.end()) {
        if (wanted_.until)
          entries_.temporary.push_back({range, *wanted_.until});
        else
          entries_.ranges.push_back(range);
      } else if (!wanted_.until) {
        now_lasting.insert(range);
        entries_.ranges.push_back(range);
        lasting_.push_back(range);
      } else {
        move(entries_.temporary[there->second]);
      }
    }
    std::erase_if(entries_.temporary,
                  [&](const TemporaryRange& one) { return now_lasting.contains(one.range); });
  }

  void note(std::vector<std::string>& notes) const {
    const std::string in = " in " + quoted(wanted_.name);
    if (!same_.empty()) notes.push_back("already" + in + ": " + named(same_));
    if (!lasting_.empty()) notes.push_back("no longer ending" + in + ": " + named(lasting_));
    const std::string at = wanted_.until ? ", at " + time_text(*wanted_.until) : std::string();
    if (!later_.empty()) notes.push_back("ending later" + in + at + ": " + named(later_));
    if (!earlier_.empty()) notes.push_back("ending earlier" + in + at + ": " + named(earlier_));
  }

 private:
  void move(TemporaryRange& entry) {
    if (entry.until == *wanted_.until)
      same_.push_back(entry.range);
    else
      (entry.until < *wanted_.until ? later_ : earlier_).push_back(entry.range);
    entry.until = *wanted_.until;
  }

  Entries& entries_;
  const SetEdit& wanted_;
  std::map<AddressRange, std::size_t> places_;  // among the temporary ones
  Ranges same_;
  Ranges lasting_;
  Ranges later_;
  Ranges earlier_;
};

// An error where the set is of the other kind.
tl::expected<Entries, std::string> added(Entries there, const SetEdit& wanted, Edit& edit) {
  const bool has_addresses = !there.ranges.empty() || !there.temporary.empty();
  if (has_addresses && !wanted.pairs.empty())
    return tl::unexpected(quoted(wanted.name) + " is of addresses without ports: " +
                          named(wanted.pairs) + " needs a set of its own");
  if (!there.pairs.empty() && !wanted.ranges.empty())
    return tl::unexpected(quoted(wanted.name) + " is of addresses with ports: " +
                          named(wanted.ranges) + " needs a set of its own");
  const auto known = select(wanted.pairs, there.pairs, true);
  if (!known.empty())
    edit.notes.push_back("already in " + quoted(wanted.name) + ": " + named(known));
  for (const auto& pair : select(wanted.pairs, there.pairs, false)) there.pairs.push_back(pair);
  const auto idle = select(wanted.ranges, there.ranges, true);
  if (!idle.empty())
    edit.notes.push_back(
        "already in " + quoted(wanted.name) +
        (wanted.until ? ", without an end (to give it one, remove it first)" : "") + ": " +
        named(idle));
  const auto rest = select(wanted.ranges, there.ranges, false);
  Addition addition(there, wanted);
  addition.put(rest);
  addition.note(edit.notes);
  return there;
}

// An error where an address would stay in it as part of a larger entry.
tl::expected<Entries, std::string> removed(const Entries& there, const SetEdit& wanted,
                                           Edit& edit) {
  Ranges all = there.ranges;
  for (const auto& entry : there.temporary) all.push_back(entry.range);
  const auto idle = select(wanted.ranges, all, false);
  if (!idle.empty()) edit.notes.push_back("not in " + quoted(wanted.name) + ": " + named(idle));
  const auto no_pairs = select(wanted.pairs, there.pairs, false);
  if (!no_pairs.empty())
    edit.notes.push_back("not in " + quoted(wanted.name) + ": " + named(no_pairs));
  Entries out{
      select(there.ranges, wanted.ranges, false), {}, select(there.pairs, wanted.pairs, false)};
  const std::set<AddressRange> gone(wanted.ranges.begin(), wanted.ranges.end());
  for (const auto& entry : there.temporary)
    if (!gone.contains(entry.range)) out.temporary.push_back(entry);
  const auto left = select(all, wanted.ranges, false);
  for (const auto& range : idle)
    for (const auto& larger : left)
      if (larger.contains(range))
        return tl::unexpected(range.text() + " is no entry of " + quoted(wanted.name) +
                              " but part of " + larger.text() +
                              ": remove that, and add what is to stay");
  return out;
}

// What is to be in the set.
tl::expected<Entries, std::string> next(const Entries& there, const SetEdit& wanted, Edit& edit) {
  if (wanted.action == SetAction::add) return added(there, wanted, edit);
  if (wanted.action == SetAction::remove) return removed(there, wanted, edit);
  Entries out;
  if (wanted.until)
    for (const auto& range : wanted.ranges) out.temporary.push_back({range, *wanted.until});
  else
    out.ranges = wanted.ranges;
  out.pairs = wanted.pairs;
  if (there == out) edit.notes.push_back(quoted(wanted.name) + " holds just that already");
  return out;
}

// The words of a command, all of whose mistakes are told.
class Reader {
 public:
  Reader(const Command& typed, SetEdit& edit, Time now, Diagnostics& diagnostics)
      : typed_(typed), edit_(edit), now_(now), diagnostics_(diagnostics) {}

  // From the word behind the name on.
  void read() {
    for (std::size_t index = 3; index < typed_.words.size(); ++index) {
      const auto& word = typed_.words[index];
      if (word.text != "for" && word.text != "until") {
        read_addresses(word);
        continue;
      }
      if (edit_.action != SetAction::add && edit_.action != SetAction::replace)
        complain(word.at, "an entry gets its end when it is put in, by 'add' or 'replace'");
      else if (std::exchange(ends_, true))
        complain(word.at, "an entry ends once: one of 'for' and 'until'");
      else if (++index == typed_.words.size())
        complain(word.at, word.text == "for" ? "how long, as 2h, is missing behind 'for'"
                                             : "a time in UTC is missing behind 'until'");
      else
        read_end(typed_.words[index], word.text == "for");
    }
  }

 private:
  void complain(Span at, std::string_view message) {
    diagnostics_.push_back(error_in(typed_.source, at, message));
  }

  void read_addresses(const Word& word) {
    for (std::size_t begin = 0; begin <= word.text.size();) {
      const std::size_t end = std::min(word.text.find(',', begin), word.text.size());
      const auto entry = parse_set_entry(std::string_view(word.text).substr(begin, end - begin));
      if (!entry)
        complain(within(word, begin + entry.error().offset, entry.error().length),
                 entry.error().message);
      else if (!take(*entry))
        complain(within(word, begin, end - begin), other_kind(*entry));
      begin = end + 1;
    }
  }

  // False: those before it are of the other kind.
  bool take(const SetEntry& entry) {
    if (const auto* range = std::get_if<AddressRange>(&entry)) {
      edit_.ranges.push_back(*range);
      return edit_.pairs.empty();
    }
    edit_.pairs.push_back(std::get<AddressPort>(entry));
    return edit_.ranges.empty();
  }

  void read_end(const Word& word, bool lasting) {
    const auto refuse = [&](const Problem& problem) {
      complain(within(word, problem.offset, problem.length), problem.message);
    };
    if (lasting) {
      const auto span = parse_lasting(word.text);
      if (!span) return refuse(span.error());
      edit_.until = now_ + *span;
      return;
    }
    const auto until = parse_until(word.text);
    if (!until) return refuse(until.error());
    if (*until <= now_) return complain(word.at, "that is over: it is " + time_text(now_));
    edit_.until = *until;
  }

  const Command& typed_;
  SetEdit& edit_;
  Time now_;
  Diagnostics& diagnostics_;
  bool ends_ = false;
};

}  // namespace

std::string_view text(SetAction action) {
  return action_texts[static_cast<std::size_t>(action)];
}

std::optional<SetAction> parse_set_action(std::string_view text) {
  const auto* const found = std::find(action_texts.begin(), action_texts.end(), text);
  if (found == action_texts.end()) return {};
  return static_cast<SetAction>(found - action_texts.begin());
}

std::optional<SetEdit> parse_set_edit(SetAction action, const std::string& name,
                                      const std::vector<std::string>& words, Time now,
                                      Diagnostics& diagnostics) {
  std::vector<std::string> all{"set", std::string(text(action)), name};
  all.insert(all.end(), words.begin(), words.end());
  const Command typed = place(all);
  const std::size_t before = diagnostics.size();
  if (!valid_name(name))
    diagnostics.push_back(error_in(typed.source, typed.words[2].at,
                                   "a set's name is a letter, then letters, digits, - or _"));
  SetEdit out{.action = action, .name = name, .ranges = {}};
  Reader(typed, out, now, diagnostics).read();
  if (diagnostics.size() == before && out.ranges.empty() && out.until)
    diagnostics.push_back(
        error_in(typed.source, typed.whole,
                 out.pairs.empty() ? "say which addresses"
                                   : "an entry with a port has no end: give one to a rule of its "
                                     "own"));
  if (diagnostics.size() != before) return {};
  out.ranges = without_repetitions(out.ranges);
  out.pairs = without_repetitions(out.pairs);
  return out;
}

EditResult edit_set(const Policy& policy, const Sources& sources, const Added& added,
                    const SetEdit& wanted) {
  Edit edit{.added = added};
  const bool destroying = wanted.action == SetAction::destroy;
  const bool making = wanted.action == SetAction::add || wanted.action == SetAction::replace;
  const auto* const there = find(policy.sets, wanted.name);
  if (there == nullptr && !making) return tl::unexpected(unknown_set(policy, wanted.name));
  Entries wanted_entries;
  if (!destroying) {
    auto result = next(entries(there), wanted, edit);
    if (!result) return tl::unexpected(std::move(result.error()));
    if (there != nullptr && *result == entries(there)) return edit;
    wanted_entries = std::move(*result);
  }
  edit.changed = true;
  auto own = std::find_if(edit.added.sets.begin(), edit.added.sets.end(),
                          [&](const AddressSet& set) { return set.name == wanted.name; });
  if (own == edit.added.sets.end() && there != nullptr)
    return tl::unexpected(elsewhere(*there, sources));
  if (destroying)
    edit.added.sets.erase(own);
  else if (own == edit.added.sets.end())
    own = edit.added.sets.insert(own, {.name = wanted.name});
  if (!destroying) {
    own->ranges = std::move(wanted_entries.ranges);
    own->temporary = std::move(wanted_entries.temporary);
    own->pairs = std::move(wanted_entries.pairs);
  }
  return edit;
}

std::optional<std::string> remove_ended(AddressSet& set, Time now) {
  Ranges ended;
  std::erase_if(set.temporary, [&](const TemporaryRange& entry) {
    if (entry.until <= now) ended.push_back(entry.range);
    return entry.until <= now;
  });
  if (ended.empty()) return {};
  return "ended in " + quoted(set.name) + ": " + named(ended);
}

}  // namespace fwctl::policy
