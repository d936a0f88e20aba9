#include "rules/policy/edit_set.h"

#include <algorithm>
#include <array>
#include <set>

#include "rules/policy/grammar.h"
#include "rules/policy/items.h"

namespace fwctl::policy {
namespace {

constexpr std::array<std::string_view, 4> action_texts{"add", "remove", "replace", "delete"};

// Beyond these, notes count instead of naming.
constexpr std::size_t most_named = 5;

using Ranges = std::vector<AddressRange>;

std::string named(const Ranges& ranges) {
  std::string out;
  for (std::size_t index = 0; index < std::min(ranges.size(), most_named); ++index)
    out += (index == 0 ? "" : ", ") + ranges[index].text();
  if (ranges.size() > most_named)
    out += " and " + std::to_string(ranges.size() - most_named) + " more";
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

Ranges without_repetitions(const Ranges& ranges) {
  std::set<AddressRange> seen;
  Ranges out;
  for (const auto& range : ranges)
    if (seen.insert(range).second) out.push_back(range);
  return out;
}

// Those of `wanted` that are in `there`, or those that are not.
Ranges select(const Ranges& wanted, const Ranges& there, bool present) {
  const std::set<AddressRange> known(there.begin(), there.end());
  Ranges out;
  for (const auto& range : wanted)
    if (known.contains(range) == present) out.push_back(range);
  return out;
}

// What is to be in the set; an error where an address would stay in it as part of a larger entry.
tl::expected<Ranges, std::string> next(const Ranges& there, const SetEdit& wanted, Edit& edit) {
  if (wanted.action == SetAction::replace) {
    if (there == wanted.ranges)
      edit.notes.push_back(quoted(wanted.name) + " holds just that already");
    return wanted.ranges;
  }
  const bool adding = wanted.action == SetAction::add;
  const auto idle = select(wanted.ranges, there, adding);
  if (!idle.empty())
    edit.notes.push_back((adding ? "already in " : "not in ") + quoted(wanted.name) + ": " +
                         named(idle));
  if (adding) {
    Ranges out = there;
    for (const auto& range : select(wanted.ranges, there, false)) out.push_back(range);
    return out;
  }
  Ranges out = select(there, wanted.ranges, false);
  for (const auto& range : idle)
    for (const auto& larger : out)
      if (larger.contains(range))
        return tl::unexpected(range.text() + " is no entry of " + quoted(wanted.name) +
                              " but part of " + larger.text() +
                              ": remove that, and add what is to stay");
  return out;
}

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
                                      const std::vector<std::string>& addresses,
                                      Diagnostics& diagnostics) {
  std::vector<std::string> words{"set", std::string(text(action)), name};
  words.insert(words.end(), addresses.begin(), addresses.end());
  const Command typed = place(words);
  const std::size_t before = diagnostics.size();
  if (!valid_name(name))
    diagnostics.push_back(error_in(typed.source, typed.words[2].at,
                                   "a set's name is a letter, then letters, digits, - or _"));
  SetEdit out{.action = action, .name = name, .ranges = {}};
  for (std::size_t index = 3; index < typed.words.size(); ++index) {
    const auto& word = typed.words[index];
    for (std::size_t begin = 0; begin <= word.text.size();) {
      const std::size_t end = std::min(word.text.find(',', begin), word.text.size());
      const auto range =
          parse_address_range(std::string_view(word.text).substr(begin, end - begin));
      if (range)
        out.ranges.push_back(*range);
      else
        diagnostics.push_back(
            error_in(typed.source, within(word, begin + range.error().offset, range.error().length),
                     range.error().message));
      begin = end + 1;
    }
  }
  if (diagnostics.size() != before) return {};
  out.ranges = without_repetitions(out.ranges);
  return out;
}

EditResult edit_set(const Policy& policy, const Sources& sources, const Added& added,
                    const SetEdit& wanted) {
  Edit edit{.added = added};
  const bool destroying = wanted.action == SetAction::destroy;
  const bool making = wanted.action == SetAction::add || wanted.action == SetAction::replace;
  const auto* const there = find(policy.sets, wanted.name);
  if (there == nullptr && !making) return tl::unexpected(unknown_set(policy, wanted.name));
  Ranges ranges;
  if (!destroying) {
    auto result = next(there == nullptr ? Ranges() : there->ranges, wanted, edit);
    if (!result) return tl::unexpected(std::move(result.error()));
    if (there != nullptr && *result == there->ranges) return edit;
    ranges = std::move(*result);
  }
  edit.changed = true;
  const auto own = std::find_if(edit.added.sets.begin(), edit.added.sets.end(),
                                [&](const AddressSet& set) { return set.name == wanted.name; });
  if (own == edit.added.sets.end() && there != nullptr)
    return tl::unexpected(elsewhere(*there, sources));
  if (destroying)
    edit.added.sets.erase(own);
  else if (own != edit.added.sets.end())
    own->ranges = std::move(ranges);
  else
    edit.added.sets.push_back(
        {.name = wanted.name, .ranges = std::move(ranges), .file = {}, .source = 0, .at = {}});
  return edit;
}

}  // namespace fwctl::policy
