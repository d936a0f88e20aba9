#include "rules/policy/edit_set.h"

#include <gtest/gtest.h>

#include "tests/unit/policies.h"

namespace fwctl::testing {
namespace {

using policy::SetAction;
using Texts = std::vector<std::string>;

class EditingSets : public ::testing::Test {
 protected:
  policy::EditResult edit(SetAction action, const std::string& name, const Texts& addresses = {}) {
    Diagnostics diagnostics;
    const auto wanted = policy::parse_set_edit(action, name, addresses, diagnostics);
    EXPECT_TRUE(wanted) << render(diagnostics);
    const auto parsed = policy::parse(sources_, diagnostics);
    return policy::edit_set(parsed.policy, sources_, parsed.added, *wanted);
  }
  // The sets of rules.yaml afterwards, as it is written.
  static std::string sets(const policy::EditResult& edit) {
    if (!edit) return edit.error();
    const auto text = yaml_text(edit->added);
    const auto begin = text.find("sets:\n");
    return begin == std::string::npos ? "" : text.substr(begin, text.find("rules:") - begin);
  }

  policy::Sources sources_ = sources("sets: {office: [10.0.0.0/8]}\n",
                                     "sets: {black: [192.0.2.0/24, 192.0.3.7]}\nrules: [deny 1]\n");
};

TEST_F(EditingSets, AddMakesASetThatIsNotThere) {
  const auto done = edit(SetAction::add, "fresh", {"192.0.2.1,::1", "192.0.2.1"});
  EXPECT_EQ(sets(done),
            "sets:\n  black: [192.0.2.0/24, 192.0.3.7]\n  fresh: [192.0.2.1, \"::1\"]\n");
  EXPECT_TRUE(done->changed);
  EXPECT_EQ(done->added.rules.size(), 1U);
}

TEST_F(EditingSets, AddKeepsWhatIsThereAndSaysSo) {
  const auto some = edit(SetAction::add, "black", {"192.0.3.7", "192.0.2.9"});
  EXPECT_EQ(sets(some), "sets:\n  black: [192.0.2.0/24, 192.0.3.7, 192.0.2.9]\n");
  EXPECT_EQ(some->notes, Texts{"already in set 'black': 192.0.3.7"});
  const auto all = edit(SetAction::add, "black", {"192.0.2.5/24", "192.0.3.7"});
  ASSERT_TRUE(all);
  EXPECT_FALSE(all->changed);
  EXPECT_EQ(all->notes, Texts{"already in set 'black': 192.0.2.0/24, 192.0.3.7"});
}

TEST_F(EditingSets, RemoveTakesEntriesOut) {
  EXPECT_EQ(sets(edit(SetAction::remove, "black", {"192.0.2.0/24"})),
            "sets:\n  black: 192.0.3.7\n");
  EXPECT_EQ(sets(edit(SetAction::remove, "black", {"192.0.2.0/24", "192.0.3.7"})),
            "sets:\n  black: []\n");
  const auto absent = edit(SetAction::remove, "black", {"198.51.100.1"});
  ASSERT_TRUE(absent);
  EXPECT_FALSE(absent->changed);
  EXPECT_EQ(absent->notes, Texts{"not in set 'black': 198.51.100.1"});
}

// Taking it for "not there" would leave it in force.
TEST_F(EditingSets, APartOfAnEntryIsNotRemovedSilently) {
  const auto part = edit(SetAction::remove, "black", {"192.0.2.9"});
  ASSERT_FALSE(part);
  EXPECT_EQ(part.error(),
            "192.0.2.9 is no entry of set 'black' but part of 192.0.2.0/24: remove that, and add "
            "what is to stay");
  EXPECT_TRUE(edit(SetAction::remove, "black", {"192.0.2.9", "192.0.2.0/24"}));
}

TEST_F(EditingSets, ReplaceExchangesAll) {
  EXPECT_EQ(sets(edit(SetAction::replace, "black", {"::1"})), "sets:\n  black: \"::1\"\n");
  EXPECT_EQ(sets(edit(SetAction::replace, "black", {})), "sets:\n  black: []\n");
  const auto same = edit(SetAction::replace, "black", {"192.0.2.0/24", "192.0.3.7"});
  ASSERT_TRUE(same);
  EXPECT_FALSE(same->changed);
  EXPECT_EQ(same->notes, Texts{"set 'black' holds just that already"});
}

TEST_F(EditingSets, DeleteRemovesTheSet) {
  EXPECT_EQ(sets(edit(SetAction::destroy, "black")), "");
}

TEST_F(EditingSets, SetsOfPeopleArePointedAt) {
  const std::string where =
      "set 'office' stands in policy.yaml:1, a file that fwctl does not write: change it there, "
      "then 'fwctl reload'";
  EXPECT_EQ(sets(edit(SetAction::add, "office", {"::1"})), where);
  EXPECT_EQ(sets(edit(SetAction::remove, "office", {"10.0.0.0/8"})), where);
  EXPECT_EQ(sets(edit(SetAction::replace, "office", {"::1"})), where);
  EXPECT_EQ(sets(edit(SetAction::destroy, "office")), where);
  const auto there = edit(SetAction::add, "office", {"10.0.0.0/8"});
  ASSERT_TRUE(there);
  EXPECT_FALSE(there->changed);
  sources_.managed[0].text = "sets: {office: {file: sets/o.txt}}\n";
  sources_.set_files = {{.name = "sets/o.txt", .text = "10.0.0.1\n"}};
  EXPECT_NE(sets(edit(SetAction::add, "office", {"::1"})).find("read from the file sets/o.txt"),
            std::string::npos);
}

TEST_F(EditingSets, UnknownSetsAreRefusedWithTheNearest) {
  EXPECT_EQ(sets(edit(SetAction::remove, "blakc", {"::1"})),
            "no set is called 'blakc', did you mean 'black'?");
  EXPECT_EQ(sets(edit(SetAction::destroy, "nothing")), "no set is called 'nothing'");
}

TEST_F(EditingSets, MistakesAreToldAtTheWords) {
  Diagnostics diagnostics;
  EXPECT_FALSE(policy::parse_set_edit(SetAction::add, "1x", {"10.0.0.1,10.0.0.300", "::1", "@a"},
                                      diagnostics));
  const auto said = render(diagnostics);
  EXPECT_EQ(diagnostics.size(), 3U) << said;
  EXPECT_TRUE(said.starts_with("command:1:9: error: a set's name")) << said;
  EXPECT_NE(said.find("command:1:21: error: '10.0.0.300' is not"), std::string::npos) << said;
  EXPECT_NE(said.find("command:1:36: error: "), std::string::npos) << said;
}

}  // namespace
}  // namespace fwctl::testing
