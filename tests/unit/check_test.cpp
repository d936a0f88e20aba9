#include "rules/policy/check.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "rules/policy/shadow.h"
#include "tests/unit/policies.h"
#include "tests/unit/random_policy.h"
#include "tests/unit/rounds.h"

namespace fwctl::testing {
namespace {

using policy::Traffic;

TEST(Check, RefusesASetThatNobodyDefined) {
  EXPECT_EQ(
      problems(
          "sets: {office: [10.0.0.1]}\nrules:\n  - allow: 22\n    from: [10.0.0.2, \"@ofice\"]\n"),
      "policy.yaml:4:23: error: no set is called 'ofice', did you mean 'office'?\n"
      "      from: [10.0.0.2, \"@ofice\"]\n"
      "                        ^~~~~~\n");
  EXPECT_EQ(problems("rules:\n  - deny from @evil\n"),
            "policy.yaml:2:15: error: no set is called 'evil'\n"
            "    - deny from @evil\n"
            "                ^~~~~\n");
}

TEST(Check, RefusesAServiceThatNobodyKnows) {
  EXPECT_EQ(problems("rules:\n  - allow: [22, htpp]\n"),
            "policy.yaml:2:17: error: no service is called 'htpp', did you mean 'http'?\n"
            "    - allow: [22, htpp]\n"
            "                  ^~~~\n");
  EXPECT_EQ(problems("rules:\n  - allow: ntp/tcp\n"),
            "policy.yaml:2:12: error: service 'ntp' is not known for tcp\n"
            "    - allow: ntp/tcp\n"
            "             ^~~~~~~\n");
}

// What a mistake in the definition entails is not said a second time.
TEST(Check, ABrokenDefinitionIsOneProblem) {
  EXPECT_EQ(problems("services: {app: {ports: 0}}\nrules: [allow app]\n"),
            "policy.yaml:1:25: error: '0' is not a port: ports are 1 to 65535\n"
            "  services: {app: {ports: 0}}\n"
            "                          ^\n");
  EXPECT_EQ(problems("sets: {office: [10.0.0.300]}\nrules: [\"allow from @office\"]\n"),
            "policy.yaml:1:17: error: '10.0.0.300' is not an IPv4 or IPv6 address\n"
            "  sets: {office: [10.0.0.300]}\n"
            "                  ^~~~~~~~~~\n");
}

TEST(Check, RefusesFamiliesThatNeverMeet) {
  EXPECT_EQ(
      problems("rules:\n  - allow: 22\n    from: 10.0.0.0/8\n    to: [\"::1\", \"fe80::/10\"]\n"),
      "policy.yaml:3:11: error: 'from' and 'to' share no address family: no packet can match\n"
      "      from: 10.0.0.0/8\n"
      "            ^~~~~~~~~~\n");
  EXPECT_EQ(problems("rules: [\"allow from 10.0.0.0/8,::1 to ::1\"]\n"), "");
  EXPECT_EQ(problems("sets: {none: []}\nrules: [\"allow from @none to ::1\"]\n"), "")
      << "it may hold some tomorrow";
}

TEST(Check, RefusesPortsThatShareNoProtocol) {
  EXPECT_EQ(problems("rules:\n  - \"allow from any port 53/udp to any port 22/tcp\"\n"),
            "policy.yaml:2:6: error: the source ports and the destination ports share no protocol\n"
            "    - \"allow from any port 53/udp to any port 22/tcp\"\n"
            "       ^~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~\n");
}

TEST(Check, TellsAllProblemsOfAllFiles) {
  const policy::Sources files{
      .managed = {{"policy.yaml", "rules:\n  - allow: [nope, 70000]\n  - deny from @x\n"},
                  {"policy.d/a.yaml", "rules: [allow nix]\n"}},
      .added = {"rules.yaml", "rules: [\"allow from ::1 to 10.0.0.1\"]\n"}};
  Diagnostics diagnostics;
  EXPECT_FALSE(policy::load(files, etc_services, diagnostics));
  std::vector<std::string> places;
  for (const auto& one : diagnostics)
    places.push_back(one.file + ":" + std::to_string(one.at.line) + ":" +
                     std::to_string(one.at.column));
  EXPECT_EQ(places, (std::vector<std::string>{"policy.yaml:2:19", "policy.yaml:3:15",
                                              "policy.d/a.yaml:1:15", "rules.yaml:1:21"}));
}

TEST(Check, ARuleHidesMarksAndMacSourcesWithinItsOwn) {
  const auto hides = [](const std::string& first, const std::string& second) {
    return !problems("rules: ['deny " + first + "', 'allow " + second + "']\n").empty();
  };
  EXPECT_TRUE(hides("mark 0x10/0xf0", "22 mark 0x13"));
  EXPECT_TRUE(hides("22", "22 mark 0x13 mac 02:00:00:00:00:01"));
  EXPECT_FALSE(hides("mark 0x10/0xf0", "22 mark 0x23"));
  EXPECT_FALSE(hides("mark 0x10/0xf0", "22 mark 0x10/0x30"));
  EXPECT_FALSE(hides("22 mark 0x13", "22"));
  EXPECT_TRUE(hides("mac 02:00:00:00:00:01,02:00:00:00:00:02", "22 mac 02:00:00:00:00:02"));
  EXPECT_FALSE(hides("mac 02:00:00:00:00:01", "mac 02:00:00:00:00:01,02:00:00:00:00:02"));
  EXPECT_FALSE(hides("mac 02:00:00:00:00:01", "22"));
  EXPECT_TRUE(hides("out user postgres", "out 22 user 113 group 1"));
  EXPECT_TRUE(hides("out group 1,2", "out 22 group 2"));
  EXPECT_TRUE(hides("out unit cron,ssh", "out 22 unit ssh.service"));
  EXPECT_FALSE(hides("out unit cron", "out 22"));
  EXPECT_FALSE(hides("out unit cron", "out 22 unit ssh"));
  EXPECT_FALSE(hides("out user postgres", "out 22"));
  EXPECT_FALSE(hides("out user postgres", "out 22 user www-data"));
  EXPECT_FALSE(hides("out user 1 group 1", "out user 1"));
}

TEST(Check, WarnsOfARuleThatAnotherHides) {
  EXPECT_EQ(problems("rules:\n  - deny: 1-1024/tcp\n  - allow: ssh\n    from: 10.0.0.1\n"),
            "policy.yaml:3:5: warning: never matches: rule 1, 'deny 1-1024/tcp' (policy.yaml:2), "
            "decides all of it "
            "before\n"
            "    - allow: ssh\n"
            "      ^\n");
  EXPECT_EQ(problems("rules: [allow in on lo]\n"),
            "policy.yaml:1:9: warning: never matches: 'loopback', this host talking to itself, is "
            "always decided "
            "before\n"
            "  rules: [allow in on lo]\n"
            "          ^~~~~~~~~~~~~~\n");
  EXPECT_EQ(problems(sources("rules: [deny out 25]\n", "before: [deny out 25]\n")),
            "policy.yaml:1:9: warning: never matches: rule 1, 'deny out 25' (rules.yaml:1), "
            "decides all of it before\n"
            "  rules: [deny out 25]\n"
            "          ^~~~~~~~~~~\n");
}

TEST(Check, DoesNotWarnOfWhatMayStillMatch) {
  for (const std::string rules :
       {"[allow 22/tcp, deny 22]", "[allow in 22, allow out 22]",
        "[deny from 10.0.0.0/9, allow from 10.0.0.0/8]", "[deny on eth0 22, deny on eth1 22]",
        "['deny on wg1 22', 'deny on wg* 22']", "['deny 22/tcp from 0.0.0.0/0', 'allow 22/tcp']",
        "['allow from any port 5 to any port 22', allow 22]", "[allow proto icmp]",
        "[allow proto tcp to any port 1-65535, allow proto tcp]"})
    EXPECT_EQ(problems("rules: " + rules + "\n"), "") << rules;
}

// Many alike are told of once more, by their number.
TEST(Check, WarnsOfSoManyRulesThatNeverMatch) {
  std::string text = "rules: [deny 1-1024/tcp";
  for (std::size_t number = 1; number <= most_problems + 7; ++number)
    text += ", allow " + std::to_string(number) + "/tcp";
  Diagnostics diagnostics;
  const auto all = sources(text + "]\n");
  EXPECT_TRUE(policy::load(all, "", diagnostics));
  ASSERT_EQ(diagnostics.size(), most_problems + 1);
  EXPECT_EQ(diagnostics.back().message, "7 more rules never match, for such reasons");
}

// Looking at each pair finds the same.
TEST(Shadows, TheFirstThatHidesARuleIsFoundAmongAll) {
  RandomPolicy random(52);
  const std::vector<std::string> sources{
      "any",     "10.0.0.1",          "10.0.0.0/24",      "10.0.0.0/8",
      "@office", "10.0.0.1-10.0.0.9", "10.0.0.1,10.0.0.2"};
  const std::vector<std::string> ports{"", " port 22", " port 22,23", " port 20:30"};
  std::size_t hidden = 0;
  for (int count = 0; count < rounds(200); ++count) {
    std::string text = "sets: {office: [10.0.0.0/8]}\nrules:\n";
    for (int rule = 0; rule < 12; ++rule)
      text += "  - allow proto tcp from " + random.pick(sources) + " to any" + random.pick(ports) +
              "\n";
    const auto policy = load(text);
    const auto& rules = policy.rules(policy::Traffic::incoming);
    std::map<std::size_t, std::size_t> found;
    for (const auto& shadow : policy::find_shadows(rules)) found[shadow.hidden] = shadow.by;
    std::map<std::size_t, std::size_t> expected;
    for (std::size_t later = 0; later < rules.size(); ++later)
      for (std::size_t earlier = later; earlier-- > 0;)
        if (policy::hides(rules[earlier], rules[later])) expected[later] = earlier;
    EXPECT_EQ(found, expected) << text;
    hidden += found.size();
  }
  EXPECT_GT(hidden, rounds(500U));
}

// What is found to be hidden decides nothing.
TEST(Check, AHiddenRuleNeverDecides) {
  RandomPolicy random(8);
  int found = 0;
  for (int count = 0; count < rounds(300); ++count) {
    const auto policy = load(random.policy());
    for (const auto traffic : {Traffic::incoming, Traffic::outgoing}) {
      std::set<const policy::CheckedRule*> hidden;
      for (const auto& shadow : find_shadows(policy.rules(traffic))) {
        EXPECT_LT(shadow.by, shadow.hidden);
        hidden.insert(&policy.rules(traffic)[shadow.hidden]);
      }
      found += static_cast<int>(hidden.size());
      for (int packets = 0; packets < 200; ++packets) {
        const auto* rule = evaluate(policy, random.packet(policy)).rule;
        EXPECT_FALSE(rule != nullptr && hidden.contains(rule)) << rule->id;
      }
    }
  }
  EXPECT_GT(found, 100) << "the policies have too few of them to mean anything";
}

TEST(Check, SuffixesAreOfIpv6) {
  EXPECT_NE(problems("rules: [\"allow from ::1:2/-64 to 10.0.0.1\"]\n")
                .find("'from' and 'to' share no address family"),
            std::string::npos);
  EXPECT_NE(problems("rules: [\"allow from !::1:2/-64,!10.0.0.1\"]\n")
                .find("a negated suffix stands alone"),
            std::string::npos);
  EXPECT_NE(problems("sets: {a: [\"::1:2/-64\"]}\n").find("which no set can hold"),
            std::string::npos);
  EXPECT_EQ(problems("rules: [\"allow from !::1:2/-64 to 10.0.0.1\"]\n"), "");
}

TEST(Check, ASuffixHidesOnlyWhatEndsSo) {
  const auto hidden = [](const std::string& first, const std::string& second) {
    return problems("rules:\n  - \"allow from " + first + "\"\n  - \"deny from " + second + "\"\n")
               .find("never matches: rule 1") != std::string::npos;
  };
  EXPECT_TRUE(hidden("::1:2/-64", "::1:2/-64"));
  EXPECT_TRUE(hidden("::1:2/-64", "2001:db8::1:2"));
  EXPECT_TRUE(hidden("::1:2/-64", "::7:0:0:1:2/-80"));
  EXPECT_TRUE(hidden("::/0", "::1:2/-64"));
  EXPECT_TRUE(hidden("!::1:2/-64", "10.0.0.0/8"));
  EXPECT_TRUE(hidden("!::1:2/-64", "2001:db8::2:0/112"));
  EXPECT_TRUE(hidden("!::1:2/-64", "::1:3/-64"));
  EXPECT_TRUE(hidden("!::1:2/-64", "!::2/-16"));
  EXPECT_FALSE(hidden("::1:2/-64", "2001:db8::/64"));
  EXPECT_FALSE(hidden("::1:2/-64", "::1:2/-32"));
  EXPECT_FALSE(hidden("::1:2/-64", "!::1:2/-64"));
  EXPECT_FALSE(hidden("2000::/3", "::1:2/-64"));
  EXPECT_FALSE(hidden("::/0", "!::1:2/-64"));
  EXPECT_FALSE(hidden("!::1:2/-64", "2001:db8::/64"));
  EXPECT_FALSE(hidden("!::1:2/-64", "::2/-16"));
  EXPECT_FALSE(hidden("!::2/-16", "!::1:2/-64"));
}

TEST(Check, WhatEndsHidesNothingThatOutlastsIt) {
  const auto hidden = [](const std::string& first, const std::string& second) {
    return problems("rules: [\"allow 22" + first + "\", \"deny 22/tcp" + second + "\"]\n")
               .find("never matches: rule 1") != std::string::npos;
  };
  const std::string early = " until 2026-11-22T18:00:00Z";
  const std::string late = " until 2026-11-22T18:00:01Z";
  EXPECT_TRUE(hidden("", early));
  EXPECT_TRUE(hidden(early, early));
  EXPECT_TRUE(hidden(late, early));
  EXPECT_FALSE(hidden(early, ""));
  EXPECT_FALSE(hidden(early, late));
}

TEST(Check, RulesOfPeopleThatHaveEndedAreToldOf) {
  const auto files =
      sources("rules:\n  - allow: 22\n    until: 2026-11-22T18:00:00Z\n  - allow 23\n",
              "rules: [\"allow 24 until 2026-11-22T18:00:00Z\"]\n");
  const auto policy = load(files);
  const auto end = *parse_time("2026-11-22T18:00:00Z");
  EXPECT_TRUE(policy::ended(policy.policy(), files, end - std::chrono::seconds(1)).empty());
  EXPECT_EQ(render(policy::ended(policy.policy(), files, end)),
            "policy.yaml:2:5: warning: this rule has ended, at 2026-11-22T18:00:00Z: it matches "
            "nothing any more and can be taken out\n"
            "    - allow: 22\n"
            "      ^\n");
}

TEST(Check, SetsOfPeopleWithEntriesThatHaveEndedAreToldOf) {
  const std::string entries =
      " [{address: 10.0.0.1, until: 2026-11-22T18:00:00Z}, {address: 10.0.0.2, until: "
      "2027-11-22T18:00:00Z}]\n";
  const auto files = sources("sets:\n  a:" + entries, "sets:\n  b:" + entries);
  const auto policy = load(files);
  const auto end = *parse_time("2026-11-22T18:00:00Z");
  EXPECT_TRUE(policy::ended(policy.policy(), files, end - std::chrono::seconds(1)).empty());
  const auto told = policy::ended(policy.policy(), files, end);
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].message, "1 entry of this set has ended and can be taken out");
  EXPECT_EQ(told[0].at.line, 2U);
}

