#include "rules/packed_ranges.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <vector>

#include "tests/unit/random_policy.h"
#include "tests/unit/rounds.h"

namespace fwctl::testing {
namespace {

std::vector<AddressRange> listed(const PackedRanges& ranges) {
  return {ranges.begin(), ranges.end()};
}

AddressRange range(std::string_view first, std::string_view last) {
  return {Address::parse(first).value(), Address::parse(last).value()};
}

TEST(PackedRanges, KeepWhatTheyAreGiven) {
  PackedRanges ranges(Family::ipv6);
  EXPECT_TRUE(ranges.empty());
  EXPECT_EQ(ranges.size(), 0U);
  EXPECT_EQ(ranges.intervals().shared(), nullptr);
  const std::vector<AddressRange> wanted{range("2001:db8::", "2001:db8::ffff"),
                                         range("::1", "::1")};
  for (const auto& one : wanted) ranges.push_back(one);
  EXPECT_EQ(listed(ranges), wanted);
  EXPECT_EQ(ranges.intervals().shared()->size(), 64U);
}

TEST(PackedRanges, CopiesDoNotSeeWhatComesLater) {
  PackedRanges ranges(Family::ipv4);
  ranges.push_back(range("10.0.0.1", "10.0.0.1"));
  const PackedRanges copy = ranges;
  EXPECT_EQ(copy.intervals().shared(), ranges.intervals().shared());
  ranges.push_back(range("10.0.0.2", "10.0.0.2"));
  EXPECT_EQ(copy.size(), 1U);
  EXPECT_EQ(ranges.size(), 2U);
}

TEST(PackedRanges, MergeWhereTheyMeet) {
  PackedRanges ranges(Family::ipv4);
  ranges.push_back(range("10.0.0.9", "10.0.0.9"));
  ranges.push_back(range("255.255.255.254", "255.255.255.255"));
  ranges.push_back(range("10.0.0.0", "10.0.0.5"));
  ranges.push_back(range("10.0.0.3", "10.0.0.4"));
  ranges.push_back(range("10.0.0.6", "10.0.0.7"));
  EXPECT_EQ(listed(ranges.merged()),
            (std::vector{range("10.0.0.0", "10.0.0.7"), range("10.0.0.9", "10.0.0.9"),
                         range("255.255.255.254", "255.255.255.255")}));
  PackedRanges last(Family::ipv4);
  last.push_back(range("255.255.255.255", "255.255.255.255"));
  last.push_back(range("255.255.255.255", "255.255.255.255"));
  EXPECT_EQ(last.merged().size(), 1U) << "nothing comes behind it";
}

TEST(PackedRanges, ShareWhatIsMergedAlready) {
  PackedRanges ranges(Family::ipv4);
  ranges.push_back(range("10.0.0.1", "10.0.0.1"));
  ranges.push_back(range("10.0.0.3", "10.0.0.4"));
  EXPECT_EQ(ranges.merged().intervals().shared(), ranges.intervals().shared());
  EXPECT_EQ(ranges.sorted().intervals().shared(), ranges.intervals().shared());
}

// Beside a set of all the numbers: of few addresses, so that most ranges meet.
TEST(PackedRanges, HoldTheSameAddressesMerged) {
  RandomPolicy random(3);
  for (int count = 0; count < rounds(400); ++count) {
    const Family family = random.one_in(2) ? Family::ipv4 : Family::ipv6;
    const std::size_t last = family == Family::ipv4 ? 3 : 15;
    const auto at = [&](std::size_t number) {
      std::array<std::uint8_t, 16> bytes{};
      bytes[last] = static_cast<std::uint8_t>(number);
      return Address(family, bytes);
    };
    PackedRanges ranges(family);
    std::set<std::size_t> held;
    for (auto left = random.below(12); left-- != 0;) {
      const auto first = random.below(60);
      const auto end = first + random.below(8);
      ranges.push_back({at(first), at(end)});
      for (auto number = first; number <= end; ++number) held.insert(number);
    }
    auto in_order = listed(ranges);
    std::ranges::sort(in_order);
    ASSERT_EQ(listed(ranges.sorted()), in_order);
    std::set<std::size_t> merged;
    std::optional<std::size_t> end;
    for (const auto one : ranges.merged()) {
      const std::size_t from = one.first.bytes()[last];
      const std::size_t to = one.last.bytes()[last];
      ASSERT_TRUE(!end || *end + 1 < from) << "a gap between any two";
      end = to;
      for (auto number = from; number <= to; ++number) merged.insert(number);
    }
    ASSERT_EQ(merged, held);
  }
}

}  // namespace
}  // namespace fwctl::testing
