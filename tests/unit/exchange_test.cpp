// Elements exchanged in place: when, and when not.
#include <gtest/gtest.h>

#include "rules/compile/compile.h"
#include "rules/nft/grow.h"
#include "rules/nft/references.h"
#include "rules/nft/text.h"
#include "tests/unit/policies.h"

namespace fwctl::testing {
namespace {

policy::Units cron(std::uint64_t id, std::uint8_t level = 2) {
  return {{"cron.service", {.id = id, .level = level, .slices = {}}}};
}

nft::Ruleset loaded(const policy::CheckedPolicy& policy, const policy::Units& units) {
  auto out = compile::compile(policy, units);
  // As after some changes.
  for (auto& set : out.sets) set.name += ".7";
  const auto rename = [&](const std::string& name) {
    return out.find_chain(name) == nullptr ? name + ".7" : name;
  };
  for (auto& chain : out.chains) nft::rename_references(chain, rename);
  return out;
}

// How many changes it takes in place; -1: it cannot be.
int changes(const std::string& rules, const policy::Units& before, const policy::Units& after) {
  const auto policy = load("logging: off\nrules: [" + rules + "]\n");
  auto there = loaded(policy, before);
  const auto wanted = compile::unit_sets(policy, after);
  const auto found = nft::exchange(there, wanted);
  if (!found) return -1;
  nft::grown(there, *found);
  EXPECT_EQ(nft::text(there), nft::text(loaded(policy, after))) << rules;
  return static_cast<int>(found->size());
}

TEST(Exchange, AUnitThatStartsIsAnElement) {
  const std::string rule = "deny out unit cron";
  EXPECT_EQ(changes(rule, {}, cron(1)), 1);
  EXPECT_EQ(changes(rule, cron(1), cron(2)), 2);
  EXPECT_EQ(changes(rule, cron(2), {}), 1);
  EXPECT_EQ(changes(rule, cron(2), cron(2)), 0);
  EXPECT_EQ(changes(rule, {}, cron(1, 3)), -1) << "rules look elsewhere";
}

TEST(Exchange, RulesThatLookIntoItDecideAlike) {
  EXPECT_EQ(changes("allow out to any port 80 unit cron, allow out to any port 443 unit cron", {},
                    cron(1)),
            1);
  EXPECT_EQ(changes("allow out to any port 80 unit cron, deny out unit cron", {}, cron(1)), -1)
      << "between the two lookups";
  EXPECT_EQ(changes("limit out 80/tcp unit cron", {}, cron(1)), -1);
  EXPECT_EQ(changes("deny out unit ssh, allow out 80/tcp unit cron", {}, cron(1)), 1);
}

TEST(Exchange, ALookupDecidesOnce) {
  const auto ports = [](const std::string& verdicts) {
    std::string out;
    for (std::size_t port = 1; port <= verdicts.size(); ++port)
      out += std::string(out.empty() ? "" : ", ") + (verdicts[port - 1] == 'a' ? "allow" : "deny") +
             " out to any port " + std::to_string(port) + " proto tcp unit cron";
    return out;
  };
  EXPECT_EQ(changes(ports("adadad"), {}, cron(1)), 1);
  EXPECT_EQ(changes(ports("aaaaaa") + ", allow out unit cron", {}, cron(1)), 1);
  EXPECT_EQ(changes(ports("aaadaa") + ", allow out unit cron", {}, cron(1)), -1);
}

// One rule for what is in it and one for the rest: between the two, a packet could be in neither.
TEST(Exchange, WhatIsNotInItIsDecidedToo) {
  const auto policy =
      load("logging: off\nrules: [deny out 80/tcp unit cron, deny out unit cron]\n");
  auto there = loaded(policy, {});
  EXPECT_TRUE(nft::exchange(there, compile::unit_sets(policy, cron(1))));
  for (auto& chain : there.chains)
    for (auto& rule : chain.rules)
      for (auto& statement : rule.statements)
        if (auto* lookup = std::get_if<nft::SetLookup>(&statement)) lookup->negated = true;
  EXPECT_FALSE(nft::exchange(there, compile::unit_sets(policy, cron(1))));
}

TEST(Exchange, OnlyOneSetAtATime) {
  policy::Units both = cron(1);
  both["ssh.service"] = {.id = 2, .level = 2, .slices = {}};
  EXPECT_EQ(changes("deny out unit cron, allow out unit ssh", {}, both), -1);
}

TEST(Exchange, WhatWaitsToBeCollectedIsInTheWay) {
  const auto policy = load("rules: [deny out unit cron]\n");
  auto there = loaded(policy, {});
  auto old = there.sets.back();
  ASSERT_TRUE(old.name.starts_with("unit/"));
  old.name = "unit/cron/service.3";
  there.sets.insert(there.sets.end() - 1, old);
  EXPECT_FALSE(nft::exchange(there, compile::unit_sets(policy, cron(1))));
}

}  // namespace
}  // namespace fwctl::testing