TEST(Check, WhatEndsLastCountsWhereEntriesOverlap) {
  const auto policy = load(
      "sets:\n"
      "  a:\n"
      "    - 10.0.0.64/26\n"
      "    - {address: 10.0.0.0/24, until: 2026-11-22T18:00:00Z}\n"
      "    - {address: 10.0.0.0/28, until: 2026-11-22T19:00:00Z}\n"
      "    - {address: 10.0.0.8/29, until: 2026-11-22T17:00:00Z}\n"
      "    - {address: 10.0.0.16/28, until: 2026-11-22T19:00:00Z}\n"
      "    - {address: 255.255.255.0/24, until: 2026-11-22T17:00:00Z}\n"
      "    - {address: 255.255.255.255, until: 2026-11-22T16:00:00Z}\n");
  std::vector<std::string> found;
  for (const auto& [range, until] : policy.sets()[0].temporary_ipv4)
    found.push_back(range.text() + " " + time_text(until).substr(11, 2));
  EXPECT_EQ(found, (std::vector<std::string>{"10.0.0.0/27 19", "10.0.0.32/27 18",
                                             "10.0.0.128/25 18", "255.255.255.0/24 17"}));
}

TEST(Check, ResolvesNames) {
  const auto policy = load(
      "sets: {a: [10.0.0.9, 10.0.0.1-10.0.0.8, \"::1\", 10.0.0.4, 10.0.1.0/24]}\n"
      "services: {app: {ports: [8080/tcp, 9000]}}\n"
      "rules:\n  - allow: [domain, app]\n    from: \"@a\"\n");
  ASSERT_EQ(policy.sets().size(), 1U);
  const auto& set = policy.sets()[0];
  ASSERT_EQ(set.lasting.ipv4.size(), 2U) << "sorted, and merged where they touch";
  EXPECT_EQ(set.lasting.ipv4[0].text(), "10.0.0.1-10.0.0.9");
  EXPECT_EQ(set.lasting.ipv4[1].text(), "10.0.1.0/24");
  EXPECT_EQ(set.lasting.ipv6.size(), 1U);
  EXPECT_TRUE(set.contains(address("10.0.0.9"), {}));
  EXPECT_FALSE(set.contains(address("10.0.0.10"), {}));
  EXPECT_FALSE(set.contains(address("10.0.0.0"), {}));
  EXPECT_TRUE(set.contains(address("::1"), {}));
  const auto& flows = policy.rules(Traffic::incoming).back().conditions.flows;
  EXPECT_EQ(flows, (std::vector<policy::Flow>{{.protocol = tcp, .to = {53, 53}},
                                              {.protocol = udp, .to = {53, 53}},
                                              {.protocol = tcp, .to = {8080, 8080}},
                                              {.protocol = tcp, .to = {9000, 9000}},
                                              {.protocol = udp, .to = {9000, 9000}}}));
}

