#include "rules/nft/text.h"

#include <gtest/gtest.h>

#include "tests/kernel/sample_rulesets.h"

namespace fwctl::testing {
namespace {

using nft::Field;
using nft::Match;

Match is(Field field, nft::Bytes value) {
  return {field, false, std::move(value), {}};
}

TEST(RuleText, LeavesOutTheProtocolThatAPortImplies) {
  EXPECT_EQ(nft::text(rule({is(Field::l4proto, byte(6)), is(Field::th_dport, port(22)), accept()})),
            "tcp dport 22 accept");
  EXPECT_EQ(nft::text(rule({is(Field::l4proto, byte(6)), accept()})), "meta l4proto tcp accept");
  EXPECT_EQ(nft::text(rule({is(Field::l4proto, byte(6)), is(Field::iif, host(1)),
                            is(Field::th_dport, port(22)), accept()})),
            "meta l4proto tcp iif \"lo\" tcp dport 22 accept");
}

TEST(RuleText, LeavesOutTheFamilyThatAnAddressImplies) {
  EXPECT_EQ(nft::text(rule({is(Field::nfproto, byte(2)), is(Field::ip_saddr, ip("192.0.2.1")),
                            nft::Counter{}, drop()},
                           "r1")),
            "ip saddr 192.0.2.1 counter drop comment \"r1\"");
  EXPECT_EQ(
      nft::text(rule({is(Field::nfproto, byte(10)), is(Field::ip_saddr, ip("192.0.2.1")), drop()})),
      "meta nfproto ipv6 @nh,96,32 192.0.2.1 drop");
}

TEST(RuleText, LeavesOutBothThatAnIcmpTypeImplies) {
  EXPECT_EQ(nft::text(rule({is(Field::nfproto, byte(2)), is(Field::l4proto, byte(1)),
                            is(Field::icmp_type, byte(8)), accept()})),
            "icmp type echo-request accept");
}

TEST(RuleText, LeavesOutTheLinkThatItsAddressImplies) {
  const Match ether = is(Field::iiftype, half(nft::iiftype_ether));
  const Match card = is(Field::ether_saddr, ethernet({0, 0x11, 0x22, 0xaa, 0xbb, 0xcc}));
  EXPECT_EQ(nft::text(rule({ether, card, accept()})), "ether saddr 00:11:22:aa:bb:cc accept");
  EXPECT_EQ(nft::text(rule({ether, accept()})), "meta iiftype 1 accept");
  EXPECT_EQ(nft::text(rule({ether, card, is(Field::nfproto, byte(2)),
                            is(Field::ip_saddr, ip("192.0.2.1")), accept()})),
            "ether saddr 00:11:22:aa:bb:cc meta nfproto ipv4 ip saddr 192.0.2.1 accept")
      << "of a frame, nft would look at its type instead";
}

TEST(RuleText, NamesAMapByItsFields) {
  EXPECT_EQ(nft::text(rule({nft::MapLookup{{Field::l4proto, Field::th_dport}, "ports"}})),
            "meta l4proto . th dport vmap @ports");
}

TEST(RuleText, LeavesOutTheFamilyThatAMeteredAddressImplies) {
  EXPECT_EQ(nft::text(rule({is(Field::nfproto, byte(10)),
                            nft::Meter{Field::ip6_saddr,
                                       ip("ffff:ffff:ffff:ffff::"),
                                       "sources",
                                       {.rate = 12, .seconds = 60, .burst = 6, .over = true}},
                            drop()})),
            "update @sources { ip6 saddr & ffff:ffff:ffff:ffff:: limit rate over 12/minute burst 6 "
            "packets } drop");
}

TEST(ChangesText, SaysOneLineAChange) {
  nft::Set set{.name = "s", .key = {Field::ip_saddr}};
  set.elements = {{ip("192.0.2.1"), {}, {}, "r1", {}}, {ip("192.0.2.2"), {}, {}, {}, {}}};
  EXPECT_EQ(
      nft::text(nft::Changes{
          nft::AddTable{}, nft::AddChain{input_chain()}, nft::AddSet{set}, nft::AddElements{set},
          nft::FlushChain{"input"}, nft::AddRule{"input", rule({accept()})}, nft::DeleteSet{"s"},
          nft::AddSet{
              {.name = "sources", .key = {Field::ip_saddr}, .timeout_seconds = 60, .size = 9}}}),
      "add table inet fwctl\n"
      "add chain inet fwctl input { type filter hook input priority 0; policy accept; }\n"
      "add set inet fwctl s { type ipv4_addr; }\n"
      "add element inet fwctl s { 192.0.2.1 comment \"r1\", 192.0.2.2 }\n"
      "flush chain inet fwctl input\n"
      "add rule inet fwctl input accept\n"
      "delete set inet fwctl s\n"
      "add set inet fwctl sources { type ipv4_addr; flags dynamic,timeout; timeout 60s; size "
      "9; }\n");
}

}  // namespace
}  // namespace fwctl::testing
