#include "rules/moment.h"

#include <gtest/gtest.h>

namespace fwctl::testing {
namespace {

using std::chrono::seconds;

TEST(Moment, IsReadAsItIsPrinted) {
  for (const std::int64_t count : {946'684'800L, 1'000'000'000L, 1'795'370'400L, 4'102'444'800L}) {
    const Time time{seconds(count)};
    EXPECT_EQ(parse_time(time_text(time)), time) << time_text(time);
  }
  EXPECT_EQ(time_text(Time(seconds(1'000'000'000))), "2001-09-09T01:46:40Z");
  EXPECT_EQ(parse_time("2001-09-09 01:46:40Z"), Time(seconds(1'000'000'000)));
  EXPECT_EQ(parse_time("2028-02-29T00:00:00Z").has_value(), true);
}

TEST(Moment, IsWholeAndInUtc) {
  for (const auto* wrong :
       {"", "2026-11-22", "2026-11-22T18:00:00", "2026-11-22T18:00:00+01:00", "2026-11-22T18:00Z",
        "2026-13-22T18:00:00Z", "2026-02-29T18:00:00Z", "2026-11-22T24:00:00Z",
        "2026-11-22T18:60:00Z", "2026-11-22T18:00:60Z", "1999-11-22T18:00:00Z",
        "2200-01-01T00:00:00Z", "2026-11-22t18:00:00Z", "2026-1a-22T18:00:00Z"})
    EXPECT_EQ(parse_time(wrong), std::nullopt) << wrong;
}

TEST(Span, IsMadeOfUnits) {
  EXPECT_EQ(parse_span("45s"), seconds(45));
  EXPECT_EQ(parse_span("2h"), seconds(7200));
  EXPECT_EQ(parse_span("1h30m"), seconds(5400));
  EXPECT_EQ(parse_span("1w1d1h1m1s"), seconds(694'861));
  EXPECT_EQ(parse_span("0s"), seconds(0));
  for (const auto* wrong : {"", "2", "h", "2x", "30m1h", "1h1h", "-1h", "1 h", "1h ", "01h", "1.5h",
                            "2H", "9999999999s"})
    EXPECT_EQ(parse_span(wrong), std::nullopt) << wrong;
}

TEST(Span, IsPrintedByItsTwoLargestUnits) {
  EXPECT_EQ(span_text(seconds(0)), "0s");
  EXPECT_EQ(span_text(seconds(59)), "59s");
  EXPECT_EQ(span_text(seconds(7199)), "1h59m");
  EXPECT_EQ(span_text(seconds(7200)), "2h");
  EXPECT_EQ(span_text(seconds(3601)), "1h");
  EXPECT_EQ(span_text(seconds(86'400 * 9 + 5)), "1w2d");
}

}  // namespace
}  // namespace fwctl::testing
