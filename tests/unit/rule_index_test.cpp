// What is found without going through all rules is what going through them finds.
#include "rules/policy/rule_index.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "rules/policy/print.h"
#include "tests/unit/policies.h"
#include "tests/unit/random_policy.h"
#include "tests/unit/rounds.h"

namespace fwctl::testing {
namespace {

using policy::CheckedPolicy;
using policy::CheckedRule;
using policy::Rule;
using policy::RuleIndex;
using policy::Traffic;

std::vector<std::size_t> alike(const CheckedPolicy& policy, const Rule& rule) {
  std::vector<std::size_t> out;
  const auto& rules = policy.policy().rules;
  for (std::size_t index = 0; index < rules.size(); ++index)
    if (rules[index].same_packets(rule)) out.push_back(index);
  return out;
}

bool hidden(const CheckedPolicy& policy, const CheckedRule& rule, Traffic traffic) {
  return std::ranges::any_of(policy.rules(traffic),
                             [&](const CheckedRule& other) { return hides(other, rule); });
}

struct Found {
  std::size_t alike = 0;
  std::size_t hidden = 0;
  std::size_t not_hidden = 0;
};

// Asks about each rule of `asked`, as it is written and as it is checked.
void compare(const CheckedPolicy& policy, const RuleIndex& index, const CheckedPolicy& asked,
             Found& found) {
  for (const auto& rule : asked.policy().rules) {
    ASSERT_EQ(index.alike(policy, rule), alike(policy, rule)) << policy::yaml_text(rule);
    found.alike += alike(policy, rule).size();
  }
  for (const auto& id : asked.ids())
    ASSERT_EQ(index.may_have(id), policy.find(id).has_value()) << "two digests are alike";
  for (const auto traffic : {Traffic::incoming, Traffic::outgoing, Traffic::routed})
    for (const auto& rule : asked.rules(traffic)) {
      const bool is = hidden(policy, rule, traffic);
      ASSERT_EQ(index.hides(policy, rule, traffic), is) << rule.id;
      ++(is ? found.hidden : found.not_hidden);
    }
}

TEST(RuleIndex, FindsWhatGoingThroughAllFinds) {
  RandomPolicy random(71);
  Found found;
  for (int round = 0; round < rounds(150); ++round) {
    const auto policy = load(policy::yaml_text(random.policy(12)));
    const RuleIndex index(policy);
    compare(policy, index, load(policy::yaml_text(random.policy(12))), found);
    compare(policy, index, policy, found);
    if (HasFatalFailure()) return;
  }
  EXPECT_GT(found.alike, rounds(1'000U));
  EXPECT_GT(found.hidden, rounds(1'000U));
  EXPECT_GT(found.not_hidden, rounds(300U));
}

TEST(RuleIndex, GrowsWithThePolicy) {
  RandomPolicy random(72);
  Found found;
  for (int round = 0; round < rounds(40); ++round) {
    auto base = random.policy(0);
    base.trusts.clear();
    auto policy = load(policy::yaml_text(base));
    RuleIndex index(policy);
    const auto more = load(policy::yaml_text(random.policy(12)));
    for (const auto traffic : {Traffic::incoming, Traffic::outgoing, Traffic::routed})
      for (const auto& rule : more.rules(traffic)) {
        if (!rule.written) continue;
        policy.append(more.policy().rules[*rule.written], rule);
        index.append(policy);
        compare(policy, index, more, found);
        if (HasFatalFailure()) return;
      }
  }
  EXPECT_GT(found.alike, rounds(1'000U));
  EXPECT_GT(found.hidden, rounds(1'000U));
}

// Many alike in one thing are told apart by the other.
TEST(RuleIndex, FindsARuleAmongManyOfOneSourceAndOnePort) {
  std::string text = "rules:\n";
  for (int number = 1; number <= 100; ++number) {
    text += "  - allow " + std::to_string(number) + "/tcp from 192.0.2.1\n";
    text += "  - deny 5432/tcp from 10.0." + std::to_string(number) + ".0/24\n";
  }
  const auto policy = load(text);
  const RuleIndex index(policy);
  const auto is_hidden = [&](const std::string& line) {
    const auto asked = load("rules: ['" + line + "']\n");
    return index.hides(policy, asked.rules(Traffic::incoming).back(), Traffic::incoming);
  };
  EXPECT_TRUE(is_hidden("deny 77/tcp from 192.0.2.1"));
  EXPECT_FALSE(is_hidden("deny 177/tcp from 192.0.2.1"));
  EXPECT_FALSE(is_hidden("deny 77/udp from 192.0.2.1"));
  EXPECT_FALSE(is_hidden("deny from 192.0.2.1"));
  EXPECT_TRUE(is_hidden("allow 5432/tcp from 10.0.100.7"));
  EXPECT_FALSE(is_hidden("allow 5432/tcp from 10.0.101.7"));
  EXPECT_FALSE(is_hidden("allow 5432/tcp from 10.0.0.0/8"));
}

}  // namespace
}  // namespace fwctl::testing
