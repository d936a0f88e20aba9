// One rule more, and nothing else looked at again: the same as if all were.
#include "rules/policy/append.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "rules/compile/compile.h"
#include "rules/compile/growth.h"
#include "rules/nft/grow.h"
#include "rules/nft/plan.h"
#include "rules/nft/text.h"
#include "tests/unit/policies.h"
#include "tests/unit/random_policy.h"

namespace fwctl::testing {
namespace {

using policy::Added;
using policy::CheckedPolicy;
using policy::Rule;
using policy::Sources;
using policy::Traffic;

nft::Chain marker(std::size_t number) {
  return {.name = std::string(nft::marker_chain),
          .comment = "generation " + std::to_string(number),
          .rules = {}};
}

nft::Ruleset loaded_for(const CheckedPolicy& policy, std::size_t number) {
  auto out = compile::compile(policy);
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

TEST(Append, IsTheSameAsTheWholePolicyWithThatRule) {
  RandomPolicy random(70);
  std::size_t appended = 0;
  std::size_t in_place = 0;
  for (int round = 0; round < 30; ++round) {
    auto base = random.policy(8);
    base.trusts.clear();
    Sources all = sources(policy::yaml_text(base));
    Added added;
    added.rules.push_back(rule("allow 9/tcp"));
    all.added.text = policy::yaml_text(added);
    auto policy = load(all);
    auto loaded = loaded_for(policy, 0);
    std::optional<compile::Growth> growth(policy);
    for (std::size_t step = 1; step <= 25; ++step) {
      // Many of a kind, so that there are maps to grow.
      Rule next = random.one_in(6) ? random.rule() : rule("allow 9/tcp");
      if (next == rule("allow 9/tcp")) {
        auto& item = next.ports.front();
        const auto port = random.port();
        item.what = PortRange{port, random.one_in(3) ? std::max(port, random.port()) : port};
        next.verdict = random.one_in(3) ? policy::Verdict::deny : policy::Verdict::allow;
        if (random.one_in(3))
          next.from = {{.what = AddressRange{random.address(Family::ipv4), {}}}};
        if (!next.from.empty()) {
          auto& range = std::get<AddressRange>(next.from.front().what);
          range.last = range.first;
        }
      }
      const auto what = policy::append(policy, all, next);
      const auto before = all.added.text;
      all.added.text += policy::yaml_text(next);
      if (!problems(all).empty() && problems(all).find("error") != std::string::npos) {
        EXPECT_FALSE(what) << policy::yaml_text(next) << problems(all);
        all.added.text = before;
        continue;
      }
      const auto whole = load(all);
      if (!what) {
        policy = load(all);
        loaded = loaded_for(policy, step);
        growth.emplace(policy);
        continue;
      }
      ++appended;
      ASSERT_EQ(what->item, policy::yaml_text(next));
      ASSERT_EQ(what->rule, last(whole));
      EXPECT_EQ(places(what->rule), places(last(whole)));
      const auto of = policy::traffic(next.direction);
      policy.append(what->rule, what->checked);
      ASSERT_EQ(policy.ids(), whole.ids());
      ASSERT_EQ(nft::text(compile::compile(policy)), nft::text(compile::compile(whole)));
      const auto more = growth->add(policy, policy.rules(of).back(), of);
      const auto changes = more ? nft::grow(loaded, *more, marker(step)) : std::nullopt;
      if (changes) {
        ++in_place;
        nft::grown(loaded, *changes);
        ASSERT_EQ(loaded, loaded_for(whole, step)) << policy::yaml_text(next);
      } else {
        loaded = loaded_for(policy, step);
        growth.emplace(policy);
      }
    }
  }
  EXPECT_GT(appended, 200U);
  EXPECT_GT(in_place, 70U);
}

// What needs more than a rule is left to those who look at everything.
TEST(Append, LeavesTheRestAlone) {
  Sources all =
      sources("sets: {office: [192.0.2.0/24]}\n", "rules: [allow 9/tcp, allow 70-90/tcp]\n");
  const auto policy = load(all);
  const auto appends = [&](const std::string& line) {
    return policy::append(policy, all, rule(line)).has_value();
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
  EXPECT_FALSE(policy::append(load("trust: [docker]\nrules: [allow 9/tcp]\n"),
                              sources("trust: [docker]\n"), rule("allow 22/tcp")));
}

}  // namespace
}  // namespace fwctl::testing
