#include "daemon/packet_log.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace fwctl {
namespace {

using namespace std::chrono_literals;

LogEntry entry(const std::string& from = "192.0.2.2", std::uint16_t port = 3000) {
  LogEntry out{.verdict = "deny", .rule = "r1db8189c", .traffic = "incoming", .in = "eth0"};
  out.packet = {.from = *Address::parse(from),
                .to = *Address::parse("192.0.2.1"),
                .protocol = tcp,
                .length = 60,
                .ttl = 64,
                .from_port = 40000,
                .to_port = port,
                .tcp_flags = tcp_syn};
  return out;
}

class PacketLogTest : public testing::Test {
 protected:
  // "192.0.2.2:3000 × 4", of what was written since the last call.
  std::string written() {
    std::string out;
    for (const auto& one : std::exchange(written_, {}))
      out += one.packet.from.text() + ":" + std::to_string(*one.packet.to_port) +
             (one.count > 1 ? " × " + std::to_string(one.count) : "") + "\n";
    return out;
  }

  static constexpr auto window = PacketLog::window;
  PacketLog::Time now_{1000s};
  std::vector<LogEntry> written_;
  PacketLog log_{[this](const LogEntry& entry) { written_.push_back(entry); }};
};

TEST(LogPrefix, NamesVerdictAndRule) {
  const auto prefix = parse_log_prefix("[fwctl deny r1db8189c] ");
  ASSERT_TRUE(prefix);
  EXPECT_EQ(prefix->verdict, "deny");
  EXPECT_EQ(prefix->rule, "r1db8189c");
  for (const auto* text : {"", "[fwctl deny r1]", "[UFW BLOCK] ", "[fwctl ] ", "[fwctl deny ] ",
                           "[fwctl shrug r1] ", "[fwctl deny r1\nMESSAGE=x] "})
    EXPECT_FALSE(parse_log_prefix(text)) << text;
}

TEST(LogLine, IsAsTheKernelWritesIt) {
  auto one = entry();
  EXPECT_EQ(log_line(one),
            "[fwctl deny r1db8189c] IN=eth0 OUT= SRC=192.0.2.2 DST=192.0.2.1 LEN=60 TTL=64 "
            "PROTO=TCP SPT=40000 DPT=3000 SYN");
  one.mac = "02:00:00:00:00:01";
  one.count = 12;
  one.packet.fragment = true;
  one.packet.protocol = icmpv6;
  one.packet.from = *Address::parse("2001:db8::2");
  one.packet.to = *Address::parse("ff02::1");
  one.packet.from_port = one.packet.to_port = {};
  one.packet.tcp_flags = {};
  one.packet.icmp_type = 128;
  one.packet.icmp_code = 0;
  EXPECT_EQ(log_line(one),
            "[fwctl deny r1db8189c] IN=eth0 OUT= MAC=02:00:00:00:00:01 SRC=2001:db8::2 DST=ff02::1 "
            "LEN=60 HOPLIMIT=64 FRAG PROTO=ICMPv6 TYPE=128 CODE=0 COUNT=12");
}

TEST_F(PacketLogTest, RepeatsAreCounted) {
  for (int i = 0; i < 5; ++i) log_.add(entry(), now_ += 1s);
  EXPECT_EQ(written(), "192.0.2.2:3000\n");
  ASSERT_TRUE(log_.due());
  EXPECT_EQ(*log_.due(), PacketLog::Time(1001s) + window);
  log_.settle(*log_.due() - 1ns);
  EXPECT_EQ(written(), "");
  log_.settle(*log_.due());
  EXPECT_EQ(written(), "192.0.2.2:3000 × 4\n");
}

TEST_F(PacketLogTest, WhoGoesOnIsToldOfOnceAWindow) {
  for (int i = 0; i < 180; ++i) log_.add(entry(), now_ += 1s);
  EXPECT_EQ(written(), "192.0.2.2:3000\n192.0.2.2:3000 × 59\n192.0.2.2:3000 × 60\n");
}

TEST_F(PacketLogTest, AfterAQuietWindowItIsNewAgain) {
  log_.add(entry(), now_);
  log_.settle(now_ + window);
  EXPECT_FALSE(log_.due());
  log_.add(entry(), now_ + window);
  EXPECT_EQ(written(), "192.0.2.2:3000\n192.0.2.2:3000\n");
}

TEST_F(PacketLogTest, AnotherSourceRuleOrPortIsAnother) {
  log_.add(entry(), now_);
  log_.add(entry("192.0.2.3"), now_);
  log_.add(entry("192.0.2.2", 3001), now_);
  auto other = entry();
  other.rule = "default";
  log_.add(other, now_);
  auto later = entry();
  later.packet.from_port = 40001;
  log_.add(later, now_);
  EXPECT_EQ(written(), "192.0.2.2:3000\n192.0.2.3:3000\n192.0.2.2:3001\n192.0.2.2:3000\n");
}

// A scan of all ports: one entry each, as many as a second may have, and no more memory than that.
TEST_F(PacketLogTest, IsBounded) {
  log_.add(entry(), now_);
  log_.add(entry(), now_);
  for (int port = 1; port <= 20'000; ++port) {
    if (port % 100 == 0) now_ += 1s;
    log_.add(entry("192.0.2.9", static_cast<std::uint16_t>(port)), now_);
  }
  EXPECT_EQ(log_.entries().size(), PacketLog::kept);
  EXPECT_EQ(log_.entries().back().packet.to_port, 20'000);
  EXPECT_EQ(written_.size(), 20'002) << "the repeat of the first one was told when it gave way";
  EXPECT_EQ(log_.take_left_out(), 0);
}

TEST_F(PacketLogTest, AFloodIsCounted) {
  for (int port = 1; port <= 1000; ++port)
    log_.add(entry("192.0.2.9", static_cast<std::uint16_t>(port)), now_);
  EXPECT_EQ(written_.size(), PacketLog::each_second);
  EXPECT_EQ(log_.take_left_out(), 1000 - PacketLog::each_second);
  EXPECT_EQ(log_.take_left_out(), 0);
  log_.add(entry(), now_ + 1s);
  EXPECT_EQ(written_.size(), PacketLog::each_second + 1);
}

}  // namespace
}  // namespace fwctl
