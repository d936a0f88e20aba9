#include "rules/policy/print.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "rules/policy/grammar.h"
#include "tests/unit/policies.h"
#include "tests/unit/random_policy.h"
#include "tests/unit/rounds.h"

namespace fwctl::testing {
namespace {

using policy::Policy;
using policy::Rule;

std::optional<Rule> from_command(const std::string& line) {
  Diagnostics diagnostics;
  const Source source{.name = "x", .text = line};
  auto rule = policy::parse_rule(line, source, {.line = 1, .column = 1}, diagnostics);
  EXPECT_EQ(render(diagnostics), "") << line;
  return rule;
}

Policy from_yaml(const std::string& text) {
  Diagnostics diagnostics;
  auto parsed = policy::parse(sources(text), diagnostics);
  EXPECT_EQ(render(diagnostics), "") << text;
  return parsed.policy;
}

void expect_fixed_point(const Rule& rule) {
  const auto again = from_command(command_text(rule));
  ASSERT_TRUE(again);
  EXPECT_TRUE(again->same_meaning(rule)) << command_text(rule) << '\n'
                                         << ::testing::PrintToString(rule);
  EXPECT_EQ(command_text(*again), command_text(rule));
  const auto list = from_yaml("rules:\n" + yaml_text(rule));
  ASSERT_EQ(list.rules.size(), 1U);
  EXPECT_EQ(list.rules.front(), rule) << yaml_text(rule);
}

// What people type, and how it is said back to them.
struct Line {
  std::string typed;
  std::string printed;
};

class CommandText : public ::testing::TestWithParam<Line> {};

TEST_P(CommandText, IsTheShortestFormOfTheSame) {
  EXPECT_EQ(command_text(rule(GetParam().typed)), GetParam().printed);
  expect_fixed_point(rule(GetParam().typed));
}

INSTANTIATE_TEST_SUITE_P(
    Lines, CommandText,
    ::testing::Values(
        Line{"allow 22/tcp", "allow 22/tcp"}, Line{"allow in 22", "allow 22"},
        Line{"allow proto tcp to any port 22", "allow 22/tcp"},
        Line{"allow 80/tcp,443/tcp", "allow 80,443/tcp"}, Line{"allow 80,443", "allow 80,443"},
        Line{"allow 53,443/tcp", "allow 53,443/tcp"},
        Line{"allow 53/any,443/tcp", "allow 53/any,443/tcp"},
        Line{"allow 53/udp,443/tcp", "allow 53/udp,443/tcp"}, Line{"deny log ssh", "deny log ssh"},
        Line{"reject out smtp", "reject out smtp"}, Line{"deny in on eth0", "deny in on eth0"},
        Line{"deny on eth0 from any", "deny in on eth0"}, Line{"deny from any", "deny from any"},
        Line{"deny out from any", "deny out from any"},
        Line{"allow proto esp", "allow proto esp from any"},
        Line{"allow on eth0 proto esp", "allow in on eth0 proto esp from any"},
        Line{"allow out on wg* log 53/udp", "allow out on wg* log 53/udp"},
        Line{"allow 'Web Server'", "allow 'Web Server'"}, Line{"allow Samba", "allow Samba"},
        Line{"allow 0verkill", "allow 0verkill"},
        Line{"allow 'Web Server,ssh'", "allow 'Web Server,ssh'"},
        Line{"allow 80/tcp,'Web Server/any'", "allow '80/tcp,Web Server/any'"},
        Line{"allow to any app Samba", "allow Samba"},
        Line{"allow to any app 'Web Server' from 10.0.0.0/8",
             "allow from 10.0.0.0/8 to any app 'Web Server'"},
        Line{"allow to any app 9p,Samba from any app 'Web Server'",
             "allow from any app 'Web Server' to any app 9p,Samba"},
        Line{"allow in on eth0 from any app Samba to 10.0.0.1 port 13",
             "allow in on eth0 from any port Samba to 10.0.0.1 port 13"},
        Line{"allow to 10.0.0.1 from 10.0.0.0/8", "allow from 10.0.0.0/8 to 10.0.0.1"},
        Line{"allow from 10.0.0.0/24 port 53 to any port 53 proto udp",
             "allow proto udp from 10.0.0.0/24 port 53 to any port 53"},
        Line{"allow from any port 53 to any port 22/tcp",
             "allow from any port 53 to any port 22/tcp"},
        Line{"allow from any port 53/tcp to any port 22",
             "allow from any port 53/tcp to any port 22"},
        Line{"allow from any port 53/tcp to any port 22/udp,22/tcp",
             "allow from any port 53/tcp to any port 22/udp,22/tcp"},
        Line{"allow from @office,10.0.0.1-10.0.0.9,2001:db8::/32 to any port 5432/tcp",
             "allow proto tcp from @office,10.0.0.1-10.0.0.9,2001:db8::/32 to any port 5432"}),
    [](const auto& line) { return "Line" + std::to_string(line.index); });

TEST(YamlText, OfARule) {
  EXPECT_EQ(
      yaml_text(rule(
          "deny out on eth0,wg* log from 10.0.0.0/8,@office port 53/udp to ::1 port 80,443/udp "
          "comment 'it is \"odd\"'")),
      "  - deny: [80/udp, 443/udp]\n"
      "    from: [10.0.0.0/8, \"@office\"]\n"
      "    from-port: 53/udp\n"
      "    to: \"::1\"\n"
      "    interface: [eth0, \"wg*\"]\n"
      "    direction: out\n"
      "    log: true\n"
      "    comment: \"it is \\\"odd\\\"\"\n");
  EXPECT_EQ(yaml_text(rule("allow from any")), "  - allow: any\n");
}

TEST(YamlText, OfWhatFwctlAdded) {
  policy::Added added{.before = {rule("allow 1")}, .rules = {rule("deny 2")}};
  added.sets = {{.name = "a", .ranges = {prefix(address("10.0.0.0"), 8), prefix(address("::"), 0)}},
                {.name = "b"}};
  added.defaults[1] = policy::Verdict::reject;
  EXPECT_EQ(yaml_text(added), std::string(policy::machine_written) +
                                  "version: 1\n"
                                  "defaults:\n"
                                  "  outgoing: reject\n"
                                  "sets:\n"
                                  "  a: [10.0.0.0/8, \"::/0\"]\n"
                                  "  b: []\n"
                                  "before:\n"
                                  "  - allow: 1\n"
                                  "rules:\n"
                                  "  - deny: 2\n");
}

TEST(YamlText, SaysInItsFirstLineWhoWroteIt) {
  EXPECT_TRUE(yaml_text(policy::Added{}).starts_with("# Written by fwctl"));
}

TEST(WhatText, IsForTables) {
  EXPECT_EQ(what_text(rule("allow 80,443/tcp")), "80,443/tcp");
  EXPECT_EQ(what_text(rule("allow proto esp")), "esp");
  EXPECT_EQ(what_text(rule("allow proto udp from any port 53")), "udp");
  EXPECT_EQ(what_text(rule("allow from 10.0.0.1")), "any");
  EXPECT_EQ(from_text(rule("allow 22")), "anywhere");
  EXPECT_EQ(from_text(rule("allow from 10.0.0.0/8 port 53 to 192.0.2.1")),
            "10.0.0.0/8 port 53 to 192.0.2.1");
  EXPECT_EQ(from_text(rule("allow to 192.0.2.1")), "anywhere to 192.0.2.1");
}

TEST(FixedPoint, OfAnyRule) {
  RandomPolicy random(2024);
  for (int count = 0; count < 10'000 && !HasFailure(); ++count) expect_fixed_point(random.rule());
}

TEST(FixedPoint, RulesThatDifferArePrintedDifferently) {
  RandomPolicy random(99);
  for (int count = 0; count < 10'000; ++count) {
    const Rule rule = random.rule();
    Rule other = rule;
    for (auto* items : {&other.ports, &other.from_ports})
      for (auto& item : *items)
        item.protocol = random.one_in(2) ? std::optional(tcp) : std::nullopt;
    ASSERT_EQ(command_text(rule) == command_text(other), rule.same_meaning(other))
        << command_text(rule);
  }
}

TEST(FixedPoint, OfAnyPolicy) {
  RandomPolicy random(31);
  for (int count = 0; count < rounds(300); ++count) {
    const Policy policy = random.policy();
    const Policy again = from_yaml(yaml_text(policy));
    ASSERT_EQ(again.rules, policy.rules);
    ASSERT_EQ(again.defaults, policy.defaults);
    ASSERT_EQ(again.logging, policy.logging);
    ASSERT_EQ(again.containers, policy.containers);
    ASSERT_TRUE(std::ranges::equal(again.switched_off, policy.switched_off, {},
                                   &policy::SwitchedOff::item, &policy::SwitchedOff::item));
    ASSERT_TRUE(std::ranges::equal(again.trusts, policy.trusts, {}, &policy::Trust::name,
                                   &policy::Trust::name));
    ASSERT_EQ(again.forwards, policy.forwards);
    ASSERT_EQ(again.masquerades, policy.masquerades);
    ASSERT_EQ(again.sets.size(), policy.sets.size());
    for (std::size_t index = 0; index < policy.sets.size(); ++index) {
      EXPECT_EQ(again.sets[index].name, policy.sets[index].name);
      EXPECT_EQ(again.sets[index].ranges, policy.sets[index].ranges);
      EXPECT_EQ(again.sets[index].pairs, policy.sets[index].pairs);
    }
    ASSERT_EQ(again.services.size(), policy.services.size());
    for (std::size_t index = 0; index < policy.services.size(); ++index) {
      EXPECT_EQ(again.services[index].name, policy.services[index].name);
      EXPECT_EQ(again.services[index].ports, policy.services[index].ports);
      EXPECT_EQ(again.services[index].protocols, policy.services[index].protocols);
      EXPECT_EQ(again.services[index].description, policy.services[index].description);
    }
    ASSERT_EQ(yaml_text(again), yaml_text(policy));
  }
}

TEST(FixedPoint, OfWhatFwctlAdded) {
  RandomPolicy random(77);
  for (int count = 0; count < rounds(300); ++count) {
    policy::Added added{.before = random.policy(5).rules, .rules = random.policy(5).rules};
    added.sets = random.policy(5).sets;
    added.defaults = {policy::Verdict::reject, std::nullopt, policy::Verdict::allow};
    Diagnostics diagnostics;
    const auto parsed = policy::parse(sources("", yaml_text(added)), diagnostics);
    ASSERT_EQ(render(diagnostics), "");
    ASSERT_EQ(parsed.added.before, added.before);
    ASSERT_EQ(parsed.added.rules, added.rules);
    ASSERT_EQ(parsed.added.defaults, added.defaults);
    ASSERT_EQ(parsed.added.sets.size(), added.sets.size());
    for (std::size_t index = 0; index < added.sets.size(); ++index) {
      ASSERT_EQ(parsed.added.sets[index].ranges, added.sets[index].ranges);
      ASSERT_EQ(parsed.added.sets[index].pairs, added.sets[index].pairs);
    }
  }
}

}  // namespace
}  // namespace fwctl::testing
