#include "rules/policy/set_file.h"

#include <gtest/gtest.h>

#include <random>

#include "tests/unit/policies.h"

namespace fwctl::testing {
namespace {

using Texts = std::vector<std::string>;

struct Read {
  Texts ranges;
  Texts pairs;
  std::string said;
};

Read read(std::string text) {
  Diagnostics diagnostics;
  Read out;
  const auto found = policy::parse_set_file({"drop.txt", std::move(text)}, diagnostics);
  found.ranges.each([&](const AddressRange& range) { out.ranges.push_back(range.text()); });
  found.pairs.each([&](const AddressPort& pair) { out.pairs.push_back(pair.text()); });
  out.said = render(diagnostics);
  return out;
}

TEST(SetFile, HasOneEntryALine) {
  const auto all = read(
      "# head\n\n  \t\n192.0.2.7\n10.1.2.3/8 # host bits\n 10.0.0.1-10.0.0.9\t\r\n"
      "2001:db8::/32;SBL1\n;nothing\n::1");
  EXPECT_EQ(all.said, "");
  EXPECT_EQ(all.ranges,
            (Texts{"192.0.2.7", "10.0.0.0/8", "10.0.0.1-10.0.0.9", "2001:db8::/32", "::1"}));
  EXPECT_TRUE(read("").ranges.empty());
  EXPECT_EQ(read("\xef\xbb\xbf::1\n").ranges, Texts{"::1"});
  EXPECT_EQ(read("\xef\xbb\xbf::1\n").said, "");
}

// Plain lines are read another way where enough text follows them: both say the same, whatever the
// line.
TEST(SetFile, ReadsALineAsItDoesAtTheEnd) {
  std::mt19937 random(7);  // NOLINT(bugprone-random-generator-seed)
  const auto one_of = [&](const std::vector<std::string>& words) {
    return words[random() % words.size()];
  };
  const Texts numbers{"0",  "1",  "9",   "10",   "99",         "100", "192", "255", "256", "300",
                      "01", "00", "999", "1000", "4294967297", "",    "-1",  "1x",  " 1"};
  const Texts ports{"1", "22",  "80",      "1024",     "65535",     "65536", "99999", "100000",
                    "0", "022", "7654321", "12345678", "123456789", "",      "x"};
  const Texts protocols{"/tcp",  "/udp", "/sctp", "/6", "/tc", "/tcpp",
                        "/udp ", "/TCP", "/icmp", "",   "/"};
  const Texts lengths{"/0", "/1", "/8", "/24", "/31", "/32", "/33", "/024", "/", "/255.255.255.0",
                      "/-8"};
  const Texts blanks{" ", "  ", "\t", ""};
  const std::string enough(100, '#');
  std::size_t fine = 0;
  for (int round = 0; round < 30'000; ++round) {
    const auto octet = [&] {
      return random() % 8 == 0 ? one_of(numbers) : std::to_string(random() % 256);
    };
    std::string line = octet() + "." + octet() + "." + octet() + "." + octet();
    if (random() % 3 == 0) line += one_of(lengths);
    if (random() % 2 == 0) line += one_of(blanks) + one_of(ports) + one_of(protocols);
    if (random() % 16 == 0)
      line += one_of({"\r", " ", ";x", "#", " # why", std::string(1, '\0'), "\xff"});
    const auto alone = read(line);
    const auto followed = read(line + "\n" + enough);
    ASSERT_EQ(followed.ranges, alone.ranges) << line;
    ASSERT_EQ(followed.pairs, alone.pairs) << line;
    ASSERT_EQ(followed.said, alone.said) << line;
    fine += followed.ranges.size() + followed.pairs.size();
  }
  EXPECT_GT(fine, 5'000U);
  EXPECT_LT(fine, 25'000U);
}

TEST(SetFile, RefusesAPlainLineOfTheOtherKind) {
  const std::string enough = "\n" + std::string(100, '#');
  EXPECT_NE(read("192.0.2.1 22/tcp\n192.0.2.2" + enough).said, "");
  EXPECT_NE(read("192.0.2.1\n192.0.2.2 22/tcp" + enough).said, "");
}

TEST(SetFile, TellsEveryMistakeAtItsPlace) {
  const auto wrong = read("10.0.0.1\n  10.0.0.300 # x\n10.0.0.1 10.0.0.2\n@office\nany\n::/129\n");
  EXPECT_EQ(wrong.ranges, Texts{"10.0.0.1"});
  EXPECT_NE(wrong.said.find("drop.txt:2:3: error: '10.0.0.300' is not an IPv4 or IPv6 address\n"
                            "    10.0.0.300 # x\n"
                            "    ^~~~~~~~~~\n"),
            std::string::npos)
      << wrong.said;
  EXPECT_NE(wrong.said.find("drop.txt:3:10: error: one address"), std::string::npos) << wrong.said;
  EXPECT_NE(wrong.said.find("drop.txt:4:1: error: "), std::string::npos) << wrong.said;
  EXPECT_NE(wrong.said.find("drop.txt:5:1: error: "), std::string::npos) << wrong.said;
  EXPECT_NE(wrong.said.find("drop.txt:6:4: error: "), std::string::npos) << wrong.said;
}

TEST(SetFile, HasPairsInstead) {
  const auto all =
      read("# head\n203.0.113.5 5432/tcp\n 10.0.0.1 \t53/17 # DNS\r\n::1 65535/sctp\n");
  EXPECT_EQ(all.said, "");
  EXPECT_EQ(all.ranges, Texts());
  EXPECT_EQ(all.pairs, (Texts{"203.0.113.5 5432/tcp", "10.0.0.1 53/udp", "::1 65535/sctp"}));
}

TEST(SetFile, IsOfOneKind) {
  const auto pairs = read("10.0.0.1 80/tcp\n10.0.0.2\n10.0.0.3 80/tcp\n");
  EXPECT_EQ(pairs.pairs, (Texts{"10.0.0.1 80/tcp", "10.0.0.3 80/tcp"}));
  EXPECT_EQ(pairs.said,
            "drop.txt:2:1: error: '10.0.0.2' has no port, and the entries before it have one: a "
            "set is of one kind\n"
            "  10.0.0.2\n"
            "  ^~~~~~~~\n");
  const auto ranges = read("10.0.0.0/8\n  10.0.0.2 80/tcp\n");
  EXPECT_EQ(ranges.ranges, Texts{"10.0.0.0/8"});
  EXPECT_NE(ranges.said.find("drop.txt:2:3: error: '10.0.0.2 80/tcp' has a port, and the entries "
                             "before it have none"),
            std::string::npos)
      << ranges.said;
}

TEST(SetFile, TellsTheFirstOfManyMistakes) {
  std::string text;
  for (int line = 0; line < 100; ++line) text += "nonsense\n";
  Diagnostics diagnostics;
  EXPECT_EQ(policy::parse_set_file({"drop.txt", text}, diagnostics).ranges.size(), 0U);
  ASSERT_EQ(diagnostics.size(), 21U);
  EXPECT_EQ(diagnostics[19].at.line, 20U);
  EXPECT_EQ(diagnostics[20].message, "80 more lines are wrong in this file");
}

TEST(SetFile, PathsStayBelowTheFolder) {
  for (const auto* good : {"sets/drop.txt", "sets/a/b/c", "sets/..drop", "sets/.hidden"})
    EXPECT_TRUE(policy::valid_set_path(good)) << good;
  for (const auto* bad : {"", "/etc/passwd", "daemon.yaml", "../x", "sets/../x", "sets/..",
                          "sets/.", "./sets/x", "sets//b", "sets/", "sets/a\nb"})
    EXPECT_FALSE(policy::valid_set_path(bad)) << bad;
}

policy::Sources with_file(std::string policy, std::string text) {
  auto files = sources(std::move(policy));
  files.set_files = {{.name = "sets/drop.txt", .text = std::move(text)}};
  return files;
}

TEST(SetFile, IsReadIntoTheSetThatNamesIt) {
  const auto files =
      with_file("sets: {drop: {file: sets/drop.txt}, none: []}\n", "10.0.0.1\n::1\n");
  EXPECT_EQ(policy::set_files(files), Texts{"sets/drop.txt"});
  const auto loaded = load(files);
  const auto& sets = loaded.policy().sets;
  ASSERT_EQ(sets.size(), 2U);
  EXPECT_EQ(sets[0].file, "sets/drop.txt");
  EXPECT_EQ(sets[0].size(), 2U);
  EXPECT_TRUE(loaded.sets()[0].contains(address("::1"), {}));
  EXPECT_EQ(sets[1].file, "");
}

TEST(SetFile, OfPairsIsReadAsWell) {
  const auto loaded =
      load(with_file("sets: {drop: {file: sets/drop.txt}}\n",
                     "10.0.0.9 1/tcp\n::1 1/tcp\n10.0.0.1 2/udp\n10.0.0.9 1/tcp\n"));
  const auto& set = loaded.policy().sets[0];
  EXPECT_TRUE(set.of_pairs());
  EXPECT_EQ(set.size(), 3U) << "one is there twice";
  EXPECT_EQ(set.pairs_from_file.ipv4[0].text(), "10.0.0.1 2/udp");
  EXPECT_EQ(loaded.sets()[0].pairs.ipv4.values().shared(),
            set.pairs_from_file.ipv4.values().shared());
}

TEST(SetFile, PathsStartWhereTheAddedRulesAre) {
  auto files = sources("sets: {a: {file: sets/b.txt}, c: {file: sets/b.txt}, d: {file: ../d}}\n");
  files.added.name = "/etc/fwctl/rules.yaml";
  EXPECT_EQ(policy::set_files(files), Texts{"/etc/fwctl/sets/b.txt"});
}

TEST(SetFile, IsRefusedWithEveryProblem) {
  EXPECT_EQ(problems(with_file("sets: {drop: {file: sets/drop.txt}}\n", "1.2.3\n")),
            "sets/drop.txt:1:1: error: '1.2.3' is not an IPv4 or IPv6 address\n"
            "  1.2.3\n"
            "  ^~~~~\n");
  const auto said = [](const std::string& set, const std::string& what) {
    const auto all = problems("sets:\n  a: " + set + "\n");
    EXPECT_NE(all.find(what), std::string::npos) << all;
  };
  said("{file: sets/gone.txt}", "policy.yaml:2:13: error: there is no file sets/gone.txt\n");
  said("{file: daemon.yaml}", "policy.yaml:2:13: error: the file of a set is in the folder sets");
  said("{file: /etc/passwd}", "policy.yaml:2:13: error: the file of a set is in the folder sets");
  said("{file: sets/../x}", "policy.yaml:2:13: error: the file of a set is in the folder sets");
  said("{flie: x}", "policy.yaml:2:7: error: unknown key 'flie', did you mean 'file'?");
  said("{file: [x]}", "policy.yaml:2:13: error: a path is one word, not a list");
  said("{}", "policy.yaml:2:6: error: a set is a list of addresses, or a map with the key 'file'");
  EXPECT_NE(problems(sources("", "sets: {a: {file: x}}\n")).find("rules.yaml:1:18: error: "),
            std::string::npos);
}

}  // namespace
}  // namespace fwctl::testing