// Profiles of these tests: two items of one protocol, a protocol for each, and none.
policy::ServiceTable with_profiles() {
  const auto profile = [](const std::string& name, std::vector<policy::ServicePort> ports) {
    return policy::Definition{.name = name,
                              .title = {},
                              .description = {},
                              .ports = std::move(ports),
                              .origin = policy::Origin::profile,
                              .profile = true,
                              .file = {}};
  };
  return policy::ServiceTable(
      etc_services, {profile("Pair", {{tcp, {1, 1}, 1}, {tcp, {2, 2}, 2}}),
                     profile("Both", {{udp, {137, 138}, 1}, {tcp, {139, 139}, 2}}),
                     profile("Any Of Them", {{tcp, {53, 53}, 1}, {udp, {53, 53}, 1}}),
                     profile("TWO", {{tcp, {1, 1}, 1}}), profile("Two", {{tcp, {2, 2}, 1}})});
}

struct Checked {
  std::vector<policy::Flow> flows;  // of the last rule
  std::string said;
};

Checked check_with_profiles(const std::string& rule) {
  Diagnostics diagnostics;
  const auto policy =
      policy::load(sources("rules:\n  - " + rule + "\n"), with_profiles(), diagnostics);
  Checked out{.flows = {}, .said = render(diagnostics)};
  if (policy) out.flows = policy->rules(Traffic::incoming).back().conditions.flows;
  return out;
}

