#include "rules/address.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>

#include <array>
#include <cstring>

#include "tests/unit/policies.h"
#include "tests/unit/random_policy.h"
#include "tests/unit/rounds.h"

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

TEST(Address, ReadsIpv4AsTheSystemDoes) {
  RandomPolicy random(1);
  constexpr std::array<std::string_view, 13> pieces{"0",   "1",    "9",  "10", "99", "255", "256",
                                                    "999", "1000", "00", "01", "",   "x"};
  for (int count = 0; count < rounds(20'000); ++count) {
    std::string text(random.pick(pieces));
    for (auto left = random.one_in(5) ? random.below(6) : 3; left-- != 0;)
      text += (random.one_in(30) ? "," : ".") + std::string(random.pick(pieces));
    in_addr known{};
    const bool valid = inet_pton(AF_INET, text.c_str(), &known) == 1;
    const auto read = Address::parse(text);
    ASSERT_EQ(read.has_value(), valid) << text;
    if (read) {
      ASSERT_EQ(std::memcmp(&known, read->bytes().data(), sizeof known), 0) << text;
    }
  }
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

TEST(Address, AnEndAloneIsNoIpv4Address) {
  EXPECT_EQ(address("::1:2").text(), "::1:2");
  EXPECT_EQ(address("::a00:0").text(), "::a00:0");
  EXPECT_EQ(address("::2").text(), "::2");
  EXPECT_EQ(address("::ffff:10.0.0.1").text(), "::ffff:10.0.0.1");
}

TEST(AddressSuffix, ClearsWhatIsBefore) {
  EXPECT_EQ(suffix(address("2001:db8::5:0:0:1:2"), 64).text(), "::1:2/-64");
  EXPECT_EQ(suffix(address("2001:db8::5:0:0:1:2"), 80).text(), "::5:0:0:1:2/-80");
  EXPECT_EQ(suffix(address("::3"), 1).text(), "::1/-1");
  EXPECT_EQ(suffix(address("ffff::"), 127).text(), "7fff::/-127");
}

TEST(AddressSuffix, ContainsWhatEndsSo) {
  const auto host = suffix(address("::1:2"), 64);
  EXPECT_TRUE(host.contains(address("2001:db8:5:6::1:2")));
  EXPECT_TRUE(host.contains(address("::1:2")));
  EXPECT_FALSE(host.contains(address("2001:db8:5:6:8000::1:2")));
  EXPECT_FALSE(host.contains(address("2001:db8:5:6::1:3")));
  EXPECT_FALSE(host.contains(address("0.1.0.2")));
  EXPECT_TRUE(host.contains(suffix(address("0:0:0:7::1:2"), 80)));
  EXPECT_FALSE(suffix(address("0:0:0:7::1:2"), 80).contains(host));
  EXPECT_TRUE(suffix(address("0:0:0:7::1:2"), 80).overlaps(host));
  EXPECT_FALSE(suffix(address("::2:2"), 32).overlaps(host));
}

TEST(AddressSuffix, OverlapsARangeInWhichSomethingEndsSo) {
  const auto ends = suffix(address("::10"), 8);
  EXPECT_TRUE(ends.overlaps(range("2001:db8::5", "2001:db8::10")));
  EXPECT_FALSE(ends.overlaps(range("2001:db8::11", "2001:db8::10f")));
  EXPECT_TRUE(ends.overlaps(range("2001:db8::11", "2001:db8::110")));
  EXPECT_TRUE(ends.overlaps(everything(Family::ipv6)));
  EXPECT_FALSE(ends.overlaps(everything(Family::ipv4)));
  const auto last = address("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
  EXPECT_FALSE(ends.overlaps(AddressRange{last, last}));
}

TEST(AddressSuffix, OverlapIsContainmentOfSomeAddress) {
  RandomPolicy random(5);
  int overlapping = 0;
  for (int count = 0; count < 3000; ++count) {
    const auto ends = suffix(random.address(Family::ipv6), static_cast<int>(1 + random.below(4)));
    const auto first = random.address(Family::ipv6);
    AddressRange few{first, first};
    bool any = ends.contains(first);
    for (std::size_t more = random.below(20); more != 0; --more)
      if (const auto next = successor(few.last)) {
        few.last = *next;
        any = any || ends.contains(*next);
      }
    ASSERT_EQ(ends.overlaps(few), any) << ends.text() << " " << few.text();
    overlapping += any ? 1 : 0;
  }
  EXPECT_GT(overlapping, 500);
  EXPECT_LT(overlapping, 2900);
}

}  // namespace
}  // namespace fwctl::testing
