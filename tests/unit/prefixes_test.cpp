#include "rules/compile/prefixes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "tests/unit/random_policy.h"
#include "tests/unit/rounds.h"

namespace fwctl::testing {
namespace {

using compile::Parts;
using compile::PrefixCounts;

PackedRanges ranges(const std::vector<std::pair<std::string, std::string>>& wanted) {
  PackedRanges out(Address::parse(wanted.front().first)->family());
  for (const auto& [first, last] : wanted)
    out.push_back({Address::parse(first).value(), Address::parse(last).value()});
  return out;
}

PrefixCounts counted(const PackedRanges& ranges) {
  PrefixCounts counts{};
  compile::count_prefixes(ranges, counts);
  return counts;
}

// "8:1 32:2": how many of which length.
std::string text(const PrefixCounts& counts) {
  std::string out;
  for (std::size_t length = 0; length < counts.size(); ++length)
    if (counts[length] != 0)
      out += std::to_string(length) + ":" + std::to_string(counts[length]) + " ";
  return out;
}

std::string text(const Parts& parts) {
  std::string out;
  for (const auto& part : parts)
    out += std::to_string(part.length) + ":" + std::to_string(part.count) + " ";
  return out;
}

TEST(Prefixes, ARangeIsAsFewAsCanBe) {
  EXPECT_EQ(text(counted(ranges({{"10.0.0.0", "10.255.255.255"}}))), "8:1 ");
  EXPECT_EQ(text(counted(ranges({{"10.0.0.1", "10.0.0.1"}, {"10.0.0.3", "10.0.0.3"}}))), "32:2 ");
  EXPECT_EQ(text(counted(ranges({{"10.0.0.1", "10.0.0.6"}}))), "31:2 32:2 ");
  EXPECT_EQ(text(counted(ranges({{"0.0.0.0", "255.255.255.255"}}))), "0:1 ");
  EXPECT_EQ(text(counted(ranges({{"128.0.0.0", "255.255.255.255"}}))), "1:1 ");
  EXPECT_EQ(text(counted(ranges({{"::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"}}))), "0:1 ");
  EXPECT_EQ(text(counted(ranges({{"8000::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"}}))), "1:1 ");
  EXPECT_EQ(text(counted(ranges({{"2001:db8::", "2001:db8:0:1:ffff:ffff:ffff:ffff"}}))), "63:1 ");
  EXPECT_EQ(text(counted(ranges({{"::ffff:ffff:ffff:ffff", "0:0:0:1::"}}))), "128:2 ");
}

TEST(Prefixes, ThoseOfALengthThatFewHaveAreSplit) {
  PrefixCounts counts{};
  counts[32] = 900;
  EXPECT_EQ(text(compile::parts(counts, 900)), "32:900 ");
  EXPECT_EQ(text(compile::parts(counts, 901)), "");
  counts[31] = 10;
  counts[24] = 100;
  EXPECT_EQ(text(compile::parts(counts, 1)), "24:100 32:920 ");
  counts[31] = 400;
  EXPECT_EQ(text(compile::parts(counts, 1)), "24:100 32:1700 ") << "400 more than 1,400";
  counts[31] = 600;
  EXPECT_EQ(text(compile::parts(counts, 1)), "24:100 31:600 32:900 ") << "600 more than 1,600";
}

TEST(Prefixes, TooManyLengthsAreIntervals) {
  PrefixCounts counts{};
  for (const std::size_t length : {8U, 16U, 24U, 32U}) counts[length] = 1000;
  EXPECT_EQ(text(compile::parts(counts, 1)), "8:1000 16:1000 24:1000 32:1000 ");
  counts[12] = 1000;
  EXPECT_EQ(text(compile::parts(counts, 1)), "");
}

TEST(Prefixes, EverythingAtOnceIsAnInterval) {
  PrefixCounts counts{};
  EXPECT_EQ(text(compile::parts(counts, 0)), "");
  counts[0] = 1;
  EXPECT_EQ(text(compile::parts(counts, 1)), "");
}

TEST(Prefixes, TheyHaveRoomForMore) {
  EXPECT_EQ((compile::Part{.length = 32, .count = 511}.room()), 512U);
  EXPECT_EQ((compile::Part{.length = 32, .count = 512}.room()), 1024U);
}

// The prefixes of all parts, sorted and merged, are the ranges again.
TEST(Prefixes, AreTheRanges) {
  RandomPolicy random(44);
  int in_parts = 0;
  for (int round = 0; round < rounds(300); ++round) {
    const Family family = random.one_in(2) ? Family::ipv4 : Family::ipv6;
    PackedRanges some(family);
    for (auto left = 1 + random.below(12); left-- != 0;) {
      const auto first = random.address(family);
      const int bits = family == Family::ipv4 ? 32 : 128;
      some.push_back(prefix(first, bits - static_cast<int>(random.below(12))));
    }
    some = some.merged();
    const auto parts = compile::parts(counted(some), 1);
    if (parts.empty()) continue;
    ++in_parts;
    const auto keys = compile::prefixes(some, parts);
    ASSERT_EQ(keys.size(), parts.size());
    PackedRanges again(family);
    for (std::size_t index = 0; index < parts.size(); ++index) {
      ASSERT_EQ(keys[index].size(), parts[index].count);
      ASSERT_EQ(keys[index].sorted(), keys[index]);
      for (std::size_t key = 0; key < keys[index].size(); ++key) {
        std::array<std::uint8_t, 16> bytes{};
        std::ranges::copy(keys[index].first(key), bytes.begin());
        const auto one = prefix(Address(family, bytes), parts[index].length);
        ASSERT_EQ(one.first, Address(family, bytes)) << "bits behind its length";
        again.push_back(one);
      }
    }
    ASSERT_EQ(again.merged(), some);
  }
  EXPECT_GT(in_parts, rounds(100));
}

}  // namespace
}  // namespace fwctl::testing
