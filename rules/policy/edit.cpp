#include "rules/policy/edit.h"

#include <algorithm>
#include <set>

#include "rules/number.h"
#include "rules/policy/edit_set.h"
#include "rules/policy/grammar.h"

namespace fwctl::policy {
namespace {

// Rules of the layers follow each other in the policy; this finds the one of `added` again.
class Layout {
 public:
  Layout(const CheckedPolicy& policy, const Added& added)
      : before_(added.before.size()),
        first_trusted_(first_trusted(policy.policy().rules)),
        first_added_(first_trusted_ - added.rules.size()) {}

  std::size_t first_added() const { return first_added_; }
  std::size_t first_trusted() const { return first_trusted_; }
  // By what people wrote: a rule of theirs, or a name they trust.
  bool managed(std::size_t index) const {
    return index >= before_ && (index < first_added_ || index >= first_trusted_);
  }
  bool may_insert(std::size_t index) const {
    return index <= before_ || (index >= first_added_ && index <= first_trusted_);
  }
  Rule& at(Added& added, std::size_t index) const {
    return index < before_ ? added.before[index] : added.rules[index - first_added()];
  }
  void insert(Added& added, std::size_t index, Rule rule) const {
    auto& list = index <= before_ ? added.before : added.rules;
    const std::size_t first = index <= before_ ? 0 : first_added_;
    list.insert(list.begin() + static_cast<std::ptrdiff_t>(index - first), std::move(rule));
  }

 private:
  // They stand behind all others.
  static std::size_t first_trusted(const std::vector<Rule>& rules) {
    const auto last = std::find_if(rules.rbegin(), rules.rend(),
                                   [](const Rule& rule) { return rule.layer != Layer::trusted; });
    return static_cast<std::size_t>(rules.rend() - last);
  }

  std::size_t before_;
  std::size_t first_trusted_;
  std::size_t first_added_;
};

std::string numbered(std::size_t index, const Rule& rule) {
  return "rule " + std::to_string(index + 1) + ", '" + command_text(rule) + "'";
}

// What of the words said is not so, where the rule is there and stays as it is.
std::string_view ends_later(const Rule& wanted, const Rule& there) {
  if (!wanted.until || wanted.until == there.until) return "";
  return there.until ? ", and ends later" : ", without an end";
}

std::string changed_end(std::size_t index, const Rule& there, const Rule& wanted) {
  if (!there.until || there.until == wanted.until)
    return "changed " + numbered(index, there) + " where it stands";
  if (!wanted.until) return numbered(index, there) + ", has no end any more";
  return numbered(index, there) + ", ends " +
         (*there.until < *wanted.until ? "later: at " : "earlier: at ") + time_text(*wanted.until);
}

tl::expected<Addition, std::string> place_new(const CheckedPolicy& policy, const Sources& sources,
                                              const Layout& layout, Addition addition,
                                              Place place) {
  const auto& rules = policy.policy().rules;
  if (!place.number) return addition;
  addition.kind = Addition::Kind::inserts;
  if (*place.number > rules.size())
    return tl::unexpected("there is no rule " + std::to_string(*place.number) +
                          " to insert before: " +
                          (rules.empty() ? std::string("there are no rules yet")
                                         : "the last is rule " + std::to_string(rules.size())));
  addition.index = *place.number == 0 ? 0 : *place.number - 1;
  if (!layout.may_insert(addition.index))
    return tl::unexpected("rule " + std::to_string(*place.number) + " stands in " +
                          sources.place_of(rules[addition.index]) +
                          ", a file that fwctl does not write: put the new rule there and 'fwctl "
                          "reload', or use 'fwctl prepend'");
  return addition;
}

// Adds the indexes that `word` names to `chosen`; an error is a sentence.
class Selection {
 public:
  explicit Selection(const CheckedPolicy& policy) : policy_(policy) {}

