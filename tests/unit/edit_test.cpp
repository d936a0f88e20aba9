#include "rules/policy/edit.h"

#include <gtest/gtest.h>

#include "tests/unit/policies.h"

namespace fwctl::testing {
namespace {

using policy::Added;
using policy::Edit;
using policy::Place;
using policy::Rule;
using Notes = std::vector<std::string>;
using Rules = std::vector<Rule>;

// One rule before, two of people's, two added: numbers 1 to 5.
class Editing : public ::testing::Test {
 protected:
  void use(const std::string& managed, const std::string& added) {
    sources_ = sources(managed, added);
    Diagnostics diagnostics;
    parsed_ = policy::parse(sources_, diagnostics);
    policy_ = load(sources_);
  }

  policy::EditResult add(const std::string& line, Place place = {}) {
    return policy::add(*policy_, sources_, parsed_.added, rule(line), place);
  }
  policy::EditResult remove(const std::vector<std::string>& selection) {
    diagnostics_.clear();
    return policy::remove(*policy_, sources_, parsed_.added, selection, diagnostics_);
  }
  const std::string& id(std::size_t number) const { return policy_->ids()[number - 1]; }

  void SetUp() override {
    use("rules:\n  - allow 2/tcp\n  - allow 3/tcp\n",
        "before: [allow 1/tcp]\nrules: [allow 4/tcp, allow 5/tcp comment five]\n");
  }

