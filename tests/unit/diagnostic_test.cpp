#include "rules/diagnostic.h"

#include <gtest/gtest.h>

namespace fwctl {
namespace {

const Source source{.name = "policy.yaml", .text = "version: 1\nrules:\n  - alow: 22\r\n\nlast"};

TEST(Source, FindsItsLines) {
  EXPECT_EQ(source.line(1), "version: 1");
  EXPECT_EQ(source.line(3), "  - alow: 22") << "without the carriage return";
  EXPECT_EQ(source.line(4), "");
  EXPECT_EQ(source.line(5), "last");
  EXPECT_EQ(source.line(6), "");
  EXPECT_EQ(source.line(0), "");
}

TEST(Render, PointsAtThePlace) {
  EXPECT_EQ(render(error_in(source, {.line = 3, .column = 5, .length = 4}, "unknown key")),
            "policy.yaml:3:5: error: unknown key\n"
            "    - alow: 22\n"
            "      ^~~~\n");
}

TEST(Render, TellsWarningsApart) {
  const auto warning = warning_in(source, {.line = 1, .column = 1}, "old");
  EXPECT_EQ(render(warning), "policy.yaml:1:1: warning: old\n  version: 1\n  ^\n");
  EXPECT_FALSE(has_errors({warning}));
  EXPECT_TRUE(has_errors({warning, error_in(source, {}, "bad")}));
}

TEST(Render, SaysOnlyTheFileWhereThereIsNoPlace) {
  EXPECT_EQ(render(error_in(source, {}, "unreadable")), "policy.yaml: error: unreadable\n");
}

TEST(Render, UnderlinesNoFurtherThanTheLineGoes) {
  EXPECT_EQ(render(error_in(source, {.line = 5, .column = 3, .length = 50}, "m")),
            "policy.yaml:5:3: error: m\n  last\n    ^~\n");
  EXPECT_EQ(render(error_in(source, {.line = 5, .column = 5}, "behind the end")),
            "policy.yaml:5:5: error: behind the end\n  last\n      ^\n");
  EXPECT_EQ(render(error_in(source, {.line = 5, .column = 90}, "m")),
            "policy.yaml:5:90: error: m\n  last\n");
}

TEST(Render, NeverPassesOnControlCharacters) {
  const Source hostile{.name = "x", .text = "a\x1b[31m\tb\x7f"};
  EXPECT_EQ(render(error_in(hostile, {.line = 1, .column = 8}, "m")),
            "x:1:8: error: m\n  a?[31m b?\n         ^\n");
  EXPECT_EQ(render(error_in(hostile, {}, "what '\x1b[2J\n' is")), "x: error: what '?[2J?' is\n");
}

TEST(Render, CountsCharactersForTheEyeAndBytesForTheEditor) {
  const Source umlauts{.name = "x", .text = "für: bad"};
  EXPECT_EQ(render(error_in(umlauts, {.line = 1, .column = 7, .length = 3}, "m")),
            "x:1:7: error: m\n  für: bad\n       ^~~\n");
}

TEST(Render, CutsLongLines) {
  const Source wide{.name = "x", .text = std::string(10'000, 'a')};
  EXPECT_LT(render(error_in(wide, {.line = 1, .column = 9'000, .length = 900}, "m")).size(), 300U);
}

}  // namespace
}  // namespace fwctl
