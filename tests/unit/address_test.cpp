#include "rules/address.h"

#include <gtest/gtest.h>

#include "tests/unit/policies.h"
#include "tests/unit/random_policy.h"

namespace fwctl::testing {
namespace {

AddressRange range(std::string_view first, std::string_view last) {
  return {address(first), address(last)};
}

TEST(Address, ReadsBothFamilies) {
  EXPECT_EQ(address("192.0.2.1").family(), Family::ipv4);
  EXPECT_EQ(address("192.0.2.1").network_order(), std::string("\xc0\x00\x02\x01", 4));
  EXPECT_EQ(address("2001:db8::1").family(), Family::ipv6);
  EXPECT_EQ(address("2001:db8::1").network_order().size(), 16U);
  EXPECT_EQ(address("::ffff:192.0.2.1").family(), Family::ipv6);
}

TEST(Address, RefusesWhatIsNone) {
  for (const std::string_view text :
       {"", "192.0.2", "192.0.2.256", "192.0.2.01", "192.0.2.1 ", " 192.0.2.1", "192.0.2.1:80",
        "0x7f.0.0.1", "127.1", "2001:db8::1%eth0", "[::1]", ":::", "2001:db8::1::2",
        "g::", "localhost"})
    EXPECT_FALSE(Address::parse(text)) << text;
  EXPECT_FALSE(Address::parse(std::string_view("192.0.2.1\0", 10)));
}

TEST(Address, PrintsTheShortForm) {
  EXPECT_EQ(address("2001:0db8:0:0::0001").text(), "2001:db8::1");
  EXPECT_EQ(address("192.0.2.1").text(), "192.0.2.1");
}

TEST(Address, KnowsTheSpecialOnes) {
  EXPECT_TRUE(address("127.255.0.1").is_loopback());
  EXPECT_TRUE(address("::1").is_loopback());
  EXPECT_FALSE(address("128.0.0.1").is_loopback());
  EXPECT_FALSE(address("::2").is_loopback());
  EXPECT_FALSE(address("1::1").is_loopback());
  EXPECT_TRUE(address("0.0.0.0").is_any());
  EXPECT_TRUE(address("::").is_any());
  EXPECT_FALSE(address("0.0.0.1").is_any());
}

TEST(Address, IsOrderedByFamilyThenValue) {
  EXPECT_LT(address("9.0.0.0"), address("10.0.0.0"));
  EXPECT_LT(address("127.0.0.1"), address("128.0.0.1"));
  EXPECT_LT(address("255.255.255.255"), address("::"));
}

TEST(Address, HasASuccessorButForTheLast) {
  EXPECT_EQ(successor(address("10.0.0.255")), address("10.0.1.0"));
  EXPECT_EQ(successor(address("::ffff")), address("::1:0"));
  EXPECT_EQ(successor(address("255.255.255.255")), std::nullopt);
  EXPECT_EQ(successor(everything(Family::ipv6).last), std::nullopt);
}

TEST(Prefix, ClearsHostBits) {
  EXPECT_EQ(prefix(address("10.1.2.3"), 8), range("10.0.0.0", "10.255.255.255"));
  EXPECT_EQ(prefix(address("10.1.2.3"), 31), range("10.1.2.2", "10.1.2.3"));
  EXPECT_EQ(prefix(address("10.1.2.3"), 32), range("10.1.2.3", "10.1.2.3"));
  EXPECT_EQ(prefix(address("10.1.2.3"), 0), everything(Family::ipv4));
  EXPECT_EQ(prefix(address("2001:db8:1::1"), 32),
            range("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"));
}

TEST(AddressRange, IsPrintedAsWhatItIs) {
  EXPECT_EQ(range("10.0.0.1", "10.0.0.1").text(), "10.0.0.1");
  EXPECT_EQ(range("10.0.0.0", "10.0.0.255").text(), "10.0.0.0/24");
  EXPECT_EQ(range("10.0.0.1", "10.0.0.255").text(), "10.0.0.1-10.0.0.255");
  EXPECT_EQ(range("10.0.0.0", "10.0.0.254").text(), "10.0.0.0-10.0.0.254");
  EXPECT_EQ(everything(Family::ipv4).text(), "0.0.0.0/0");
  EXPECT_EQ(everything(Family::ipv6).text(), "::/0");
}

TEST(AddressRange, FamiliesNeverMeet) {
  EXPECT_FALSE(everything(Family::ipv4).contains(address("::1")));
  EXPECT_FALSE(everything(Family::ipv6).contains(address("0.0.0.1")));
  EXPECT_FALSE(everything(Family::ipv4).overlaps(everything(Family::ipv6)));
  EXPECT_FALSE(everything(Family::ipv6).contains(everything(Family::ipv4)));
}

TEST(AddressRange, OverlapAndContainmentTakeInBothEnds) {
  const auto middle = range("10.0.0.5", "10.0.0.9");
  EXPECT_TRUE(middle.contains(address("10.0.0.5")));
  EXPECT_TRUE(middle.contains(address("10.0.0.9")));
  EXPECT_FALSE(middle.contains(address("10.0.0.10")));
  EXPECT_TRUE(middle.overlaps(range("10.0.0.9", "10.0.0.20")));
  EXPECT_FALSE(middle.overlaps(range("10.0.0.10", "10.0.0.20")));
  EXPECT_TRUE(middle.contains(middle));
  EXPECT_FALSE(middle.contains(range("10.0.0.5", "10.0.0.10")));
}

TEST(AddressRange, PrefixLengthIsTheInverseOfPrefix) {
  RandomPolicy random(1);
  for (int count = 0; count < 2000; ++count) {
    const Family family = random.one_in(2) ? Family::ipv4 : Family::ipv6;
    const int length = static_cast<int>(random.below(family == Family::ipv4 ? 33 : 129));
    EXPECT_EQ(prefix(random.address(family), length).prefix_length(), length);
  }
  EXPECT_EQ(range("10.0.0.1", "10.0.0.2").prefix_length(), std::nullopt);
}

}  // namespace
}  // namespace fwctl::testing
