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
    const auto wanted = policy::parse_set_edit(action, name, addresses, now_, diagnostics);
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

  Time now_ = *parse_time("2026-11-22T16:00:00Z");
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

TEST_F(EditingSets, PairsAreEntriesToo) {
  const Texts two{"203.0.113.5 5432/tcp", "::1 53/udp,203.0.113.5 5432/tcp"};
  const auto done = edit(SetAction::add, "partners", two);
  EXPECT_EQ(sets(done),
            "sets:\n  black: [192.0.2.0/24, 192.0.3.7]\n"
            "  partners: [\"203.0.113.5 5432/tcp\", \"::1 53/udp\"]\n");
  sources_ = sources("", yaml_text(done->added));
  const auto again = edit(SetAction::add, "partners", {"203.0.113.5   5432/6"});
  ASSERT_TRUE(again);
  EXPECT_FALSE(again->changed);
  EXPECT_EQ(again->notes, Texts{"already in set 'partners': 203.0.113.5 5432/tcp"});
  const auto less = edit(SetAction::remove, "partners", {"::1 53/udp", "::1 54/udp"});
  EXPECT_EQ(less->notes, Texts{"not in set 'partners': ::1 54/udp"});
  EXPECT_EQ(less->added.sets.back().pairs.size(), 1U);
  EXPECT_EQ(edit(SetAction::replace, "partners", {"10.0.0.1"})->added.sets.back().size(), 1U);
  EXPECT_EQ(edit(SetAction::replace, "black", {"10.0.0.1 80/tcp"})->added.sets[0].size(), 1U);
}