  tl::expected<void, std::string> choose(const std::string& word) {
    const std::size_t dash = word.find('-');
    const auto first = parse_number(word.substr(0, dash), 1'000'000'000);
    if (!first) return choose_id(word);
    const auto last =
        dash == std::string::npos ? first : parse_number(word.substr(dash + 1), 1'000'000'000);
    if (!last || *last < *first)
      return tl::unexpected("'" + word + "' is not a range of rule numbers");
    const std::size_t count = policy_.policy().rules.size();
    if (*first == 0 || *last > count)
      return tl::unexpected("there is no rule " + std::to_string(*first == 0 ? 0 : *last) + ": " +
                            (count == 0 ? std::string("there are no rules")
                                        : "the last is rule " + std::to_string(count)));
    for (auto number = *first; number <= *last; ++number) chosen_.insert(number - 1);
    return {};
  }

  const std::set<std::size_t>& chosen() const { return chosen_; }

 private:
  tl::expected<void, std::string> choose_id(const std::string& word) {
    if (const auto exact = policy_.find(word)) {
      chosen_.insert(*exact);
      return {};
    }
    std::vector<std::size_t> found;
    for (std::size_t index = 0; index < policy_.ids().size(); ++index)
      if (word.size() >= 4 && policy_.ids()[index].starts_with(word)) found.push_back(index);
    if (found.size() > 1)
      return tl::unexpected("several rules have an id that begins with '" + word + "'");
    if (found.empty())
      return tl::unexpected("'" + word +
                            "' is neither the number nor the id of a rule ('fwctl status verbose' "
                            "lists both), and no rule begins with it");
    chosen_.insert(found.front());
    return {};
  }

  const CheckedPolicy& policy_;
  std::set<std::size_t> chosen_;
};

}  // namespace

tl::expected<Addition, std::string> plan_addition(const CheckedPolicy& policy,
                                                  const RuleIndex& index, const Sources& sources,
                                                  const Added& added, Rule rule, Place place) {
  const auto& rules = policy.policy().rules;
  const Layout layout(policy, added);
  const bool keeps_comment = rule.comment.empty() && !rule.no_comment;
  Addition addition{.rule = std::move(rule)};
  Rule& wanted = addition.rule;
  const auto replaces = [&](std::size_t at) {
    if (keeps_comment) wanted.comment = rules[at].comment;
    addition.kind = Addition::Kind::replaces;
    addition.index = at;
    return std::move(addition);
  };
  const auto alike = index.alike(policy, wanted);
  for (const std::size_t at : alike) {
    const Rule& there = rules[at];
    if (!there.same_meaning(wanted)) continue;
    const bool same_comment = keeps_comment || wanted.comment == there.comment;
    const bool covered = !there.until || (wanted.until && *wanted.until <= *there.until);
    if (layout.managed(at) && !covered) continue;
    if (layout.managed(at) || (same_comment && (there.until == wanted.until || !there.until))) {
      addition.notes.push_back("already there" + std::string(ends_later(wanted, there)) + ": " +
                               numbered(at, there) +
                               (layout.managed(at) ? " (" + sources.place_of(there) + ")" : ""));
      addition.kind = Addition::Kind::none;
      return addition;
    }
    addition.notes.push_back(changed_end(at, there, wanted));
    if (!there.until) wanted.until.reset();
    return replaces(at);
  }
  for (const std::size_t at : alike) {
    const Rule& there = rules[at];
    if (layout.managed(at) || place.number) continue;
    if (there.until && !wanted.until) continue;
    if (!there.until && wanted.until) {
      addition.notes.push_back("goes before " + numbered(at, there) +
                               ", which decides again when this one has ended");
      return place_new(policy, sources, layout, std::move(addition), {.number = at + 1});
    }
    addition.notes.push_back("changed " + numbered(at, there) + " where it stands");
    return replaces(at);
  }
  return place_new(policy, sources, layout, std::move(addition), place);
}

Edit add(const CheckedPolicy& policy, const Added& added, Addition addition) {
  Edit edit{.added = added,
            .changed = addition.kind != Addition::Kind::none,
            .notes = std::move(addition.notes)};
  const Layout layout(policy, added);
  if (addition.kind == Addition::Kind::replaces)
    layout.at(edit.added, addition.index) = std::move(addition.rule);
  if (addition.kind == Addition::Kind::appends)
    edit.added.rules.push_back(std::move(addition.rule));
  if (addition.kind == Addition::Kind::inserts)
    layout.insert(edit.added, addition.index, std::move(addition.rule));
  return edit;
}

EditResult add(const CheckedPolicy& policy, const Sources& sources, const Added& added, Rule rule,
               Place place) {
  auto addition = plan_addition(policy, RuleIndex(policy), sources, added, std::move(rule), place);
  if (!addition) return tl::unexpected(std::move(addition.error()));
  return add(policy, added, *std::move(addition));
}

Edit remove_ended(const Added& added, Time now) {
  Edit edit{.added = added};
  for (auto* rules : {&edit.added.before, &edit.added.rules})
    std::erase_if(*rules, [&](const Rule& rule) {
      const bool ended = rule.until && *rule.until <= now;
      if (ended) edit.notes.push_back("ended: '" + command_text(rule) + "'");
      return ended;
    });
  for (auto& set : edit.added.sets)
    if (auto note = remove_ended(set, now)) edit.notes.push_back(*std::move(note));
  edit.changed = !edit.notes.empty();
  return edit;
}

EditResult remove(const CheckedPolicy& policy, const Sources& sources, const Added& added,
                  const std::vector<std::string>& selection, Diagnostics& diagnostics) {
  Edit edit{.added = added};
  const auto& rules = policy.policy().rules;
  std::set<std::size_t> chosen;
  if (selection.empty())
    return tl::unexpected(std::string("name a rule to delete: its number, its id or its text"));
  if (selection.front() == "comment") {
    if (selection.size() != 2)
      return tl::unexpected(std::string("say the comment of the rules to delete: comment TEXT"));
    for (std::size_t index = 0; index < rules.size(); ++index)
      if (rules[index].comment == selection[1]) chosen.insert(index);
    if (chosen.empty()) {
      edit.notes.push_back("no rule has the comment '" + selection[1] + "'");
      return edit;
    }
  } else if (begins_rule(selection.front())) {
    // Its end is not asked about, so that it does not matter when that counts from.
    const auto wanted = parse_rule(selection, diagnostics, Time());
    if (!wanted) return tl::unexpected(std::string("the rule to delete is not a rule"));
    for (std::size_t index = 0; index < rules.size(); ++index)
      if (rules[index].same_meaning(*wanted) &&
          (wanted->comment.empty() || wanted->comment == rules[index].comment))
        chosen.insert(index);
    if (chosen.empty()) {
      edit.notes.push_back("no rule says '" + command_text(*wanted) + "'");
      return edit;
    }
  } else {
    Selection selected(policy);
    for (const auto& word : selection)
      if (auto found = selected.choose(word); !found) return tl::unexpected(found.error());
    chosen = selected.chosen();
  }
  const Layout layout(policy, added);
  for (const auto index : chosen)
    if (layout.managed(index))
      return tl::unexpected(
          numbered(index, rules[index]) + " stands in " + sources.place_of(rules[index]) +
          ", a file that fwctl does not write: delete it there, then 'fwctl reload'");
  for (auto index = chosen.rbegin(); index != chosen.rend(); ++index) {
    auto& list = *index < added.before.size() ? edit.added.before : edit.added.rules;
    const std::size_t offset = *index < added.before.size() ? 0 : layout.first_added();
    list.erase(list.begin() + static_cast<std::ptrdiff_t>(*index - offset));
  }
  edit.changed = true;
  return edit;
}

}  // namespace fwctl::policy