TEST(Check, ProfilesAreTheirPorts) {
  using Flows = std::vector<policy::Flow>;
  const Flows both{{.protocol = udp, .to = {137, 138}}, {.protocol = tcp, .to = {139, 139}}};
  EXPECT_EQ(check_with_profiles("allow Both").flows, both);
  EXPECT_EQ(check_with_profiles("allow both").flows, both);
  EXPECT_EQ(check_with_profiles("allow from any app Both").flows,
            (Flows{{.protocol = udp, .from = {137, 138}}, {.protocol = tcp, .from = {139, 139}}}));
  EXPECT_EQ(check_with_profiles("allow: [Any Of Them, 80/tcp]").flows.size(), 3U);
}

TEST(Check, AProfileOnBothSidesPairsItsItems) {
  using Flows = std::vector<policy::Flow>;
  EXPECT_EQ(check_with_profiles("allow from any app Pair to any app Pair").flows,
            (Flows{{.protocol = tcp, .from = {1, 1}, .to = {1, 1}},
                   {.protocol = tcp, .from = {2, 2}, .to = {2, 2}}}));
  EXPECT_EQ(check_with_profiles("allow from any app Both to any app 'Any Of Them'").flows,
            (Flows{{.protocol = udp, .from = {137, 138}, .to = {53, 53}},
                   {.protocol = tcp, .from = {139, 139}, .to = {53, 53}}}));
  EXPECT_EQ(check_with_profiles("allow from any app Pair to any port 13").flows.size(), 2U);
  EXPECT_EQ(check_with_profiles("allow from any app 'Any Of Them' to any port http").flows.size(),
            1U);
}