TEST_F(EditingSets, ASetIsOfOneKind) {
  EXPECT_EQ(sets(edit(SetAction::add, "black", {"10.0.0.1 80/tcp"})),
            "set 'black' is of addresses without ports: 10.0.0.1 80/tcp needs a set of its own");
  sources_ = sources("", "sets: {partners: [10.0.0.1 80/tcp]}\n");
  EXPECT_EQ(sets(edit(SetAction::add, "partners", {"10.0.0.2", "10.0.0.3"})),
            "set 'partners' is of addresses with ports: 10.0.0.2, 10.0.0.3 needs a set of its own");
  const auto refused = [&](const Texts& words) {
    Diagnostics diagnostics;
    EXPECT_FALSE(policy::parse_set_edit(SetAction::add, "a", words, now_, diagnostics));
    return render(diagnostics);
  };
  EXPECT_EQ(refused({"10.0.0.1", "10.0.0.2 80/tcp"}),
            "command:1:21: error: '10.0.0.2 80/tcp' has a port, and the entries before it have "
            "none: a set is of one kind\n"
            "  set add a 10.0.0.1 '10.0.0.2 80/tcp'\n"
            "                      ^~~~~~~~~~~~~~~\n");
  EXPECT_EQ(refused({"10.0.0.2 80/tcp", "for", "2h"}),
            "command:1:1: error: an entry with a port has no end: give one to a rule of its own\n"
            "  set add a '10.0.0.2 80/tcp' for 2h\n"
            "  ^~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~\n");
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

TEST_F(EditingSets, EntriesMayEnd) {
  EXPECT_EQ(sets(edit(SetAction::add, "black", {"192.0.2.9/32", "::1", "for", "1h30m"})),
            "sets:\n  black: [192.0.2.0/24, 192.0.3.7, {address: 192.0.2.9, until: "
            "\"2026-11-22T17:30:00Z\"}, {address: \"::1\", until: \"2026-11-22T17:30:00Z\"}]\n");
  const auto lasting = edit(SetAction::add, "black", {"192.0.3.7", "for", "1h"});
  ASSERT_TRUE(lasting);
  EXPECT_FALSE(lasting->changed);
  EXPECT_EQ(lasting->notes,
            Texts{"already in set 'black', without an end (to give it one, remove it "
                  "first): 192.0.3.7"});
  EXPECT_EQ(sets(edit(SetAction::replace, "black", {"::1", "until", "2026-11-22T17:00:00Z"})),
            "sets:\n  black: [{address: \"::1\", until: \"2026-11-22T17:00:00Z\"}]\n");
}

TEST_F(EditingSets, AnEndIsMoved) {
  sources_.added.text =
      "sets: {black: [10.0.0.1, {address: 10.0.0.2, until: 2026-11-22T17:00:00Z}]}\n";
  const auto end = [](const std::string& hour) {
    return "sets:\n  black: [10.0.0.1, {address: 10.0.0.2, until: \"2026-11-22T" + hour +
           ":00:00Z\"}]\n";
  };
  const auto later = edit(SetAction::add, "black", {"10.0.0.2/32", "for", "2h"});
  EXPECT_EQ(sets(later), end("18"));
  EXPECT_EQ(later->notes, Texts{"ending later in set 'black', at 2026-11-22T18:00:00Z: 10.0.0.2"});
  const auto earlier = edit(SetAction::add, "black", {"10.0.0.2", "until", "2026-11-22T16:00:01Z"});
  EXPECT_EQ(earlier->notes,
            Texts{"ending earlier in set 'black', at 2026-11-22T16:00:01Z: 10.0.0.2"});
  const auto same = edit(SetAction::add, "black", {"10.0.0.2", "for", "1h"});
  EXPECT_FALSE(same->changed);
  EXPECT_EQ(same->notes, Texts{"already in set 'black': 10.0.0.2"});
  const auto lasting = edit(SetAction::add, "black", {"10.0.0.2"});
  EXPECT_EQ(sets(lasting), "sets:\n  black: [10.0.0.1, 10.0.0.2]\n");
  EXPECT_EQ(lasting->notes, Texts{"no longer ending in set 'black': 10.0.0.2"});
  EXPECT_EQ(sets(edit(SetAction::remove, "black", {"10.0.0.2"})), "sets:\n  black: 10.0.0.1\n");
}

TEST_F(EditingSets, WhatHasEndedIsTakenOut) {
  policy::AddressSet set{
      .name = "black",
      .temporary = {{{address("::1"), address("::1")}, now_},
                    {{address("::2"), address("::2")}, now_ + std::chrono::seconds(1)}}};
  EXPECT_EQ(policy::remove_ended(set, now_), "ended in set 'black': ::1");
  EXPECT_EQ(set.temporary.size(), 1U);
  EXPECT_EQ(policy::remove_ended(set, now_), std::nullopt);
}

TEST_F(EditingSets, MistakesOfTheEndAreTold) {
  const auto said = [&](SetAction action, const Texts& words) {
    Diagnostics diagnostics;
    EXPECT_FALSE(policy::parse_set_edit(action, "black", words, now_, diagnostics));
    return diagnostics.empty()
               ? ""
               : std::to_string(diagnostics[0].at.column) + " " + diagnostics[0].message;
  };
  EXPECT_EQ(said(SetAction::add, {"::1", "for"}), "19 how long, as 2h, is missing behind 'for'");
  EXPECT_EQ(said(SetAction::add, {"::1", "for", "2x"}).substr(0, 30),
            "23 '2x' is not how long someth");
  EXPECT_EQ(said(SetAction::add, {"::1", "until", "2026-11-22T16:00:00Z"}),
            "25 that is over: it is 2026-11-22T16:00:00Z");
  EXPECT_EQ(said(SetAction::add, {"::1", "for", "2h", "until", "2026-11-22T17:00:00Z"}),
            "26 an entry ends once: one of 'for' and 'until'");
  EXPECT_EQ(said(SetAction::remove, {"::1", "for", "2h"}),
            "22 an entry gets its end when it is put in, by 'add' or 'replace'");
  EXPECT_EQ(said(SetAction::add, {"for", "2h"}), "1 say which addresses");
}

TEST_F(EditingSets, MistakesAreToldAtTheWords) {
  Diagnostics diagnostics;
  EXPECT_FALSE(policy::parse_set_edit(SetAction::add, "1x", {"10.0.0.1,10.0.0.300", "::1", "@a"},
                                      now_, diagnostics));
  const auto said = render(diagnostics);
  EXPECT_EQ(diagnostics.size(), 3U) << said;
  EXPECT_TRUE(said.starts_with("command:1:9: error: a set's name")) << said;
  EXPECT_NE(said.find("command:1:21: error: '10.0.0.300' is not"), std::string::npos) << said;
  EXPECT_NE(said.find("command:1:36: error: "), std::string::npos) << said;
}

}  // namespace
}  // namespace fwctl::testing
