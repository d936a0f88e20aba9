// The quick reader of YAML beside the one that decides: where it has a tree, that is the same.
#include "rules/yaml_plain.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "rules/policy/print.h"
#include "rules/yaml_full.h"
#include "tests/unit/random_policy.h"
#include "tests/unit/rounds.h"

namespace fwctl::testing {
namespace {

using yaml::Node;

bool same(const Node& one, const Node& other) {
  const auto same_entry = [](const yaml::Entry& a, const yaml::Entry& b) {
    return same(a.key, b.key) && same(a.value, b.value);
  };
  return one.kind == other.kind && one.at == other.at && one.scalar == other.scalar &&
         one.quoted == other.quoted &&
         std::equal(one.items.begin(), one.items.end(), other.items.begin(), other.items.end(),
                    same) &&
         std::equal(one.entries.begin(), one.entries.end(), other.entries.begin(),
                    other.entries.end(), same_entry);
}

// Whether the quick one reads it.
bool taken(const std::string& text) {
  const auto root = yaml::parse_plain(text);
  if (!root) return false;
  Diagnostics diagnostics;
  const auto judge = yaml::parse_full({.name = "x", .text = text}, diagnostics);
  EXPECT_TRUE(judge) << text << '\n' << render(diagnostics);
  EXPECT_TRUE(judge && same(*root, *judge)) << text;
  return true;
}

TEST(YamlPlain, ReadsManyRules) {
  std::string by_port = "version: 1\nrules:\n";
  std::string by_source = by_port;
  for (int port = 1; port <= 10'000; ++port) {
    const auto rule = "  - allow: " + std::to_string(port) + "/tcp\n";
    by_port += rule;
    by_source += rule + "    from: 10.128." + std::to_string(port / 256) + "." +
                 std::to_string(port % 256) + "\n";
  }
  EXPECT_TRUE(taken(by_port));
  EXPECT_TRUE(taken(by_source));
}

TEST(YamlPlain, ReadsWhatIsPrinted) {
  RandomPolicy random(41);
  for (int round = 0; round < rounds(300); ++round) {
    const auto policy = random.policy();
    EXPECT_TRUE(taken(yaml_text(policy))) << yaml_text(policy);
    policy::Added added;
    added.defaults = {policy::Verdict::deny, {}, policy::Verdict::allow};
    added.logging = policy::Logging::off;
    added.sets = policy.sets;
    added.before = added.rules = policy.rules;
    added.forwards = policy.forwards;
    added.masquerades = policy.masquerades;
    EXPECT_TRUE(taken(yaml_text(added))) << yaml_text(added);
  }
}

TEST(YamlPlain, ReadsWhatPeopleWrite) {
  EXPECT_TRUE(
      taken("# ours\n"
            "version: 1   # the only one\n"
            "\n"
            "defaults:\n"
            "    incoming: deny\n"
            "    outgoing: allow\n"
            "sets:\n"
            "  office: [10.0.0.0/8, 2001:db8::/32,::1]\n"
            "  block: {file: sets/block.txt}\n"
            "  soon: [{address: 10.0.0.1, until: \"2026-11-22T18:00:00Z\"}, 10.0.0.2]\n"
            "  none: []\n"
            "rules:\n"
            "- allow: 22/tcp # ssh\n"
            "  from: '@office'\n"
            "\n"
            "  comment: \"the \\\"old\\\" # office\"\n"
            "- allow from ::1 to any port 80#no comment\n"
            "# the rest\n"
            "- deny: any\n"
            "  to:\n"
            "    - ::1\n"
            "    - fe80::/10\n"));
  EXPECT_TRUE(taken("a:\n- b:\n  - c:\n    - d: e\n      f: g\n    - h"));
}

// What it must not take for something else.
TEST(YamlPlain, LeavesTheRestToOthers) {
  for (const auto* text : {"",
                           "# nothing\n",
                           "a",
                           "a:\n",
                           "a:\nb: 1\n",
                           "a: ~\n",
                           "a: null\n",
                           "- null\n",
                           "[null]",
                           "null: a\n",
                           " a: 1\n",
                           "a: 1\n b: 2\n",
                           "a: b\n  c\n",
                           "- a\n  b\n",
                           "a: \"b\n  c\"\n",
                           "a: \"b\\n\"\n",
                           "a: 'it''s'\n",
                           "a: &b c\n",
                           "a: *b\n",
                           "a: !b c\n",
                           "a: |\n  b\n",
                           "a: b: c\n",
                           "a: b:\n",
                           "- - a\n",
                           "-\n  a\n",
                           "-\ta\n",
                           "a:\tb\n",
                           "a: b\r\n",
                           "---\na: b\n",
                           "a: b\n---\n",
                           "a: b\n...\n",
                           "%YAML 1.2\n---\na: b\n",
                           "\xef\xbb\xbf\na: b\n",
                           "? a\n: b\n",
                           "a : b\n",
                           "\"a\" : b\n",
                           "a: [b, c,]\n",
                           "a: [b #c]\n",
                           "a: [b\n  , c]\n",
                           "a: [b: c]\n",
                           "a: [b:]\n",
                           "a: [b#c]\n",
                           "a: [b]#c\n",
                           "a: [b] c\n",
                           "a: \"b\" c\n",
                           "a: {b}\n",
                           "a: {b: }\n",
                           "a: {b:c}\n",
                           "a: @b\n",
                           "a: `b\n",
                           "a: %b\n",
                           "a: - b\n",
                           "a: -b\n",
                           "a: ,b\n",
                           "a: [b\n",
                           "a: \"b\n",
                           "a: 1\n- b\n",
                           "- a\nb: 1\n",
                           "a: \x01\n"})
    EXPECT_FALSE(yaml::parse_plain(text)) << text;
  std::string deep;
  for (std::size_t depth = 0; depth < 40; ++depth) deep += std::string(2 * depth, ' ') + "a:\n";
  EXPECT_FALSE(yaml::parse_plain(deep + std::string(80, ' ') + "a: b\n"));
  EXPECT_FALSE(yaml::parse_plain("a: " + std::string(100'000, '[') + std::string(100'000, ']')));
  EXPECT_FALSE(yaml::parse_plain(std::string(2000, 'a') + ": b\n"));
}

// The policies that are loaded: what is not read quickly is there to be odd.
TEST(YamlPlain, ReadsThePoliciesOfTheCases) {
  namespace fs = std::filesystem;
  std::vector<std::string> left;
  int files = 0;
  for (const auto& entry : fs::recursive_directory_iterator(FWCTL_CASES)) {
    if (entry.path().extension() != ".yaml") continue;
    std::ifstream file(entry.path(), std::ios::binary);
    const bool read = taken({std::istreambuf_iterator<char>(file), {}});
    if (entry.path().string().find("/refused-") != std::string::npos) continue;
    ++files;
    if (!read) left.push_back(fs::relative(entry.path(), FWCTL_CASES));
  }
  EXPECT_GT(files, 50);
  std::ranges::sort(left);
  EXPECT_EQ(left, (std::vector<std::string>{"aliases/policy.yaml", "empty/policy.yaml"}));
}

// Texts that are nearly right, and those that are not.
TEST(YamlPlain, TakesNothingForSomethingElse) {
  constexpr std::array<std::string_view, 68> pieces{
      "a",          "b",     "-",     "- ",   ":",      ": ",     " :",     ",",      ", ",
      "[",          "]",     "{",     "}",    "\"",     "'",      "''",     "\\",     "#",
      " #",         "&a",    "*a",    "!",    "!!str",  "|",      ">",      "%",      "@",
      "`",          "?",     "? ",    "~",    "null",   "true",   "1",      "::1",    "\t",
      "\r\n",       "\n",    "\n\n",  "\n ",  "\n  ",   "\n- ",   "\n  - ", "\n    ", "---",
      "\n---",      "...",   "\n# c", " ",    "  ",     "a: ",    "b:",     "\nb: ",  "\n  b: ",
      "- a",        "- a: ", "\n...", "a: b", "[a, b]", "{a: b}", "\"a\"",  "'b'",    "10.0.0.1",
      "22/tcp # x", "/tcp",  "ü",     "=",    "<<: "};
  constexpr std::array<std::string_view, 12> regular{"a: ", "b: ",        "\n",   "\n  ",
                                                     "- ",  "c",          "\n- ", "\n  - ",
                                                     "a:",  "[a, \"b\"]", " # c", "{a: b}"};
  RandomPolicy random(43);
  int read = 0;
  const int count = rounds(200'000);
  for (int round = 0; round < count; ++round) {
    std::string text;
    const bool odd = random.one_in(2);
    for (std::size_t length = 1 + random.below(odd ? 12 : 20); length != 0; --length)
      text += odd && random.one_in(3) ? random.pick(pieces) : random.pick(regular);
    if (taken(text)) ++read;
    ASSERT_FALSE(HasFailure()) << text;
  }
  EXPECT_GT(read, count / 100);
}

// Lines as YAML has them, more or less deep, most of them where they may be.
TEST(YamlPlain, ReadsTheSameFromLinesInAnyOrder) {
  constexpr std::array<std::string_view, 14> values{
      "a",   "b c",   "\"a: b\"", "'# b'",   "[a, b]", "[]",      "{a: b, c: [d]}",
      "::1", "10/8#", "a  # b",   "[a b,c]", "",       R"("\"")", "# only a comment"};
  constexpr std::array<std::string_view, 5> keys{"a", "b-1", "c.d", "\"e\"", "f"};
  RandomPolicy random(53);
  std::size_t read = 0;
  const int count = rounds(100'000);
  for (int round = 0; round < count; ++round) {
    std::string text;
    std::size_t depth = 0;
    for (std::size_t lines = 1 + random.below(6); lines != 0; --lines) {
      depth = random.one_in(4) ? random.below(5) : depth;
      text += std::string(depth, ' ');
      const bool item = random.one_in(3);
      if (item) text += random.one_in(9) ? "-  " : "- ";
      const bool key = !item || random.one_in(2);
      if (key) text += std::string(random.pick(keys)) + ":";
      const bool opens = key && random.one_in(2);
      if (!opens) text += (key ? " " : "") + std::string(random.pick(values));
      if (opens && random.one_in(2)) depth += 1 + random.below(2);
      if (item && key && !opens && random.one_in(2)) depth += 2;
      text += random.one_in(12) ? " \n\n" : "\n";
    }
    if (taken(text)) ++read;
    ASSERT_FALSE(HasFailure()) << text;
  }
  EXPECT_GT(read, static_cast<std::size_t>(count) / 20);
}

// One change to what is right: that is what people mistype.
TEST(YamlPlain, TakesNoMistakeForSomethingElse) {
  constexpr std::string_view bytes = " \n-:#,[]{}\"'&*!|>%@`?~\t\r\\ab1/.\xc3\x7f";
  RandomPolicy random(47);
  int read = 0;
  const int count = rounds(20'000);
  for (int round = 0; round < count; ++round) {
    std::string text = yaml_text(random.policy(3));
    for (std::size_t change = 0; change <= random.below(3); ++change) {
      const std::size_t where = random.below(text.size());
      switch (random.below(3)) {
        case 0:
          text.insert(where, 1, random.pick(bytes));
          break;
        case 1:
          text.erase(where, 1 + random.below(3));
          break;
        default:
          text[where] = random.pick(bytes);
      }
    }
    if (taken(text)) ++read;
    ASSERT_FALSE(HasFailure()) << text;
  }
  EXPECT_GT(read, count / 20);
  EXPECT_LT(read, count);
}

}  // namespace
}  // namespace fwctl::testing