TEST(Check, RefusesWhatAProfileCannotMean) {
  EXPECT_EQ(check_with_profiles("allow Both/tcp").said,
            "policy.yaml:2:11: error: application profile 'Both' brings its own protocols: leave "
            "'tcp' out\n"
            "    - allow Both/tcp\n"
            "            ^~~~~~~~\n");
  EXPECT_NE(
      check_with_profiles("allow from any app Both to any port http")
          .said.find("port 137-138/udp of an application profile has nothing of its protocol"),
      std::string::npos);
  EXPECT_NE(
      check_with_profiles("allow from any port http to any app Both").said.find("137-138/udp"),
      std::string::npos);
  EXPECT_NE(
      check_with_profiles("allow two")
          .said.find(
              "several application profiles are called 'two' but for upper and lower case: 'TWO', "
              "'Two'"),
      std::string::npos);
  EXPECT_NE(check_with_profiles("allow 'Any Of Then'").said.find("did you mean 'Any Of Them'?"),
            std::string::npos);
  EXPECT_NE(check_with_profiles("allow 80x").said.find("'80x' is neither a port nor the name of"),
            std::string::npos);
}

TEST(Check, AServiceMayHaveProtocolsWithoutPorts) {
  const auto policy = load(
      "services: {vpn: {ports: 500/udp, protocols: [esp, ah]}}\n"
      "rules:\n  - allow: vpn\n");
  EXPECT_EQ(policy.rules(Traffic::incoming).back().conditions.flows,
            (std::vector<policy::Flow>{
                {.protocol = udp, .to = {500, 500}}, {.protocol = {50}}, {.protocol = {51}}}));
}

