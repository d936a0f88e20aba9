#include "rules/compile/compile.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <set>

#include "rules/nft/references.h"
#include "rules/nft/text.h"
#include "tests/unit/judge.h"
#include "tests/unit/policies.h"
#include "tests/unit/random_policy.h"
#include "tests/unit/rounds.h"

namespace fwctl::testing {
namespace {

using nft::Ruleset;

Ruleset compiled(const std::string& policy) {
  return compile::compile(load(policy), units());
}

std::string elements(const Ruleset& ruleset, const std::string& name) {
  const auto* set = ruleset.find_set(name);
  if (set == nullptr) return "no set " + name;
  std::string out;
  for (const auto& element : nft::all_elements(*set)) {
    nft::Set one = *set;
    one.elements = {element};
    one.intervals = {};
    one.elements[0].comment.clear();
    const auto text = nft::text(nft::Changes{nft::AddElements{one}});
    out += text.substr(text.find('{'), text.find('}') - text.find('{') + 1) + " ";
  }
  return out;
}

// The rules of a chain as nft prints them.
std::vector<std::string> lines(const Ruleset& ruleset, const std::string& chain) {
  std::vector<std::string> out;
  for (const auto& rule : ruleset.find_chain(chain)->rules) out.push_back(nft::text(rule));
  return out;
}

TEST(Compile, RunsOfPortsBecomeOneLookupAndTheFirstRuleWins) {
  const auto ruleset =
      compiled("rules: [allow 443/tcp, deny 80-1000/tcp, allow 900-2000/tcp, reject 80/tcp]\n");
  EXPECT_EQ(elements(ruleset, "incoming-ports"), "{ tcp . 443 : accept } ");
  EXPECT_EQ(elements(ruleset, "incoming-port-ranges"),
            "{ tcp . 80-1000 : drop } { tcp . 1001-2000 : accept } ")
      << "single ports are looked up first";
}

TEST(Compile, ARuleOfAnotherShapeEndsTheRun) {
  const auto ruleset = compiled("rules: [allow 80/tcp, \"deny from 10.0.0.1\", allow 81/tcp]\n");
  EXPECT_NE(ruleset.find_set("incoming-ports"), nullptr);
  EXPECT_NE(ruleset.find_set("incoming-ports-2"), nullptr);
  const auto chain = lines(ruleset, "incoming");
  const auto at = [&](const std::string& part) {
    return std::find_if(chain.begin(), chain.end(),
                        [&](const auto& line) { return line.find(part) != std::string::npos; });
  };
  EXPECT_LT(at("@incoming-ports"), at("ip saddr 10.0.0.1"));
  EXPECT_LT(at("ip saddr 10.0.0.1"), at("@incoming-ports-2"));
}

TEST(Compile, RulesThatCannotMeetTheSamePacketAreRegrouped) {
  const auto ruleset = compiled(
      "rules: [allow 80/tcp, \"deny proto tcp from 10.0.0.1 to any port 22\", allow 81/tcp]\n");
  EXPECT_EQ(elements(ruleset, "incoming-ports"), "{ tcp . 80 : accept } { tcp . 81 : accept } ");
  EXPECT_EQ(ruleset.find_set("incoming-ports-2"), nullptr);
}

TEST(Compile, ThoseThatMayAreNot) {
  const auto ruleset = compiled(
      "rules: [allow 80/tcp, \"deny proto tcp from 10.0.0.1 to any port 81\", allow 81/tcp]\n");
  EXPECT_EQ(elements(ruleset, "incoming-ports"), "{ tcp . 80 : accept } ");
  EXPECT_EQ(elements(ruleset, "incoming-ports-2"), "{ tcp . 81 : accept } ");
}

TEST(Compile, FewRulesOfAKindReadBestAsRules) {
  const std::string three =
      "rules: [deny from 10.0.0.1, allow from 10.0.0.0/24, deny from 10.0.0.0/8";
  EXPECT_EQ(compiled(three + "]\n").find_set("incoming-ipv4-from"), nullptr);
  const auto ruleset = compiled(three + ", deny from 10.0.0.2, deny from 11.0.0.2]\n");
  EXPECT_EQ(elements(ruleset, "incoming-ipv4-from"), "{ 10.0.0.1 : drop } { 11.0.0.2 : drop } ");
  EXPECT_EQ(elements(ruleset, "incoming-ipv4-from-ranges"),
            "{ 10.0.0.0/24 : accept } { 10.0.1.0-10.255.255.255 : drop } ")
      << "the first rule wins, and what an earlier one hides is not there";
}

TEST(Compile, WhatALookupCannotDecideGuardsIt) {
  const auto ruleset = compiled(
      "sets: {office: [10.0.0.0/8]}\n"
      "rules: [\"allow proto tcp from @office to any port 22,25,80,443\"]\n");
  EXPECT_EQ(elements(ruleset, "incoming-ports"),
            "{ tcp . 22 : accept } { tcp . 25 : accept } { tcp . 80 : accept } "
            "{ tcp . 443 : accept } ");
  const auto chain = lines(ruleset, "incoming");
  EXPECT_NE(std::ranges::find(chain,
                              "ip saddr @office-ipv4 meta l4proto . th dport vmap "
                              "@incoming-ports"),
            chain.end());
}

// What `rule` says of the numbers from 1 on is as many rules of the chain for 10 as for 3,000.
void expect_same_cost(const std::function<std::string(int)>& rule) {
  std::string few = "rules:\n";
  std::string many = few;
  for (int number = 1; number <= 3000; ++number) {
    const auto line = "  - " + rule(number) + "\n";
    if (number <= 10) few += line;
    many += line;
  }
  EXPECT_EQ(lines(compiled(few), "incoming"), lines(compiled(many), "incoming")) << rule(1);
}

TEST(Compile, TheCostOfAPacketDoesNotGrowWithTheNumberOfRules) {
  const auto text = [](int number) { return std::to_string(number); };
  const auto host = [](int number) {
    return "10.0." + std::to_string(number / 256) + "." + std::to_string(number % 256);
  };
  expect_same_cost([&](int i) { return "allow " + text(i) + "/tcp"; });
  expect_same_cost([&](int i) { return "deny from " + host(i); });
  expect_same_cost(
      [&](int i) { return "deny from 10." + text(i / 256) + "." + text(i % 256) + ".0/24"; });
  expect_same_cost([&](int i) { return "deny from 2001:db8:" + text(i) + "::/48"; });
  expect_same_cost([&](int i) { return "allow from " + host(i) + " to any port " + text(i); });
  expect_same_cost([&](int i) {
    return "allow proto tcp from 10." + text(i / 256) + "." + text(i % 256) + ".0/24 to any port " +
           text(i) + ":" + text(i + 7);
  });
  expect_same_cost(
      [&](int i) { return "allow in on vlan" + text(i) + " to any port 22 proto tcp"; });
  expect_same_cost([&](int i) {  // by turns, but of different ports
    return i % 2 == 0 ? "allow " + text(10'000 + i) + "/tcp"
                      : "allow from " + host(i) + " to any port " + text(i);
  });
}

TEST(Compile, WhatCarriesALogIsARuleOfItsOwn) {
  const auto policy = load("rules: [deny log 3000/tcp]\n");
  const auto ruleset = compile::compile(policy, units());
  const auto& id = policy.ids()[0];
  const auto chain = lines(ruleset, "incoming");
  const auto end = chain.size();
  EXPECT_EQ(
      chain[end - 4],
      "tcp dport 3000 ct state new limit rate 3/minute burst 10 packets log prefix \"[fwctl deny " +
          id + "] \" group 7227 comment \"" + id + "\"");
  EXPECT_EQ(chain[end - 3], "tcp dport 3000 counter drop comment \"" + id + "\"");
  EXPECT_EQ(chain[end - 2],
            "meta pkttype host limit rate 3/minute burst 10 packets log prefix \"[fwctl deny "
            "default] \" group 7227 comment \"default\"");
  EXPECT_EQ(chain[end - 1], "counter drop comment \"default\"");
}

TEST(Compile, WhatNeighboursTellEverybodyIsSilentAtLowLevels) {
  Packet packet{.from = *Address::parse("192.0.2.2"), .protocol = udp, .to_port = 1900};
  packet.interface = "eth0";
  for (const auto* const to : {"224.0.0.251", "255.255.255.255", "192.0.2.1"}) {
    packet.to = *Address::parse(to);
    const bool noise = packet.to != Address::parse("192.0.2.1");
    const auto logged = [&](const std::string& level) {
      return judge(compiled("logging: " + level + "\n"), packet).logged;
    };
    const std::string line = "[fwctl deny default] ";
    EXPECT_EQ(logged("low").empty(), noise) << to;
    EXPECT_EQ(std::ranges::count(logged("medium"), line), noise ? 0 : 1) << to;
    EXPECT_EQ(std::ranges::count(logged("high"), line), 1) << to;
  }
}

TEST(Compile, WithoutLoggingNothingIsLogged) {
  const auto ruleset = compiled("logging: off\nrules: [deny log 3000/tcp]\n");
  EXPECT_EQ(nft::text(ruleset).find(" log "), std::string::npos);
  EXPECT_EQ(elements(ruleset, "incoming-ports"), "{ tcp . 3000 : drop } ")
      << "so it needs no rule of its own";
}

TEST(Compile, DefaultsEndTheChainsAndArmTheHooks) {
  const auto ruleset =
      compiled("defaults: {incoming: reject, outgoing: allow, routed: deny}\nlogging: off\n");
  EXPECT_EQ(lines(ruleset, "incoming").back(), "counter goto refuse comment \"default\"");
  EXPECT_EQ(lines(ruleset, "outgoing").back(), "counter accept comment \"default\"");
  EXPECT_EQ(lines(ruleset, "routed").back(), "counter drop comment \"default\"");
  EXPECT_TRUE(ruleset.find_chain("input")->hook->policy_drop);
  EXPECT_FALSE(ruleset.find_chain("output")->hook->policy_drop);
  EXPECT_TRUE(ruleset.find_chain("forward")->hook->policy_drop);
  EXPECT_EQ(lines(ruleset, "input"), (std::vector<std::string>{"jump incoming", "drop"}));
  EXPECT_EQ(lines(ruleset, "refuse"),
            (std::vector<std::string>{"meta l4proto tcp reject with tcp reset",
                                      "reject with icmpx port-unreachable"}));
}

TEST(Compile, WhatIsNotNeededIsNotThere) {
  const auto ruleset =
      compiled("sets: {unused: [10.0.0.1], v4: [10.0.0.2]}\nrules: [\"allow from @v4\"]\n");
  EXPECT_EQ(ruleset.find_chain("refuse"), nullptr);
  EXPECT_EQ(ruleset.find_set("unused-ipv4"), nullptr);
  EXPECT_NE(ruleset.find_set("v4-ipv4"), nullptr);
  EXPECT_EQ(ruleset.find_set("v4-ipv6"), nullptr);
}

TEST(Compile, EstablishedTrafficPaysTwoRules) {
  const auto chain = lines(compiled(""), "incoming");
  EXPECT_EQ(chain[0], "iifname \"lo\" accept comment \"loopback\"");
  EXPECT_EQ(chain[1], "ct state established,related accept comment \"established\"");
}

// All that refers to anything finds it, and all is sorted as nft/ruleset.h asks.
TEST(Compile, IsWellFormed) {
  RandomPolicy random(40);
  for (int count = 0; count < rounds(300); ++count) {
    const auto ruleset =
        compile::compile(load(random.policy()), units(), count % 2 == 0 ? 1 : compile::big_set);
    const auto by_name = [](const auto& a, const auto& b) { return a.name < b.name; };
    EXPECT_TRUE(std::is_sorted(ruleset.sets.begin(), ruleset.sets.end(), by_name));
    EXPECT_TRUE(std::is_sorted(ruleset.chains.begin(), ruleset.chains.end(), by_name));
    const auto reached = nft::reachable(ruleset);
    std::set<std::string> sets;
    std::set<std::string> chains;
    for (const auto& set : ruleset.sets) {
      sets.insert(set.name);
      const auto elements = nft::all_elements(set);
      for (std::size_t index = 0; index < elements.size(); ++index) {
        const auto& element = elements[index];
        EXPECT_NE(element.key, element.key_end);
        EXPECT_EQ(element.verdict.has_value(), set.map);
        EXPECT_TRUE(set.interval || element.key_end.empty());
        EXPECT_LE(element.comment.size(), 127U);
        if (index > 0) {
          EXPECT_LT(elements[index - 1].key, element.key);
        }
      }
    }
    for (const auto& chain : ruleset.chains) chains.insert(chain.name);
    EXPECT_EQ(reached.sets, sets) << "neither dangling nor idle";
    EXPECT_EQ(reached.chains, chains);
  }
}

// What ufw's table of levels says, in our words.
std::vector<std::string> logged(const policy::CheckedPolicy& policy, const Packet& packet,
                                const Decision& meant) {
  using policy::Log;
  using policy::Logging;
  const auto level = policy.logging();
  const bool fresh = packet.state == policy::State::fresh;
  const std::string verdict(text(meant.verdict));
  std::vector<std::string> out;
  if (level >= Logging::high || (level == Logging::medium && fresh))
    out.push_back("[fwctl audit " + std::string(text(packet.traffic)) + "] ");
  if (meant.forward != nullptr) {
    // What is redirected is not logged.
  } else if (meant.rule == nullptr) {
    const bool comes = packet.traffic == policy::Traffic::incoming || packet.sent_to;
    const bool noise = comes && level < Logging::high && is_for_many(packet);
    if (level >= (meant.verdict == policy::Verdict::allow ? Logging::medium : Logging::low) &&
        !noise)
      out.push_back("[fwctl " + verdict + " default] ");
  } else if (meant.rule->id == "invalid") {
    if (level >= Logging::medium) out.emplace_back("[fwctl deny invalid] ");
  } else if (level != Logging::off &&
             (meant.rule->log == Log::all || (meant.rule->log == Log::fresh && fresh))) {
    out.push_back("[fwctl " + verdict + " " + meant.rule->id + "] ");
  }
  return out;
}

// The evaluator is the meaning; the compiler never looked at it.
class CompileWithBigSets : public ::testing::TestWithParam<std::size_t> {};

TEST_P(CompileWithBigSets, NoPacketGetsAnotherVerdict) {
  const std::size_t big = GetParam();
  RandomPolicy random(41);
  for (int count = 0; count < rounds(150); ++count) {
    const auto policy = load(random.policy());
    const auto ruleset = compile::compile(policy, units(), big);
    for (int packets = 0; packets < 300; ++packets) {
      const auto packet = random.packet(policy);
      const auto meant = evaluate(policy, packet);
      const auto found = judge(ruleset, packet);
      std::string by(compile::default_comment);
      if (meant.rule != nullptr) by = meant.rule->id;
      if (meant.forward != nullptr) by = meant.forward->id;
      const auto told = [&] {
        return "from " + packet.from.text() + " port " + std::to_string(packet.from_port) + " to " +
               packet.to.text() + " port " + std::to_string(packet.to_port) + " " +
               packet.protocol.text() + " on " + packet.interface +
               (packet.sent_to ? " sent to " + packet.sent_to->address.text() + " port " +
                                     std::to_string(packet.sent_to->port)
                               : "") +
               "\n" + yaml_text(policy.policy()) + nft::text(ruleset);
      };
      ASSERT_EQ(found.misread, "") << told();
      ASSERT_EQ(found.by, by) << told();
      const bool limited = meant.verdict == policy::Verdict::limit;
      ASSERT_EQ(found.verdict, limited ? policy::Verdict::allow : meant.verdict) << told();
      ASSERT_EQ(found.logged, logged(policy, packet, meant)) << told();
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, CompileWithBigSets, ::testing::Values(1, compile::big_set));

std::size_t rules_with(const Ruleset& ruleset, const std::string& part) {
  std::size_t count = 0;
  for (const auto& line : lines(ruleset, "incoming"))
    if (line.find(part) != std::string::npos) ++count;
  return count;
}

// A lookup for each length, each of which counts for the rule.
TEST(Compile, ABigSetIsASetOfValuesForEachLength) {
  const auto policy = load(
      "logging: off\n"
      "sets: {list: [10.1.0.0/16, 10.2.0.0/16, 192.0.2.0/24, 198.51.100.7, 2001:db8::/33]}\n"
      "rules: [\"deny from @list\"]\n");
  const auto ruleset = compile::compile(policy, {}, 1);
  EXPECT_EQ(ruleset.find_set("list-ipv4"), nullptr);
  EXPECT_EQ(elements(ruleset, "list-ipv4/16"), "{ 10.1.0.0 } { 10.2.0.0 } ");
  EXPECT_EQ(elements(ruleset, "list-ipv4/24"), "{ 192.0.2.0 } ");
  EXPECT_EQ(elements(ruleset, "list-ipv4/32"), "{ 198.51.100.7 } ");
  EXPECT_EQ(elements(ruleset, "list-ipv6/33"), "{ 2001:db8:: } ");
  const auto chain = lines(ruleset, "incoming");
  const std::string rest = " counter drop comment \"" + policy.ids()[0] + "\"";
  const std::vector<std::string> wanted{
      "ip saddr & 255.255.0.0 == @list-ipv4/16" + rest,
      "ip saddr & 255.255.255.0 == @list-ipv4/24" + rest,
      "ip saddr @list-ipv4/32" + rest,
      "ip6 saddr & ffff:ffff:8000:: == @list-ipv6/33" + rest,
  };
  const auto found = std::ranges::search(chain, wanted);
  EXPECT_EQ(std::vector<std::string>(found.begin(), found.end()), wanted) << nft::text(ruleset);
}

TEST(Compile, PairsAreASetOfKeysOfADeclaredSize) {
  const auto ruleset =
      compile::compile(load("sets: {a: [10.0.0.2 80/tcp, 10.0.0.1 53/udp, 10.0.0.2 80/tcp]}\n"
                            "rules: [\"allow from @a\", \"deny out to @a\"]\n"));
  const auto* set = ruleset.find_set("a-ipv4");
  ASSERT_NE(set, nullptr);
  EXPECT_EQ(set->size, 4U);
  EXPECT_TRUE(set->elements.empty());
  EXPECT_EQ(set->intervals.size(), 2U);
  EXPECT_EQ(ruleset.find_set("a-ipv6"), nullptr);
  const auto text = nft::text(ruleset);
  for (const auto* wanted : {"ip saddr . meta l4proto . th dport @a-ipv4 counter accept",
                             "ip daddr . meta l4proto . th dport @a-ipv4 counter drop",
                             "ip saddr . meta l4proto . ct original proto-dst @a-ipv4 counter"})
    EXPECT_NE(text.find(wanted), std::string::npos) << wanted << "\n" << text;
}

TEST(Compile, WhatIsNotInABigSetIsInNoneOfItsParts) {
  const auto policy = load(
      "logging: off\nsets: {list: [10.1.0.0/16, 192.0.2.0/24]}\n"
      "rules: [\"deny from !@list\"]\n");
  const auto ruleset = compile::compile(policy, {}, 1);
  EXPECT_EQ(rules_with(ruleset,
                       "ip saddr & 255.255.0.0 != @list-ipv4/16 ip saddr & 255.255.255.0 != "
                       "@list-ipv4/24 counter drop"),
            1U)
      << nft::text(ruleset);
}

TEST(Compile, SmallSetsAndThoseThatEndAreIntervals) {
  const auto held = [](const std::string& entries, std::size_t big) {
    const auto ruleset = compile::compile(
        load("sets: {list: [" + entries + "]}\nrules: [\"deny from @list\"]\n"), {}, big);
    std::string names;
    for (const auto& set : ruleset.sets)
      if (set.name.starts_with("list")) names += set.name + " ";
    return names;
  };
  EXPECT_EQ(held("10.0.0.1, 10.0.0.3", 3), "list-ipv4 ");
  EXPECT_EQ(held("10.0.0.1, 10.0.0.3", 2), "list-ipv4/32 ");
  EXPECT_EQ(held("10.0.0.1, {address: 10.0.0.3, until: 2199-01-01T00:00:00Z}", 2), "list-ipv4 ");
  EXPECT_EQ(held("0.0.0.0/0", 1), "list-ipv4 ");
  EXPECT_EQ(held("1.0.0.0/8, 2.0.0.0/12, 3.0.0.0/16, 4.0.0.0/20, 5.0.0.0/24", 1), "list-ipv4 ")
      << "too many lengths";
}

}  // namespace
}  // namespace fwctl::testing
