// One rule more, and nothing else looked at again: the same as if all were.
#include "rules/policy/append.h"
#include "rules/policy/items.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <utility>

#include "rules/compile/compile.h"
#include "rules/compile/growth.h"
#include "rules/nft/grow.h"
#include "rules/nft/plan.h"
#include "rules/nft/text.h"
#include "rules/policy/edit_set.h"
#include "tests/unit/policies.h"
#include "tests/unit/random_policy.h"
#include "tests/unit/rounds.h"

namespace fwctl::testing {
namespace {

using policy::Added;
using policy::CheckedPolicy;
using policy::Rule;
using policy::Sources;

nft::Chain marker(std::size_t number) {
  return {.name = std::string(nft::marker_chain),
          .comment = "generation " + std::to_string(number),
          .rules = {}};
}

nft::Ruleset loaded_for(const CheckedPolicy& policy, std::size_t number,
                        std::size_t big = compile::big_set) {
  auto out = compile::compile(policy, {}, big);
  out.chains.push_back(marker(number));
  std::ranges::sort(out.chains, {}, &nft::Chain::name);
  return out;
}

std::string text(Span at) {
  return std::to_string(at.line) + ":" + std::to_string(at.column) + "+" +
         std::to_string(at.length);
}

// Where all of a rule was written.
std::string places(const Rule& rule) {
  std::string out = std::to_string(rule.source) + " " + text(rule.at);
  for (const auto* items : {&rule.from, &rule.to})
    for (const auto& item : *items) out += " " + text(item.at);
  for (const auto* items : {&rule.from_ports, &rule.ports})
    for (const auto& item : *items) out += " " + text(item.at);
  return out;
}

Rule last(const CheckedPolicy& policy) {
  return policy.policy().rules.back();
}

// A rule more, as what parses, checks and compiles it hands it on: here a bug can be planted.
struct Step {
  policy::Appended appended;
  std::vector<nft::Set> elements;
};
using Bug = std::function<void(Step&, const nft::Ruleset& loaded)>;

struct Course {
  std::size_t appended = 0;
  std::size_t in_place = 0;
  std::string difference;  // the first; nothing is looked at after it
};

// Of a kind of which there are many, so that there are maps to grow; or any.
Rule random_rule(RandomPolicy& random) {
  if (random.one_in(6)) return random.rule();
  Rule next = rule("allow 9/tcp");
  const auto port = random.port();
  next.ports.front().what =
      PortRange{port, random.one_in(3) ? std::max(port, random.port()) : port};
  next.verdict = random.one_in(3) ? policy::Verdict::deny : policy::Verdict::allow;
  if (!random.one_in(3)) return next;
  const auto address = random.address(Family::ipv4);
  next.from = {{.what = AddressRange{address, address}}};
  return next;
}

// What differs between the two ways to add `next` to the policy; empty: nothing does.
class Adding {
 public:
  Adding(Sources all, std::size_t big, const Bug& bug)
      : all_(std::move(all)), policy_(load(all_)), big_(big), bug_(bug) {
    begin_anew(0);
  }

  std::string add(const Rule& next, std::size_t number, Course& course) {
    const auto appended = policy::append(policy_, *index_, all_, next);
    const auto before = all_.added.text;
    all_.added.text += policy::yaml_text(next);
    if (problems(all_).find(" error: ") != std::string::npos) {
      all_.added.text = before;
      return appended ? "taken: " + policy::yaml_text(next) : "";
    }
    const auto whole = load(all_);
    if (!appended) {
      policy_ = load(all_);
      begin_anew(number);
      return {};
    }
    ++course.appended;
    return compare({.appended = *appended, .elements = {}}, whole, next, number, course);
  }

 private:
  void begin_anew(std::size_t number) {
    loaded_ = loaded_for(policy_, number, big_);
    growth_.emplace(policy_, big_);
    index_.emplace(policy_);
  }

  std::string compare(Step step, const CheckedPolicy& whole, const Rule& next, std::size_t number,
                      Course& course) {
    bug_(step, loaded_);
    const auto& [item, rule, checked] = step.appended;
    const auto of = policy::traffic(next.direction);
    const auto told = policy::yaml_text(next);
    if (item != told) return "other text: " + told;
    if (!(rule == last(whole)) || places(rule) != places(last(whole)))
      return "another rule, or in another place: " + told;
    if (checked.written != whole.rules(of).back().written) return "another number: " + told;
    policy_.append(rule, checked);
    index_->append(policy_);
    if (policy_.ids() != whole.ids()) return "other ids: " + told;
    if (nft::text(compile::compile(policy_)) != nft::text(compile::compile(whole)))
      return "another ruleset: " + told;
    auto more = growth_->add(policy_, policy_.rules(of).back(), of);
    if (more) {
      step.elements = *std::move(more);
      bug_(step, loaded_);
      more = step.elements;
    }
    const auto changes = more ? nft::grow(loaded_, *more, marker(number)) : std::nullopt;
    if (!changes) {
      begin_anew(number);
      return {};
    }
    ++course.in_place;
    nft::grown(loaded_, *changes);
    return loaded_ == loaded_for(whole, number, big_) ? "" : "other elements: " + told;
  }

