#include "rules/yaml.h"

#include <gtest/gtest.h>

#include "tests/unit/random_policy.h"

namespace fwctl::testing {
namespace {

using yaml::Kind;
using yaml::Node;

// The tree in one line, each node with its place: "{a@1:1: [1@1:5, 2@1:8]@1:4}@1:1".
std::string shape(const Node& node) {
  std::string out;
  if (node.kind == Kind::null) out = "null";
  if (node.kind == Kind::scalar) out = node.quoted ? "'" + node.scalar + "'" : node.scalar;
  if (node.kind == Kind::list) {
    for (const auto& item : node.items) out += (out.empty() ? "" : ", ") + shape(item);
    out = "[" + out + "]";
  }
  if (node.kind == Kind::map) {
    for (const auto& [key, value] : node.entries)
      out += (out.empty() ? "" : ", ") + shape(key) + ": " + shape(value);
    out = "{" + out + "}";
  }
  return out + "@" + std::to_string(node.at.line) + ":" + std::to_string(node.at.column);
}

std::string tree(const std::string& text) {
  Diagnostics diagnostics;
  const auto root = yaml::parse({.name = "x", .text = text}, diagnostics);
  EXPECT_EQ(root.has_value(), diagnostics.empty());
  return root ? shape(*root) : render(diagnostics);
}

TEST(Yaml, KeepsPlacesAndTextAsWritten) {
  EXPECT_EQ(tree("a: [022, on]\nb:\n  - \"q\"\n  - ~\n"),
            "{a@1:1: [022@1:5, on@1:10]@1:4, b@2:1: ['q'@3:5, null@4:5]@3:3}@1:1");
}

TEST(Yaml, CountsColumnsInBytes) {
  EXPECT_EQ(tree("ü: x\n"), "{ü@1:1: x@1:5}@1:1");
}

TEST(Yaml, SpansCoverTheQuotes) {
  Diagnostics diagnostics;
  const auto root = yaml::parse({.name = "x", .text = "[plain, \"quoted\"]"}, diagnostics);
  EXPECT_EQ(root->items[0].at.length, 5U);
  EXPECT_EQ(root->items[1].at.length, 8U);
}

TEST(Yaml, AnEmptyTextIsANullNode) {
  EXPECT_EQ(tree(""), "null@0:0");
  EXPECT_EQ(tree("# nothing\n"), "null@0:0");
}

TEST(Yaml, KeepsDuplicateKeysForTheReaderToRefuse) {
  EXPECT_EQ(tree("a: 1\na: 2\n"), "{a@1:1: 1@1:4, a@2:1: 2@2:4}@1:1");
}

TEST(Yaml, RefusesASecondDocument) {
  EXPECT_EQ(tree("a: 1\n---\nb: 2\n"),
            "x:3:1: error: a second document: a policy file holds one\n  b: 2\n  ^\n");
}

TEST(Yaml, RefusesTags) {
  EXPECT_EQ(tree("a: !!int 7\n"),
            "x:1:4: error: YAML tags have no meaning here\n  a: !!int 7\n     ^\n");
  EXPECT_EQ(tree("a: !x [1]\n"),
            "x:1:4: error: YAML tags have no meaning here\n  a: !x [1]\n     ^\n");
}

TEST(Yaml, ExpandsAliases) {
  EXPECT_EQ(tree("[&a 1, *a]"), "[1@1:2, 1@1:2]@1:1");
}

TEST(Yaml, RefusesAliasesThatExpandWithoutBound) {
  std::string text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int level = 1; level <= 9; ++level) {
    const auto name = [](int number) { return "a" + std::to_string(number); };
    text += name(level) + ": &" + name(level) + " [";
    for (int count = 0; count < 10; ++count) text += (count == 0 ? "*" : ", *") + name(level - 1);
    text += "]\n";
  }
  const auto message = tree(text);
  EXPECT_TRUE(message.starts_with("x:4:")) << message;
  EXPECT_NE(message.find("error: aliases expand to too much\n"), std::string::npos) << message;
}

TEST(Yaml, RefusesAnAliasOfWhatItIsPartOf) {
  EXPECT_EQ(tree("a: &a [*a]\n"),
            "x:1:8: error: this alias refers to what it is part of\n  a: &a [*a]\n         ^\n");
}

TEST(Yaml, RefusesAnUnknownAlias) {
  EXPECT_NE(tree("a: *b\n").find("x:1:4: error: not YAML: "), std::string::npos);
}

TEST(Yaml, RefusesWhatIsNestedTooDeep) {
  EXPECT_EQ(tree(std::string(32, '[') + std::string(32, ']')).substr(0, 4), "[[[[");
  EXPECT_TRUE(tree(std::string(33, '[') + std::string(33, ']'))
                  .starts_with("x:1:33: error: nested too deep\n"));
  EXPECT_NE(tree(std::string(200'000, '[')).find("error: nested too deep\n"), std::string::npos);
  std::string blocks;
  for (int depth = 0; depth < 40; ++depth) blocks += "- ";
  EXPECT_TRUE(tree(blocks + "x\n").find("nested too deep") != std::string::npos);
}

TEST(Yaml, RefusesControlCharacters) {
  EXPECT_EQ(tree("a: 1\nb: \x01\n"),
            "x:2:4: error: a control character: not a text file\n  b: ?\n     ^\n");
  EXPECT_EQ(tree(std::string("a\0b", 3)),
            "x:1:2: error: a control character: not a text file\n  a?b\n   ^\n");
  EXPECT_EQ(tree("a: \x7f"),
            "x:1:4: error: a control character: not a text file\n  a: ?\n     ^\n");
}

TEST(Yaml, TakesTabsAndCarriageReturns) {
  EXPECT_EQ(tree("a:\t1\r\nb: 2\r\n"), "{a@1:1: 1@1:4, b@2:1: 2@2:4}@1:1");
}

TEST(Yaml, SaysWhereTheSyntaxBreaks) {
  EXPECT_TRUE(tree("a: [1, 2\n").starts_with("x:2:1: error: not YAML: ")) << tree("a: [1, 2\n");
  EXPECT_TRUE(tree("a: 1\n b: 2\n").starts_with("x:2:3: error: not YAML: "))
      << tree("a: 1\n b: 2\n");
}

// The reader below would take the rest of the file for the end of the text.
TEST(Yaml, AQuoteMustClose) {
  EXPECT_EQ(tree("a: \"open\nb: 1\n"),
            "x:1:4: error: a quote that is not closed\n  a: \"open\n     ^~~~~\n");
  EXPECT_EQ(tree("b: 1\na: &n 'it''s\n"),
            "x:2:4: error: a quote that is not closed\n  a: &n 'it''s\n     ^~~~~~~\n");
  EXPECT_EQ(tree("a: \"\\\"\n").substr(0, 41), "x:1:4: error: a quote that is not closed\n");
  EXPECT_EQ(tree("a: 'it''s'\nb: \"\\\"\"\n"), "{a@1:1: 'it's'@1:4, b@2:1: '\"'@2:4}@1:1");
  EXPECT_EQ(tree("a: \"two\n  lines\"\n"), "{a@1:1: 'two lines'@1:4}@1:1");
}

TEST(Yaml, GarbageIsRefusedOrReadButNeverMore) {
  RandomPolicy random(7);
  constexpr std::string_view alphabet =
      "ab01:-[]{},&*!|>'\"%@`#?~ \n\t\r\\.\xff\xc3\xa4\xef\xbb\xbf";
  for (int count = 0; count < 20'000; ++count) {
    std::string text;
    for (std::size_t length = random.below(60); length != 0; --length)
      text += random.pick(alphabet);
    Diagnostics diagnostics;
    const auto root = yaml::parse({.name = "x", .text = text}, diagnostics);
    ASSERT_EQ(root.has_value(), diagnostics.empty()) << text;
    for (const auto& one : diagnostics) ASSERT_NE(one.at.line, 0U) << text;
  }
}

TEST(YamlQuote, IsReadBackAsTheSameText) {
  std::string controls;
  for (int c = 0; c < 0x80; ++c) controls += static_cast<char>(c);
  RandomPolicy random(11);
  std::vector<std::string> texts{"",           " ",           "  lead and trail  ",
                                 "line\nline", "tab\there",   "\\",
                                 "\\n",        "\"",          "'",
                                 "#",          ": ",          "---",
                                 "ü日本",      controls,      "%YAML",
                                 "\r\n",       "\xe2\x80\xa8"};
  for (int count = 0; count < 1000; ++count) texts.push_back(random.comment());
  for (const auto& text : texts) {
    const auto quoted = yaml::quote(text);
    EXPECT_EQ(quoted.find('\n'), std::string::npos) << quoted;
    Diagnostics diagnostics;
    const auto root = yaml::parse({.name = "x", .text = "a: " + quoted + "\n"}, diagnostics);
    ASSERT_TRUE(root) << quoted << '\n' << render(diagnostics);
    EXPECT_EQ(root->entries.at(0).value.scalar, text);
  }
}

}  // namespace
}  // namespace fwctl::testing
