#include "rules/policy/parse.h"

#include <gtest/gtest.h>

#include "tests/unit/policies.h"

namespace fwctl::testing {
namespace {

using policy::Layer;
using policy::ParsedPolicy;
using policy::Rule;
using policy::Verdict;

ParsedPolicy parsed(const policy::Sources& files) {
  Diagnostics diagnostics;
  auto result = policy::parse(files, diagnostics);
  EXPECT_EQ(render(diagnostics), "");
  return result;
}

std::string refusal(const policy::Sources& files) {
  Diagnostics diagnostics;
  (void)policy::parse(files, diagnostics);
  return render(diagnostics);
}

std::string refusal(const std::string& text) {
  return refusal(sources(text));
}

// Of `text` as rules.yaml.
std::string machine_refusal(const std::string& text) {
  return refusal(sources("", text));
}

TEST(Parse, ReadsBothFormsOfARule) {
  const auto both = parsed(
      sources("rules:\n"
              "  - allow: [80, 443/tcp]\n"
              "    from: [10.0.0.0/8, \"@office\"]\n"
              "    from-port: 1024-65535\n"
              "    to: 10.0.0.1\n"
              "    interface: [eth1, \"wg*\"]\n"
              "    log: true\n"
              "    comment: nginx\n"
              "  - allow in on eth1,wg* log from 10.0.0.0/8,@office port 1024-65535 to 10.0.0.1 "
              "port 80/any,443/tcp comment nginx\n"
              "  - reject: smtp\n"
              "    direction: out\n"
              "  - \"reject out smtp\"\n"
              "  - deny: any\n"
              "    protocol: esp\n"
              "  - deny proto esp\n"));
  const auto& rules = both.policy.rules;
  ASSERT_EQ(rules.size(), 6U);
  for (std::size_t index = 0; index < rules.size(); index += 2)
    EXPECT_EQ(rules[index], rules[index + 1]);
}

TEST(Parse, RemembersWhereThingsStand) {
  const auto result =
      parsed({.managed = {{"a.yaml", "rules: [allow 1]\nsets: {s: [10.0.0.1]}\n"},
                          {"b.yaml", "rules:\n  - allow: [22, 23]\n    from: '@s'\n"}},
              .added = {"rules.yaml", "before:\n  - allow 2\nrules:\n  - allow 3\n"}});
  const auto& rules = result.policy.rules;
  ASSERT_EQ(rules.size(), 4U);
  EXPECT_EQ(rules[0].layer, Layer::before);
  EXPECT_EQ(rules[0].source, 2U);
  EXPECT_EQ(rules[0].at, (Span{2, 5, 7}));
  EXPECT_EQ(rules[1].source, 0U);
  EXPECT_EQ(rules[1].at, (Span{1, 9, 7}));
  EXPECT_EQ(rules[2].layer, Layer::managed);
  EXPECT_EQ(rules[2].source, 1U);
  EXPECT_EQ(rules[2].at, (Span{2, 5, 1}));
  EXPECT_EQ(rules[2].ports[1].at, (Span{2, 17, 2}));
  EXPECT_EQ(rules[2].from[0].at, (Span{3, 12, 2}));
  EXPECT_EQ(rules[3].layer, Layer::added);
  EXPECT_EQ(result.policy.sets[0].at, (Span{2, 8, 1}));
}

TEST(Parse, OrdersTheThreeLayers) {
  const auto result =
      parsed({.managed = {{"policy.yaml", "rules: [allow 3, allow 4]\n"},
                          {"policy.d/a.yaml", "rules: [allow 5]\n"}},
              .added = {"rules.yaml", "rules: [allow 6]\nbefore: [allow 1, allow 2]\n"}});
  ASSERT_EQ(result.policy.rules.size(), 6U);
  for (std::uint16_t number = 1; number <= 6; ++number)
    EXPECT_EQ(result.policy.rules[number - 1U], rule("allow " + std::to_string(number)));
  EXPECT_EQ(result.added.before, (std::vector{rule("allow 1"), rule("allow 2")}));
  EXPECT_EQ(result.added.rules, std::vector{rule("allow 6")});
}

TEST(Parse, NoTextIsTheDefaultPolicy) {
  const auto result = parsed({});
  EXPECT_EQ(result.policy.defaults, (std::array{Verdict::deny, Verdict::allow, Verdict::deny}));
  EXPECT_EQ(result.policy.logging, policy::Logging::low);
  EXPECT_TRUE(result.policy.rules.empty());
}

TEST(Parse, WhatFwctlWasToldOverridesTheDefaults) {
  const auto result =
      parsed(sources("defaults: {incoming: reject, outgoing: deny, routed: allow}\nlogging: off\n",
                     "defaults: {incoming: allow}\n"));
  EXPECT_EQ(result.policy.defaults, (std::array{Verdict::allow, Verdict::deny, Verdict::allow}));
  EXPECT_EQ(result.policy.logging, policy::Logging::off);
  EXPECT_EQ(result.added.defaults[0], Verdict::allow);
  EXPECT_EQ(result.added.defaults[1], std::nullopt);
}

TEST(Parse, TwoFilesDoNotArgueAboutADefault) {
  EXPECT_EQ(
      refusal({.managed = {{"policy.yaml", "defaults: {incoming: deny}\n"},
                           {"policy.d/b.yaml", "defaults: {incoming: allow, routed: deny}\n"}}}),
      "policy.d/b.yaml:1:22: error: the default for incoming is already set at policy.yaml:1\n"
      "  defaults: {incoming: allow, routed: deny}\n"
      "                       ^~~~~\n");
}

TEST(Parse, TellsAllProblemsAtOnce) {
  EXPECT_EQ(
      refusal({.managed = {{"policy.yaml",
                            "version: 2\n"
                            "defualts: {incoming: deny}\n"
                            "rules:\n"
                            "  - allow: 0\n"
                            "    from: 10.0.0.300\n"
                            "  - alow 22\n"
                            "  - deny: [70000, 022]\n"},
                           {"policy.d/b.yaml", "a: [\n"}},
               .added = {"rules.yaml", "rules: {}\n"}}),
      "policy.yaml:1:10: error: version '2' is not known here: this program reads version 1\n"
      "  version: 2\n"
      "           ^\n"
      "policy.yaml:2:1: error: unknown key 'defualts', did you mean 'defaults'?\n"
      "  defualts: {incoming: deny}\n"
      "  ^~~~~~~~\n"
      "policy.yaml:4:12: error: '0' is not a port: ports are 1 to 65535\n"
      "    - allow: 0\n"
      "             ^\n"
      "policy.yaml:5:11: error: '10.0.0.300' is not an IPv4 or IPv6 address\n"
      "      from: 10.0.0.300\n"
      "            ^~~~~~~~~~\n"
      "policy.yaml:6:5: error: 'alow' is not allow, deny, reject or limit, did you mean 'allow'?\n"
      "    - alow 22\n"
      "      ^~~~\n"
      "policy.yaml:7:12: error: '70000' is not a port: ports are 1 to 65535\n"
      "    - deny: [70000, 022]\n"
      "             ^~~~~\n"
      "policy.yaml:7:19: error: '022' has a leading zero: write ports as plain decimal numbers\n"
      "    - deny: [70000, 022]\n"
      "                    ^~~\n"
      "policy.d/b.yaml:2:1: error: not YAML: end of sequence flow not found\n"
      "rules.yaml:1:8: error: rules are a list, each item begins with '- '\n"
      "  rules: {}\n"
      "         ^\n");
}

TEST(Parse, RefusesUnknownAndDuplicateKeys) {
  EXPECT_EQ(refusal("rules: []\nrules: []\n"),
            "policy.yaml:2:1: error: 'rules' a second time\n  rules: []\n  ^~~~~\n");
  EXPECT_EQ(refusal("rules:\n  - allow: 22\n    comment: a\n    comment: b\n"),
            "policy.yaml:4:5: error: 'comment' a second time\n      comment: b\n      ^~~~~~~\n");
  EXPECT_EQ(refusal("rules:\n  - allow: 22\n    form: 10.0.0.1\n"),
            "policy.yaml:3:5: error: unknown key 'form', did you mean 'from'?\n      form: "
            "10.0.0.1\n      ^~~~\n");
  EXPECT_EQ(refusal("rules:\n  - allow: 22\n    colour: red\n"),
            "policy.yaml:3:5: error: unknown key 'colour'\n      colour: red\n      ^~~~~~\n");
  EXPECT_EQ(refusal("[a]: 1\n"), "policy.yaml:1:1: error: a key is a plain word\n  [a]: 1\n  ^\n");
  EXPECT_EQ(refusal("sets: {office: [10.0.0.1], office: [10.0.0.2]}\n"),
            "policy.yaml:1:28: error: set 'office' is already defined at policy.yaml:1\n"
            "  sets: {office: [10.0.0.1], office: [10.0.0.2]}\n"
            "                             ^~~~~~\n");
}

TEST(Parse, NamesTheFileThatDefinedItFirst) {
  EXPECT_EQ(refusal({.managed = {{"policy.yaml", "\nsets: {a: [10.0.0.1]}\n"},
                                 {"policy.d/b.yaml", "sets: {a: [10.0.0.1]}\n"}}}),
            "policy.d/b.yaml:1:8: error: set 'a' is already defined at policy.yaml:2\n"
            "  sets: {a: [10.0.0.1]}\n"
            "         ^\n");
  EXPECT_EQ(refusal({.managed = {{"policy.yaml", "services: {a: {ports: 1}}\n"},
                                 {"policy.d/b.yaml", "services: {a: {ports: 1}}\n"}}}),
            "policy.d/b.yaml:1:12: error: service 'a' is already defined at policy.yaml:1\n"
            "  services: {a: {ports: 1}}\n"
            "             ^\n");
}

TEST(Parse, RefusesAListWhereAWordBelongs) {
  EXPECT_EQ(refusal("rules:\n  - allow: 22\n    comment: [a]\n"),
            "policy.yaml:3:14: error: a comment is one word, not a list\n      comment: [a]\n      "
            "         ^\n");
  EXPECT_EQ(refusal("rules:\n  - allow: 22\n    direction: [in]\n"),
            "policy.yaml:3:16: error: a direction is one word, not a list\n      direction: [in]\n "
            "                ^\n");
  EXPECT_EQ(
      refusal("version: {}\n"),
      "policy.yaml:1:10: error: version is one word, not a map\n  version: {}\n           ^\n");
  EXPECT_EQ(refusal("rules:\n  - allow: [22, [23]]\n"),
            "policy.yaml:2:17: error: a port or service is one word, not a list\n    - allow: [22, "
            "[23]]\n                  ^\n");
  EXPECT_EQ(refusal("rules:\n  - allow: [22, ~]\n"),
            "policy.yaml:2:17: error: a port or service is one word, not a blank\n    - allow: "
            "[22, ~]\n                  ^\n");
}

TEST(Parse, RefusesWhatIsEmpty) {
  EXPECT_EQ(refusal("rules:\n"),
            "policy.yaml:1:1: error: 'rules' has no value\n  rules:\n  ^~~~~\n");
  EXPECT_EQ(refusal("rules:\n  - allow: []\n"),
            "policy.yaml:2:12: error: an empty list: leave the key out instead\n    - allow: []\n  "
            "           ^\n");
  EXPECT_EQ(refusal("rules:\n  -\n").substr(0, 24), "policy.yaml:3:1: error: ");
  EXPECT_EQ(
      refusal("rules:\n  - from: 10.0.0.1\n"),
      "policy.yaml:2:5: error: a rule needs a verdict: allow, deny, reject or limit\n    - from: "
      "10.0.0.1\n      ^\n");
}

TEST(Parse, AnyStandsAlone) {
  EXPECT_EQ(refusal("rules:\n  - deny: [any, 22]\n"),
            "policy.yaml:2:12: error: 'any' stands alone, not in a list\n    - deny: [any, 22]\n   "
            "          ^~~\n");
  EXPECT_EQ(refusal("rules:\n  - deny: 22\n    from: [10.0.0.1, any]\n"),
            "policy.yaml:3:22: error: 'any' stands alone, not in a list\n      from: [10.0.0.1, "
            "any]\n                       ^~~\n");
  EXPECT_EQ(parsed(sources("rules:\n  - deny: [any]\n    from: any\n")).policy.rules[0],
            rule("deny from any"));
}

TEST(Parse, RefusesWordsItDoesNotKnow) {
  EXPECT_EQ(refusal("defaults: {incoming: drop}\n"),
            "policy.yaml:1:22: error: a default is allow, deny or reject\n"
            "  defaults: {incoming: drop}\n                       ^~~~\n");
  EXPECT_EQ(refusal("logging: loud\n"),
            "policy.yaml:1:10: error: logging is off, low, medium, high or full\n  logging: loud\n "
            "          ^~~~\n");
  EXPECT_EQ(refusal("rules:\n  - allow: 22\n    log: yes\n"),
            "policy.yaml:3:10: error: log is true, false or all\n      log: yes\n           ^~~\n");
  EXPECT_EQ(refusal("rules:\n  - allow: 22\n    direction: sideways\n"),
            "policy.yaml:3:16: error: a direction is in, out or routed\n      direction: "
            "sideways\n        "
            "         ^~~~~~~~\n");
  EXPECT_EQ(refusal("sets: {9a: []}\n"),
            "policy.yaml:1:8: error: a set's name is a letter, then letters, digits, - or _\n  "
            "sets: {9a: []}\n         ^~\n");
  EXPECT_EQ(refusal("services: {any: {ports: 1}}\n"),
            "policy.yaml:1:12: error: a service's name is a letter, then letters, digits, - or _, "
            "and no word of the rule language\n"
            "  services: {any: {ports: 1}}\n             ^~~\n");
  EXPECT_EQ(refusal("- allow: 22\n"),
            "policy.yaml:1:1: error: a policy file is a map: version, defaults, logging, "
            "baseline, containers, trust, sets, services, rules, forward, masquerade\n"
            "  - allow: 22\n  ^\n");
}

TEST(Parse, ARuleHasOneVerdict) {
  EXPECT_EQ(refusal("rules:\n  - allow: 22\n    deny: 23\n"),
            "policy.yaml:3:11: error: one rule has one verdict\n      deny: 23\n            ^~\n");
}

TEST(Parse, ACommentIsOneLineOfText) {
  EXPECT_EQ(refusal("rules:\n  - allow: 22\n    comment: \"a\\nb\"\n"),
            "policy.yaml:3:14: error: a comment is one line of text\n      comment: \"a\\nb\"\n    "
            "           ^~~~~\n");
  EXPECT_TRUE(refusal("rules:\n  - allow: 22\n    comment: \"a\\eb\"\n").find("one line of text") !=
              std::string::npos);
  EXPECT_TRUE(refusal("rules:\n  - allow: 22\n    comment: " + std::string(201, 'x') + "\n")
                  .find("error: a comment has at most 200 bytes") != std::string::npos);
}

TEST(Parse, AServiceIsMadeOfPorts) {
  EXPECT_EQ(refusal("services:\n  a: {ports: [80, ssh]}\n"),
            "policy.yaml:2:19: error: a service is made of ports, not of other services\n"
            "    a: {ports: [80, ssh]}\n                    ^~~\n");
  EXPECT_EQ(refusal("services:\n  a: {description: x}\n"),
            "policy.yaml:2:3: error: service 'a' has neither ports nor protocols\n"
            "    a: {description: x}\n    ^\n");
  EXPECT_EQ(refusal("services:\n  a: [80]\n"),
            "policy.yaml:2:6: error: a service is a map: ports, protocols, description\n"
            "    a: [80]\n       ^\n");
  EXPECT_EQ(refusal("services:\n  a: {protocols: [esp, udp]}\n"),
            "policy.yaml:2:24: error: protocol udp has ports: write them under 'ports'\n"
            "    a: {protocols: [esp, udp]}\n                         ^~~\n");
}

TEST(Parse, ReadsDefinitionsOfServicesD) {
  auto files = sources("services: {a: {ports: 1}}\nrules: [allow b]\n");
  files.definitions = {{"services.d/1.yaml", "# nothing\n"},
                       {"services.d/2.yaml", "b: {ports: 2/tcp, protocols: esp}\n"}};
  const auto result = parsed(files);
  ASSERT_EQ(result.policy.services.size(), 2U);
  const auto& service = result.policy.services[1];
  EXPECT_EQ(service.name, "b");
  EXPECT_EQ(service.protocols, std::vector{Protocol{50}});
  EXPECT_EQ(files.at(service.source).name, "services.d/2.yaml");
}

TEST(Parse, ComplainsOfServicesDWhereItIsWrong) {
  const auto with = [](std::string text) {
    auto files = sources("services: {a: {ports: 1}}\n");
    files.definitions = {{"services.d/x.yaml", std::move(text)}};
    return refusal(files);
  };
  EXPECT_EQ(with("b:\n  ports: 0/tcp\n"),
            "services.d/x.yaml:2:10: error: '0' is not a port: ports are 1 to 65535\n"
            "    ports: 0/tcp\n           ^\n");
  EXPECT_EQ(with("a: {ports: 2}\n"),
            "services.d/x.yaml:1:1: error: service 'a' is already defined at policy.yaml:1\n"
            "  a: {ports: 2}\n  ^\n");
  EXPECT_EQ(with("- a\n"),
            "services.d/x.yaml:1:1: error: services is a map from names to definitions\n"
            "  - a\n  ^\n");
  EXPECT_EQ(with("services: {b: {ports: 2}}\n"),
            "services.d/x.yaml:1:12: error: unknown key 'b'\n"
            "  services: {b: {ports: 2}}\n             ^\n");
}

TEST(Parse, SetsHoldAddressesOfBothFamilies) {
  const auto result = parsed(sources(
      "sets:\n  a: [10.0.0.0/8, \"fe80::/10\", 10.0.0.1-10.0.0.3]\n  b: []\n  c: 10.0.0.1\n"));
  ASSERT_EQ(result.policy.sets.size(), 3U);
  EXPECT_EQ(result.policy.sets[0].ranges.size(), 3U);
  EXPECT_TRUE(result.policy.sets[1].ranges.empty());
  EXPECT_EQ(result.policy.sets[2].ranges.size(), 1U);
  EXPECT_EQ(refusal("sets:\n  a: [10.0.0.1, \"@b\"]\n"),
            "policy.yaml:2:18: error: '@b' is not an IPv4 or IPv6 address\n    a: [10.0.0.1, "
            "\"@b\"]\n                   ^~\n");
}

TEST(Parse, SetsHoldPairsInstead) {
  const auto result =
      parsed(sources("sets:\n  a: [10.0.0.1 80/tcp, \"::1  443/17\"]\n  b: 10.0.0.1 9/sctp\n"));
  ASSERT_EQ(result.policy.sets.size(), 2U);
  ASSERT_EQ(result.policy.sets[0].pairs.size(), 2U);
  EXPECT_EQ(result.policy.sets[0].pairs[1].text(), "::1 443/udp");
  EXPECT_TRUE(result.policy.sets[0].ranges.empty());
  EXPECT_EQ(result.policy.sets[1].pairs[0].protocol, Protocol{132});
  EXPECT_EQ(refusal("sets:\n  a: 10.0.0.1 0/tcp\n"),
            "policy.yaml:2:15: error: '0' is not a port: ports are 1 to 65535\n"
            "    a: 10.0.0.1 0/tcp\n                ^\n");
}

TEST(Parse, OnlyTheMachinesFileHasBefore) {
  EXPECT_EQ(refusal("before: [allow 22]\n"),
            "policy.yaml:1:9: error: 'before' is for rules.yaml, which fwctl writes: use 'fwctl "
            "prepend', or put the "
            "rule first in this file\n"
            "  before: [allow 22]\n"
            "          ^\n");
  EXPECT_EQ(machine_refusal("before: [allow 22]\n"), "");
}

TEST(Parse, PlacesAreRightInQuotedWords) {
  EXPECT_EQ(refusal("rules:\n  - \"allow 22 form x\"\n"),
            "policy.yaml:2:15: error: 'form' has no meaning here, did you mean 'from'?\n"
            "    - \"allow 22 form x\"\n"
            "                ^~~~\n");
  EXPECT_EQ(refusal("rules:\n  - allow: '80,0'\n"),
            "policy.yaml:2:16: error: '0' is not a port: ports are 1 to 65535\n    - allow: "
            "'80,0'\n                 ^\n");
}

// A file of another kind has a mistake in each line: neither the reader nor the daemon is to spend
// its time on all of them.
TEST(Parse, TellsSoManyMistakesOfOneKind) {
  std::string rules = "rules:\n";
  std::string entries = "sets:\n  office:\n";
  std::string ports = "rules:\n  - allow:\n";
  for (int number = 0; number < 200'000; ++number) {
    rules += "  - allow: 70000/tcp\n";
    entries += "    - 10.0.0.256\n";
    ports += "    - 70000/tcp\n";
  }
  for (const auto& text : {rules, entries, ports}) {
    Diagnostics diagnostics;
    policy::parse(sources(text), diagnostics);
    ASSERT_EQ(diagnostics.size(), most_problems + 1);
    EXPECT_EQ(diagnostics[most_problems - 1].severity, Severity::error);
    EXPECT_EQ(diagnostics.back().message,
              "so much is wrong until here that the rest was not looked at: mend that first");
    EXPECT_GT(diagnostics.back().at.line, most_problems);
  }
}

}  // namespace
}  // namespace fwctl::testing
