#include "rules/port.h"

#include <gtest/gtest.h>

#include "rules/nearest.h"
#include "rules/number.h"

namespace fwctl {
namespace {

TEST(Number, IsDecimalDigitsAndNothingElse) {
  EXPECT_EQ(parse_number("0", 10), 0U);
  EXPECT_EQ(parse_number("65535", 65535), 65535U);
  for (const std::string_view text :
       {"", "00", "022", "-1", "+1", "1 ", " 1", "0x10", "1e3", "1_000", "٣"})
    EXPECT_FALSE(parse_number(text, 1'000'000)) << text;
}

TEST(Number, StopsAtItsLimit) {
  EXPECT_FALSE(parse_number("65536", 65535));
  EXPECT_EQ(parse_number("9999999999999999999", UINT64_MAX), 9'999'999'999'999'999'999U);
  EXPECT_FALSE(parse_number("18446744073709551617", UINT64_MAX)) << "1, for who counts modulo 2^64";
}

TEST(Protocol, IsANameOrANumber) {
  EXPECT_EQ(Protocol::parse("tcp"), tcp);
  EXPECT_EQ(Protocol::parse("6"), tcp);
  EXPECT_EQ(Protocol::parse("255"), Protocol{255});
  for (const std::string_view text : {"TCP", "256", "06", "-6", "", "any", "tcp "})
    EXPECT_FALSE(Protocol::parse(text)) << text;
}

TEST(Protocol, EveryOneIsReadAsItIsPrinted) {
  for (int number = 0; number <= 255; ++number) {
    const Protocol protocol{static_cast<std::uint8_t>(number)};
    EXPECT_EQ(Protocol::parse(protocol.text()), protocol) << number;
  }
}

TEST(Protocol, TheseHavePorts) {
  for (int number = 0; number <= 255; ++number) {
    const Protocol protocol{static_cast<std::uint8_t>(number)};
    const bool expected =
        number == 6 || number == 17 || number == 33 || number == 132 || number == 136;
    EXPECT_EQ(protocol.has_ports(), expected) << number;
  }
}

TEST(PortRange, IsPrintedAsPeopleWriteIt) {
  EXPECT_EQ((PortRange{22, 22}.text()), "22");
  EXPECT_EQ((PortRange{9000, 9010}.text()), "9000-9010");
}

TEST(PortRange, TakesInBothEnds) {
  constexpr PortRange ports{10, 20};
  EXPECT_TRUE(ports.contains(10));
  EXPECT_TRUE(ports.contains(20));
  EXPECT_FALSE(ports.contains(9));
  EXPECT_FALSE(ports.contains(21));
  EXPECT_TRUE(all_ports.contains(PortRange{1, 65535}));
  EXPECT_FALSE((PortRange{1, 65535}.contains(all_ports)));
}

TEST(Suggestion, IsTheNearestWordWithinTwoEdits) {
  constexpr std::array<std::string_view, 3> known{"allow", "deny", "reject"};
  EXPECT_EQ(suggestion("alow", known), ", did you mean 'allow'?");
  EXPECT_EQ(suggestion("rejct", known), ", did you mean 'reject'?");
  EXPECT_EQ(suggestion("dney", known), ", did you mean 'deny'?");
  EXPECT_EQ(suggestion("block", known), "");
  EXPECT_EQ(suggestion("", known), "");
  EXPECT_EQ(suggestion(std::string(1000, 'a'), known), "");
}

TEST(Suggestion, IsNotMadeOfShortWordsThatShareNothing) {
  constexpr std::array<std::string_view, 1> known{"to"};
  EXPECT_EQ(suggestion("x", known), "");
  EXPECT_EQ(suggestion("ab", known), "");
  EXPECT_EQ(suggestion("tp", known), ", did you mean 'to'?");
}

}  // namespace
}  // namespace fwctl
