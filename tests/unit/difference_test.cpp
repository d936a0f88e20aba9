#include "rules/policy/difference.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "rules/policy/lets_in.h"
#include "tests/unit/policies.h"
#include "tests/unit/random_policy.h"
#include "tests/unit/rounds.h"

namespace fwctl::testing {
namespace {

using Lines = std::vector<std::string>;

Lines difference(const std::string& before, const std::string& after) {
  return policy::difference(load(before).policy(), load(after).policy());
}

TEST(Difference, NamesWhatChangedAndNothingElse) {
  EXPECT_EQ(difference("rules: [allow 1, allow 2, allow 3]\n",
                       "rules: [allow 1, deny 2, allow 3, allow 4 comment x]\n"),
            (Lines{"- allow 2", "+ deny 2", "+ allow 4 comment 'x'"}));
  EXPECT_EQ(difference("rules: [allow 1]\n", "rules: [allow 1 comment c]\n"),
            (Lines{"- allow 1", "+ allow 1 comment 'c'"}));
}

TEST(Difference, ARuleThatMovedIsBoth) {
  EXPECT_EQ(difference("rules: [allow 1, allow 2]\n", "rules: [allow 2, allow 1]\n").size(), 2U);
}

TEST(Difference, CoversDefaultsLoggingSetsAndServices) {
  EXPECT_EQ(difference("logging: low\nsets: {a: [10.0.0.1]}\nservices: {s: {ports: 1}}\n",
                       "logging: off\ndefaults: {incoming: reject}\nsets: {a: [10.0.0.1, "
                       "\"::1\"]}\nservices: {s: {ports: 1/tcp}}\n"),
            (Lines{"- default deny incoming", "+ default reject incoming", "- logging low",
                   "+ logging off", "+ set a ::1", "- service s 1", "+ service s 1/tcp"}));
}

TEST(Difference, CoversEmptySetsAndDescriptions) {
  EXPECT_EQ(difference("sets: {a: []}\n", "sets: {b: []}\n"),
            (Lines{"- set a without addresses", "+ set b without addresses"}));
  EXPECT_EQ(difference("sets: {a: []}\n", "sets: {a: [10.0.0.1]}\n"),
            (Lines{"- set a without addresses", "+ set a 10.0.0.1"}));
  EXPECT_EQ(difference("services: {s: {ports: 1, description: x}}\n",
                       "services: {s: {ports: 1, description: y}}\n"),
            (Lines{"- service s description \"x\"", "+ service s description \"y\""}));
}

// Of a block list that was exchanged, nobody reads all.
TEST(Difference, OfBigSetsSaysHowManyMore) {
  const auto last_line = [](int added) {
    std::string many;
    for (int number = 0; number < added; ++number) many += ", 10.0.1." + std::to_string(number * 2);
    const auto lines = difference("sets: {a: [10.0.0.1]}\n", "sets: {a: [10.0.0.1" + many + "]}\n");
    EXPECT_EQ(lines.front(), "+ set a 10.0.1.0");
    EXPECT_EQ(lines.size(), std::min(added, 21));
    return lines.back();
  };
  EXPECT_EQ(last_line(20), "+ set a 10.0.1.38");
  EXPECT_EQ(last_line(21), "+ set a: 1 more");
  EXPECT_EQ(last_line(24), "+ set a: 4 more");
  EXPECT_EQ(difference("sets: {a: [10.0.0.1, 10.0.0.2]}\n", "sets: {a: [10.0.0.2, 10.0.0.1]}\n"),
            Lines{})
      << "an order means nothing";
}

TEST(Difference, OfSetsNamesEntriesThatEndAndThoseOfFiles) {
  const auto one = [](const char* text) { return AddressRange{address(text), address(text)}; };
  const policy::AddressSet plain{.name = "a", .ranges = {one("10.0.0.1")}};
  auto longer = plain;
  longer.temporary.push_back(
      {.range = one("10.0.0.2"), .until = *parse_time("2030-01-01T00:00:00Z")});
  auto filled = plain;
  filled.from_file.push_back(one("10.0.0.3"));
  const auto lines = [](const policy::AddressSet& before, const policy::AddressSet& after) {
    return policy::difference({.sets = {before}}, {.sets = {after}});
  };
  EXPECT_EQ(lines(plain, longer), Lines{"+ set a 10.0.0.2 until 2030-01-01T00:00:00Z"});
  EXPECT_EQ(lines(plain, filled), Lines{"+ set a 10.0.0.3"});
}

TEST(Difference, OfSetsNamesPairs) {
  EXPECT_EQ(difference("sets: {a: [10.0.0.1 80/tcp, \"::1 53/udp\"]}\n",
                       "sets: {a: [\"::1 53/udp\", 10.0.0.1 81/tcp]}\n"),
            (Lines{"- set a 10.0.0.1 80/tcp", "+ set a 10.0.0.1 81/tcp"}));
  EXPECT_EQ(difference("sets: {a: [10.0.0.1 80/tcp]}\n", "sets: {a: [10.0.0.1]}\n"),
            (Lines{"- set a 10.0.0.1 80/tcp", "+ set a 10.0.0.1"}));
}

TEST(Difference, ProtocolsOfOneSideCount) {
  EXPECT_EQ(difference("rules: [\"allow from any port 53 to any port 22/tcp\"]\n",
                       "rules: [\"allow from any port 53 to any port 22\"]\n")
                .size(),
            2U);
}

TEST(Difference, IsEmptyExactlyForTheSame) {
  RandomPolicy random(4);
  for (int count = 0; count < rounds(200); ++count) {
    const auto before = random.policy();
    EXPECT_EQ(policy::difference(before, before), Lines{});
    auto after = before;
    after.rules.push_back(random.rule());
    EXPECT_EQ(policy::difference(before, after).size(), 1U);
    EXPECT_TRUE(policy::difference(before, after)[0].starts_with("+ "));
    EXPECT_TRUE(policy::difference(after, before)[0].starts_with("- "));
  }
}

// Far too many changed lines to align: still each of them is named.
TEST(Difference, OfVeryLongLists) {
  policy::Policy before;
  policy::Policy after;
  for (std::uint16_t port = 1; port <= 5000; ++port) {
    before.rules.push_back({.ports = {{.what = PortRange{port, port}}}});
    const auto other = static_cast<std::uint16_t>(port + 10'000);
    after.rules.push_back({.ports = {{.what = PortRange{other, other}}}});
  }
  const auto lines = policy::difference(before, after);
  EXPECT_EQ(lines.size(), 10'000U);
  EXPECT_EQ(
      std::count_if(lines.begin(), lines.end(), [](const auto& line) { return line[0] == '+'; }),
      5'000);
}

bool only_lets_in(const std::string& before, const std::string& after) {
  return policy::only_lets_in(difference(before, after), load(after).policy());
}

// The entries of set `a` in place of the %.
bool growth_lets_in(std::string policy, const std::string& few = "10.0.0.1",
                    const std::string& many = "10.0.0.1, 10.0.0.2") {
  const auto with = [&](const std::string& entries) {
    std::string out = policy;
    return out.replace(out.find('%'), 1, entries);
  };
  return only_lets_in(with(few), with(many));
}

TEST(Difference, OfWhatOnlyLetsIn) {
  EXPECT_TRUE(only_lets_in("rules: [allow 1]\n", "rules: [allow 1, allow 2, limit 3/tcp]\n"));
  EXPECT_FALSE(only_lets_in("rules: [allow 1]\n", "rules: [allow 1, deny 2]\n"));
  EXPECT_FALSE(only_lets_in("rules: [allow 1, allow 2]\n", "rules: [allow 1]\n"));
  EXPECT_FALSE(only_lets_in("logging: low\n", "logging: high\n"));
}

TEST(Difference, OfASetThatGrowsLetsInWhatItsRulesLetIn) {
  EXPECT_TRUE(growth_lets_in("sets: {a: [%]}\nrules: [allow from @a]\n"));
  EXPECT_TRUE(growth_lets_in("sets: {a: [%]}\nrules: [limit 22/tcp from @a, allow out to @a]\n"));
  EXPECT_TRUE(growth_lets_in("sets: {a: [%]}\nrules: [allow from @a]\n", ""));
  EXPECT_TRUE(
      growth_lets_in("sets: {a: [%], b: [10.0.0.9]}\nrules: [allow from @a, deny from @b]\n"));
  EXPECT_FALSE(growth_lets_in("sets: {a: [%]}\nrules: [deny from @a]\n"));
  EXPECT_FALSE(growth_lets_in("sets: {a: [%]}\nrules: [allow from @a, reject 25/tcp to @a]\n"));
  EXPECT_FALSE(growth_lets_in("sets: {a: [%]}\nrules: [\"allow from !@a\"]\n"));
  EXPECT_FALSE(
      growth_lets_in("sets: {a: [%]}\nforward: [{port: 80/tcp, to: 10.1.1.1, from: '@a'}]\n"));
  EXPECT_FALSE(
      growth_lets_in("sets: {a: [%]}\nrules: [allow from @a]\n", "10.0.0.1, 10.0.0.2", "10.0.0.1"));
  EXPECT_FALSE(growth_lets_in("sets: {a: [%]}\nrules: [allow from @a]\n", "10.0.0.1, 10.0.0.2",
                              "10.0.0.1, 10.0.0.3"));
}

}  // namespace
}  // namespace fwctl::testing