TEST(UsedServices, AreKeptUnderTheNameOfTheRule) {
  Diagnostics none;
  const auto table = with_profiles();
  const auto policy = policy::load(
      sources(
          "services: {mine: {ports: 1}}\nrules: [allow both, allow mine, allow ssh, allow 80]\n"),
      table, none);
  ASSERT_TRUE(policy);
  EXPECT_EQ(policy::used_services(policy->policy(), table),
            "both 137-138/udp profile 1\nboth 139/tcp profile 2\nssh 22/tcp\n");
}

TEST(Check, SetsAreWhatTheirRangesAre) {
  RandomPolicy random(12);
  for (int count = 0; count < rounds(200); ++count) {
    const auto policy = load(random.policy(0));
    // Those of hosts come behind.
    for (std::size_t index = 0; index < policy.policy().sets.size(); ++index)
      for (int probes = 0; probes < 50; ++probes) {
        const auto packet = random.packet(policy);
        const auto& probe = packet.from;
        bool expected = false;
        for (const auto& range : policy.policy().sets[index].ranges)
          expected = expected || range.contains(probe);
        for (const auto& [range, until] : policy.policy().sets[index].temporary)
          expected = expected || (range.contains(probe) && packet.time < until);
        EXPECT_EQ(policy.sets()[index].contains(probe, packet.time), expected) << probe.text();
      }
  }
}

TEST(RuleIds, AreUniqueAndFound) {
  const auto policy = load("rules: [allow 22, allow 23, allow 22]\n");
  const auto& ids = policy.ids();
  ASSERT_EQ(ids.size(), 3U);
  EXPECT_EQ(ids[0].size(), 9U);
  EXPECT_EQ(ids[2], ids[0] + "-2");
  EXPECT_EQ(policy.find(ids[2]), 2U);
  EXPECT_EQ(policy.find("r00000000"), std::nullopt);
}

TEST(RuleIds, StayForAsLongAsTheRuleMeansTheSame) {
  EXPECT_EQ(rule_id(rule("allow 22/tcp comment a")),
            rule_id(rule("allow proto tcp to any port 22")));
  EXPECT_NE(rule_id(rule("allow 22/tcp")), rule_id(rule("deny 22/tcp")));
  EXPECT_EQ(rule_id(rule("allow 22/tcp")), "r7f6b7dba");
}

}  // namespace
}  // namespace fwctl::testing