  Sources all_;
  CheckedPolicy policy_;
  std::size_t big_;
  const Bug& bug_;
  nft::Ruleset loaded_;
  std::optional<compile::Growth> growth_;
  std::optional<policy::RuleIndex> index_;
};

Course run(const Bug& bug) {
  RandomPolicy random(70);
  Course course;
  for (int round = 0; round < rounds(40) && course.difference.empty(); ++round) {
    auto base = random.policy(8);
    base.trusts.clear();
    Sources all = sources(policy::yaml_text(base));
    Added added;
    added.rules.push_back(rule("allow 9/tcp"));
    all.added.text = policy::yaml_text(added);
    Adding adding(std::move(all), round % 2 == 0 ? 1 : compile::big_set, bug);
    for (std::size_t step = 1; step <= 25 && course.difference.empty(); ++step)
      course.difference = adding.add(random_rule(random), step, course);
  }
  return course;
}

TEST(Append, IsTheSameAsTheWholePolicyWithThatRule) {
  const auto course = run([](Step&, const nft::Ruleset&) {});
  EXPECT_EQ(course.difference, "");
  EXPECT_GT(course.appended, rounds(200U));
  EXPECT_GT(course.in_place, rounds(70U));
}

// What is wrong in one place is found out.
TEST(AppendWithABug, InTheNumberOfTheRule) {
  EXPECT_NE(
      run([](Step& step, const nft::Ruleset&) { ++*step.appended.checked.written; }).difference,
      "");
}

TEST(AppendWithABug, InTheLineOfTheRule) {
  EXPECT_NE(run([](Step& step, const nft::Ruleset&) { ++step.appended.rule.at.line; }).difference,
            "");
}

TEST(AppendWithABug, InTheMapOfAnElement) {
  const auto other_map = [](Step& step, const nft::Ruleset& loaded) {
    for (auto& set : step.elements) {
      const auto other = std::ranges::find_if(loaded.sets, [&](const nft::Set& one) {
        return one.name != set.name && one.key == set.key && one.map &&
               one.interval == set.interval;
      });
      if (other != loaded.sets.end()) set.name = other->name;
    }
  };
  EXPECT_NE(run(other_map).difference, "");
}

TEST(AppendWithABug, InTheKeyOfAnElement) {
  const auto next_key = [](Step& step, const nft::Ruleset&) {
    for (auto& set : step.elements)
      for (auto& element : set.elements)
        if (element.key_end.empty()) ++element.key.back();
  };
  EXPECT_NE(run(next_key).difference, "");
}

TEST(AppendWithABug, InTheCommentOfAnElement) {
  const auto forget = [](Step& step, const nft::Ruleset&) {
    for (auto& set : step.elements)
      for (auto& element : set.elements) element.comment.clear();
  };
  EXPECT_NE(run(forget).difference, "");
}

TEST(AppendWithABug, InTheSizeOfAMap) {
  const auto as_before = [](Step& step, const nft::Ruleset& loaded) {
    for (auto& set : step.elements)
      if (const auto* there = loaded.find_set(set.name)) set.size = there->size;
  };
  EXPECT_NE(run(as_before).difference, "");
}

TEST(AppendWithABug, InTheVerdictOfAnElement) {
  const auto allow = [](Step& step, const nft::Ruleset&) {
    for (auto& set : step.elements)
      for (auto& element : set.elements)
        element.verdict = nft::Verdict{nft::VerdictKind::accept, {}};
  };
  EXPECT_NE(run(allow).difference, "");
}

// Sets of rules.yaml, with a rule that looks into each; what is added is checked beside the whole.
class ExtendWithBigSets : public ::testing::TestWithParam<std::size_t> {};

TEST_P(ExtendWithBigSets, IsTheSameAsTheWholePolicyWithThoseEntries) {
  const std::size_t big = GetParam();
  RandomPolicy random(71);
  const auto range = [&] {
    const Family family = random.one_in(2) ? Family::ipv4 : Family::ipv6;
    const auto one = random.address(family);
    const auto other = random.one_in(3) ? random.address(family) : one;
    return AddressRange{std::min(one, other), std::max(one, other)};
  };
  std::size_t extended = 0;
  std::size_t in_place = 0;
  for (int round = 0; round < rounds(40); ++round) {
    Sources all = sources("");
    Added added;
    for (const auto* name : {"a", "null", "b"}) {
      added.sets.push_back({.name = name});
      for (auto left = 2 + random.below(4); left-- != 0;)
        added.sets.back().ranges.push_back(range());
      added.rules.push_back(rule("deny from @" + added.sets.back().name));
    }
    if (random.one_in(4)) added.rules.push_back(rule("deny from @a to any port 9"));
    all.added.text = policy::yaml_text(added);
    auto policy = load(all);
    auto loaded = loaded_for(policy, 0, big);
    std::map<std::size_t, compile::SetCounts> counts;
    for (std::size_t step = 1; step <= 12; ++step) {
      policy::SetEdit wanted{.name = random.pick(added.sets).name};
      for (auto left = 1 + random.below(3); left-- != 0;) wanted.ranges.push_back(range());
      std::ranges::sort(wanted.ranges);
      wanted.ranges.erase(std::unique(wanted.ranges.begin(), wanted.ranges.end()),
                          wanted.ranges.end());
      const auto what = policy::extend(policy, all.added.text, wanted.name, wanted.ranges);
      auto edit = policy::edit_set(policy.policy(), all, added, wanted);
      ASSERT_TRUE(edit);
      added = edit->added;
      const std::string before = std::exchange(all.added.text, policy::yaml_text(added));
      const auto whole = load(all);
      if (!what) {
        policy = load(all);
        loaded = loaded_for(policy, step, big);
        counts.clear();
        continue;
      }
      ++extended;
      ASSERT_EQ(std::string(before).insert(what->text.at, what->text.text), all.added.text);
      AddressRanges entries;
      for (const auto& one : wanted.ranges) entries.push_back(one);
      const auto more = compile::more_elements(policy.sets()[what->set], entries.merged(),
                                               counts[what->set], big);
      const auto lasting = policy.sets()[what->set].lasting;
      policy.extend(what->set, wanted.ranges);
      policy.take_back(what->set, wanted.ranges);
      ASSERT_EQ(policy.sets()[what->set].lasting, lasting);
      policy.extend(what->set, wanted.ranges);
      ASSERT_EQ(policy.policy().sets[what->set].ranges, whole.policy().sets[what->set].ranges);
      ASSERT_EQ(nft::text(compile::compile(policy)), nft::text(compile::compile(whole)));
      const auto changes = more ? nft::grow(loaded, *more, marker(step)) : std::nullopt;
      if (changes) {
        ++in_place;
        nft::grown(loaded, *changes);
        ASSERT_EQ(loaded, loaded_for(whole, step, big));
      } else {
        loaded = loaded_for(policy, step, big);
      }
    }
  }
  EXPECT_GT(extended, rounds(100U));
  EXPECT_GT(in_place, big == 1 ? rounds(15U) : rounds(70U));
}

INSTANTIATE_TEST_SUITE_P(Sizes, ExtendWithBigSets, ::testing::Values(1, compile::big_set));

// One more entry is an element of the part of its length; one that would need another part, or more
// room than was declared, is not only that.
TEST(Extend, PutsAnEntryOfABigSetIntoItsPart) {
  std::string entries;
  for (int last = 0; last < 40; last += 2) entries += "10.0.0." + std::to_string(last) + ", ";
  for (int net = 0; net < 20; net += 2) entries += "10.1." + std::to_string(net) + ".0/24, ";
  const auto policy = load("sets: {a: [" + entries + "]}\nrules: [\"deny from @a\"]\n");
  const auto loaded = loaded_for(policy, 0, 1);
  const auto grow = [&](const std::vector<std::string>& more) {
    AddressRanges ranges;
    for (const auto& one : more) ranges.push_back(policy::parse_address_range(one).value());
    compile::SetCounts counts;
    const auto sets = compile::more_elements(policy.sets()[0], ranges.merged(), counts, 1);
    const auto changes = sets ? nft::grow(loaded, *sets, marker(1)) : std::nullopt;
    return changes ? nft::text(*changes) : std::string("not in place\n");
  };
  const auto first_line = [&](const std::vector<std::string>& more) {
    const auto text = grow(more);
    return text.substr(0, text.find('\n'));
  };
  EXPECT_EQ(first_line({"10.0.0.50"}), "add element inet fwctl a-ipv4/32 { 10.0.0.50 }");
  EXPECT_EQ(first_line({"10.1.50.0/24"}), "add element inet fwctl a-ipv4/24 { 10.1.50.0 }");
  EXPECT_EQ(first_line({"10.0.0.50/31"}),
            "add element inet fwctl a-ipv4/32 { 10.0.0.50, 10.0.0.51 }")
      << "few of that length";
  EXPECT_EQ(first_line({"10.1.60.0/23"}),
            "add element inet fwctl a-ipv4/24 { 10.1.60.0, 10.1.61.0 }");
  EXPECT_EQ(first_line({"10.3.0.0/16"}), "not in place");
  std::vector<std::string> twelve;
  for (int last = 100; last < 124; last += 2) twelve.push_back("10.0.0." + std::to_string(last));
  EXPECT_EQ(first_line(twelve), "not in place") << "of 32, 20 were taken";
  twelve.pop_back();
  EXPECT_NE(first_line(twelve), "not in place");
}

// One more entry, and prefixes of 31 bits are few enough to be split.
TEST(Extend, LeavesASetThatWouldHaveOtherParts) {
  std::string entries;
  for (const auto& [length, count] :
       {std::pair(32, 33), {31, 11}, {28, 14}, {27, 10}, {24, 14}, {23, 10}})
    for (int net = 0; net < count; ++net)
      entries += "10." + std::to_string(length) + "." + std::to_string(4 * net) + ".0/" +
                 std::to_string(length) + ", ";
  const auto held = [](const std::string& list) {
    return loaded_for(load("sets: {a: [" + list + "]}\nrules: [\"deny from @a\"]\n"), 0, 1);
  };
  EXPECT_NE(held(entries).find_set("a-ipv4/31"), nullptr);
  EXPECT_EQ(held(entries + "10.0.0.1").find_set("a-ipv4/31"), nullptr);
  const auto policy = load("sets: {a: [" + entries + "]}\n");
  AddressRanges one;
  one.push_back(policy::parse_address_range("10.0.0.1").value());
  compile::SetCounts counts;
  EXPECT_FALSE(compile::more_elements(policy.sets()[0], one, counts, 1));
}

// A set that one packet may meet twice is not edited under it.
TEST(Extend, LeavesASetThatIsLookedIntoTwice) {
  Sources all =
      sources("",
              "sets:\n  a: [10.0.0.1, 10.0.0.3]\nrules:\n  - deny: any\n    from: \"@a\"\n"
              "  - deny: 22/tcp\n    from: \"@a\"\n    interface: eth0\n");
  const auto policy = load(all);
  const auto loaded = loaded_for(policy, 0);
  AddressRanges entries;
  entries.push_back(AddressRange{*Address::parse("10.0.0.7"), *Address::parse("10.0.0.7")});
  compile::SetCounts counts;
  const auto more = compile::more_elements(policy.sets()[0], entries, counts);
  ASSERT_TRUE(more);
  ASSERT_EQ(more->size(), 1U);
  EXPECT_FALSE(nft::grow(loaded, *more, marker(1)));
}

// What needs more than a rule is left to those who look at everything.
TEST(Append, LeavesTheRestAlone) {
  Sources all =
      sources("sets: {office: [192.0.2.0/24]}\n", "rules: [allow 9/tcp, allow 70-90/tcp]\n");
  const auto policy = load(all);
  const auto appends = [&](const std::string& line) {
    return policy::append(policy, policy::RuleIndex(policy), all, rule(line)).has_value();
  };
  EXPECT_TRUE(appends("allow 22/tcp"));
  EXPECT_TRUE(appends("deny from @office"));
  EXPECT_FALSE(appends("allow ssh")) << "what it means depends on the host";
  EXPECT_FALSE(appends("deny out user postgres"));
  EXPECT_FALSE(appends("deny out unit cron"));
  EXPECT_FALSE(appends("allow from host:nas.example.org"));
  EXPECT_FALSE(appends("allow in on wan 22/tcp"));
  EXPECT_FALSE(appends("route allow 22/tcp")) << "the container networks come behind it";
  EXPECT_FALSE(appends("deny 80/tcp")) << "it is hidden, and that is to be said";
  EXPECT_FALSE(appends("allow 9/tcp comment x")) << "its id is taken";
  const auto trusting = load("trust: [docker]\nrules: [allow 9/tcp]\n");
  EXPECT_FALSE(policy::append(trusting, policy::RuleIndex(trusting), sources("trust: [docker]\n"),
                              rule("allow 22/tcp")));
}

}  // namespace
}  // namespace fwctl::testing