  policy::Sources sources_;
  policy::ParsedPolicy parsed_;
  std::optional<policy::CheckedPolicy> policy_;
  Diagnostics diagnostics_;
};

TEST_F(Editing, AddPutsTheRuleLast) {
  const auto edit = add("allow 9/tcp");
  ASSERT_TRUE(edit);
  EXPECT_TRUE(edit->changed);
  EXPECT_EQ(edit->added.rules,
            (Rules{rule("allow 4/tcp"), rule("allow 5/tcp comment five"), rule("allow 9/tcp")}));
  EXPECT_EQ(edit->added.before, parsed_.added.before);
}

TEST_F(Editing, PrependPutsTheRuleFirst) {
  const auto edit = add("deny 9/tcp", {.number = 0});
  ASSERT_TRUE(edit);
  EXPECT_EQ(edit->added.before, (Rules{rule("deny 9/tcp"), rule("allow 1/tcp")}));
  EXPECT_EQ(edit->added.rules, parsed_.added.rules);
}

TEST_F(Editing, InsertMakesItRuleNumberN) {
  EXPECT_EQ(add("deny 9", {.number = 1})->added.before,
            (Rules{rule("deny 9"), rule("allow 1/tcp")}));
  EXPECT_EQ(add("deny 9", {.number = 2})->added.before,
            (Rules{rule("allow 1/tcp"), rule("deny 9")}))
      << "before the first of people's rules, yet in fwctl's own file";
  EXPECT_EQ(add("deny 9", {.number = 4})->added.rules,
            (Rules{rule("deny 9"), rule("allow 4/tcp"), rule("allow 5/tcp comment five")}));
  EXPECT_EQ(add("deny 9", {.number = 5})->added.rules,
            (Rules{rule("allow 4/tcp"), rule("deny 9"), rule("allow 5/tcp comment five")}));
}

TEST_F(Editing, InsertDoesNotWriteIntoPeoplesFiles) {
  const auto edit = add("deny 9", {.number = 3});
  ASSERT_FALSE(edit);
  EXPECT_EQ(edit.error(),
            "rule 3 stands in policy.yaml:3, a file that fwctl does not write: put the new rule "
            "there and 'fwctl "
            "reload', or use 'fwctl prepend'");
}

TEST_F(Editing, InsertNeedsARuleToInsertBefore) {
  EXPECT_EQ(add("deny 9", {.number = 6}).error(),
            "there is no rule 6 to insert before: the last is rule 5");
  use("", "");
  EXPECT_EQ(add("deny 9", {.number = 1}).error(),
            "there is no rule 1 to insert before: there are no rules yet");
  EXPECT_TRUE(add("deny 9", {.number = 0}));
}

TEST_F(Editing, SayingAThingTwiceChangesNothing) {
  for (const std::string same : {"allow 4/tcp", "allow proto tcp to any port 4", "allow 5/tcp",
                                 "allow 5/tcp comment five"}) {
    const auto edit = add(same);
    ASSERT_TRUE(edit) << same;
    EXPECT_FALSE(edit->changed) << same;
    EXPECT_EQ(edit->added.rules, parsed_.added.rules) << same;
  }
  EXPECT_EQ(add("allow 4/tcp")->notes, Notes{"already there: rule 4, 'allow 4/tcp'"});
  EXPECT_EQ(add("allow 2/tcp comment x")->notes,
            Notes{"already there: rule 2, 'allow 2/tcp' (policy.yaml:2)"});
  EXPECT_FALSE(add("allow 1/tcp", {.number = 0})->changed);
}

TEST_F(Editing, AnotherVerdictChangesTheRuleWhereItStands) {
  const auto edit = add("deny log 4/tcp");
  ASSERT_TRUE(edit);
  EXPECT_TRUE(edit->changed);
  EXPECT_EQ(edit->notes, Notes{"changed rule 4, 'allow 4/tcp' where it stands"});
  EXPECT_EQ(edit->added.rules, (Rules{rule("deny log 4/tcp"), rule("allow 5/tcp comment five")}));
  EXPECT_EQ(add("deny 1/tcp")->added.before, Rules{rule("deny 1/tcp")});
}

TEST_F(Editing, WhatIsToStandElsewhereLeavesTheOtherWhereItIs) {
  const auto edit = add("deny 4/tcp", {.number = 0});
  ASSERT_TRUE(edit);
  EXPECT_EQ(edit->added.before, (Rules{rule("deny 4/tcp"), rule("allow 1/tcp")}));
  EXPECT_EQ(edit->added.rules, parsed_.added.rules);
}

TEST_F(Editing, ACommentIsChangedOrKept) {
  EXPECT_EQ(add("allow 5/tcp comment six")->added.rules[1], rule("allow 5/tcp comment six"));
  EXPECT_EQ(add("deny 5/tcp")->added.rules[1], rule("deny 5/tcp comment five"));
  EXPECT_EQ(add("allow 5/tcp comment ''")->added.rules[1], rule("allow 5/tcp"));
  EXPECT_EQ(add("deny 5/tcp comment ''")->added.rules[1], rule("deny 5/tcp"));
  EXPECT_FALSE(add("allow 4/tcp comment ''")->changed);
}

TEST_F(Editing, AnotherVerdictThanPeoplesIsARuleOfItsOwn) {
  const auto edit = add("deny 2/tcp");
  ASSERT_TRUE(edit);
  EXPECT_EQ(edit->added.rules.back(), rule("deny 2/tcp"));
  EXPECT_EQ(add("deny 2/tcp", {.number = 0})->added.before.front(), rule("deny 2/tcp"));
}

TEST_F(Editing, DeletesByNumberIdAndText) {
  const Rules without_four{rule("allow 5/tcp comment five")};
  EXPECT_EQ(remove({"4"})->added.rules, without_four);
  EXPECT_EQ(remove({id(4)})->added.rules, without_four);
  EXPECT_EQ(remove({id(4).substr(0, 5)})->added.rules, without_four);
  EXPECT_EQ(remove({"allow", "4/tcp"})->added.rules, without_four);
  EXPECT_EQ(remove({"1"})->added.before, Rules{});
  EXPECT_EQ(remove({"allow", "5/tcp"})->added.rules, Rules{rule("allow 4/tcp")})
      << "whatever its comment";
  EXPECT_TRUE(remove({"4"})->changed);
}

TEST_F(Editing, DeletesSeveralAtOnce) {
  const auto edit = remove({"1", "4-5"});
  ASSERT_TRUE(edit);
  EXPECT_EQ(edit->added.before, Rules{});
  EXPECT_EQ(edit->added.rules, Rules{});
  EXPECT_EQ(remove({"4", id(4), "4-4"})->added.rules.size(), 1U)
      << "named three times, deleted once";
}

TEST_F(Editing, DoesNotDeleteFromPeoplesFiles) {
  for (const std::vector<std::string>& selection :
       {std::vector<std::string>{"2"}, {"1-5"}, {"allow", "2/tcp"}, {id(2)}}) {
    const auto edit = remove(selection);
    ASSERT_FALSE(edit);
    EXPECT_EQ(edit.error(),
              "rule 2, 'allow 2/tcp' stands in policy.yaml:2, a file that fwctl does not write: "
              "delete it there, then "
              "'fwctl reload'");
  }
}

TEST_F(Editing, SaysWhyItDeletesNothing) {
  EXPECT_EQ(remove({}).error(), "name a rule to delete: its number, its id or its text");
  EXPECT_EQ(remove({"6"}).error(), "there is no rule 6: the last is rule 5");
  EXPECT_EQ(remove({"0"}).error(), "there is no rule 0: the last is rule 5");
  EXPECT_EQ(remove({"5-4"}).error(), "'5-4' is not a range of rule numbers");
  EXPECT_EQ(remove({"4-"}).error(), "'4-' is not a range of rule numbers");
  EXPECT_EQ(remove({"4-6"}).error(), "there is no rule 6: the last is rule 5");
  EXPECT_EQ(remove({"all"}).error(),
            "'all' is neither the number nor the id of a rule ('fwctl status verbose' lists both), "
            "and no "
            "rule begins with it");
  EXPECT_EQ(remove({"r"}).error().substr(0, 3), "'r'") << "too little to go by";
  EXPECT_EQ(remove({"allow", "0"}).error(), "the rule to delete is not a rule");
  EXPECT_EQ(render(diagnostics_),
            "command:1:7: error: '0' is not a port: ports are 1 to 65535\n  allow 0\n        ^\n");
  use("", "");
  EXPECT_EQ(remove({"1"}).error(), "there is no rule 1: there are no rules");
}

TEST_F(Editing, DeletingWhatIsNotThereSaysSo) {
  const auto edit = remove({"deny", "4/tcp"});
  ASSERT_TRUE(edit);
  EXPECT_FALSE(edit->changed);
  EXPECT_EQ(edit->notes, Notes{"no rule says 'deny 4/tcp'"});
}

TEST_F(Editing, AnIdThatSeveralShareTheBeginningOfIsRefused) {
  use("", "rules: [allow 4/tcp, allow 5/tcp, allow 4/tcp]\n");
  EXPECT_EQ(remove({id(1).substr(0, 6)}).error(),
            "several rules have an id that begins with '" + id(1).substr(0, 6) + "'");
  EXPECT_EQ(remove({id(3)})->added.rules, (Rules{rule("allow 4/tcp"), rule("allow 5/tcp")}));
  EXPECT_EQ(remove({"allow", "4/tcp"})->added.rules, Rules{rule("allow 5/tcp")});
}

class EditingTemporary : public Editing {
 protected:
  const std::string six = " until 2026-11-22T18:00:00Z";
  const std::string seven = " until 2026-11-22T19:00:00Z";
};

TEST_F(EditingTemporary, SayingItAgainMovesTheEnd) {
  use("", "rules: [\"allow 4/tcp" + six + "\", allow 5/tcp]\n");
  auto edit = add("allow 4/tcp" + seven);
  ASSERT_TRUE(edit && edit->changed);
  EXPECT_EQ(edit->added.rules, (Rules{rule("allow 4/tcp" + seven), rule("allow 5/tcp")}));
  EXPECT_EQ(edit->notes, Notes{"rule 1, 'allow 4/tcp until 2026-11-22T18:00:00Z', ends later: at "
                               "2026-11-22T19:00:00Z"});
  EXPECT_FALSE(add("allow 4/tcp" + six)->changed);
  edit = add("allow 4/tcp");
  ASSERT_TRUE(edit && edit->changed);
  EXPECT_EQ(edit->added.rules, (Rules{rule("allow 4/tcp"), rule("allow 5/tcp")}));
  edit = add("allow 5/tcp" + six);
  ASSERT_TRUE(edit);
  EXPECT_FALSE(edit->changed) << "what has no end is not given one";
  EXPECT_EQ(edit->notes, Notes{"already there, without an end: rule 2, 'allow 5/tcp'"});
}

TEST_F(EditingTemporary, AnotherVerdictGoesBeforeWhatStays) {
  use("", "before: [allow 3/tcp]\nrules: [allow 4/tcp, allow 5/tcp]\n");
  auto edit = add("deny 5/tcp" + six);
  ASSERT_TRUE(edit && edit->changed);
  EXPECT_EQ(edit->added.rules,
            (Rules{rule("allow 4/tcp"), rule("deny 5/tcp" + six), rule("allow 5/tcp")}));
  edit = add("deny 3/tcp" + six);
  ASSERT_TRUE(edit && edit->changed);
  EXPECT_EQ(edit->added.before, (Rules{rule("deny 3/tcp" + six), rule("allow 3/tcp")}));
  use("", "rules: [\"deny 5/tcp" + six + "\", allow 5/tcp]\n");
  EXPECT_FALSE(add("allow 5/tcp")->changed);
  EXPECT_EQ(add("reject 5/tcp" + seven)->added.rules,
            (Rules{rule("reject 5/tcp" + seven), rule("allow 5/tcp")}));
  EXPECT_EQ(add("reject 5/tcp")->added.rules,
            (Rules{rule("deny 5/tcp" + six), rule("reject 5/tcp")}));
}

TEST_F(EditingTemporary, AFileOfPeopleCountsWhileItLasts) {
  use("rules: [\"allow 4/tcp" + six + "\"]\n", "");
  EXPECT_FALSE(add("allow 4/tcp" + six)->changed);
  EXPECT_EQ(add("allow 4/tcp" + seven)->added.rules, Rules{rule("allow 4/tcp" + seven)});
  EXPECT_EQ(add("allow 4/tcp")->added.rules, Rules{rule("allow 4/tcp")});
}

TEST_F(EditingTemporary, WhatHasEndedIsTakenOut) {
  use("rules: [\"allow 2/tcp" + six + "\"]\n",
      "before: [\"deny 3/tcp" + six + "\"]\nrules: [\"allow 4/tcp" + seven + "\", allow 5/tcp]\n");
  const Time six_o_clock = *parse_time("2026-11-22T18:00:00Z");
  EXPECT_FALSE(remove_ended(parsed_.added, six_o_clock - std::chrono::seconds(1)).changed);
  auto edit = remove_ended(parsed_.added, six_o_clock);
  EXPECT_TRUE(edit.changed);
  EXPECT_TRUE(edit.added.before.empty());
  EXPECT_EQ(edit.added.rules, parsed_.added.rules);
  EXPECT_EQ(edit.notes, Notes{"ended: 'deny 3/tcp until 2026-11-22T18:00:00Z'"});
  EXPECT_EQ(remove_ended(parsed_.added, six_o_clock + std::chrono::hours(1)).added.rules,
            Rules{rule("allow 5/tcp")});
}

TEST_F(EditingTemporary, DeletingNeedsNoEnd) {
  use("", "rules: [\"allow 4/tcp" + six + "\"]\n");
  EXPECT_TRUE(remove({"allow", "4/tcp"})->changed);
  EXPECT_TRUE(remove({"allow", "4/tcp", "for", "2h"})->changed);
}

}  // namespace
}  // namespace fwctl::testing
