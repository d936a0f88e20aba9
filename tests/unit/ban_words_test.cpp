// What may be typed behind ban and unban, and what a ban comes to in the kernel.
#include <gtest/gtest.h>

#include "rules/compile/bans.h"
#include "rules/nft/text.h"
#include "rules/policy/ban.h"

namespace fwctl {
namespace {

using Words = std::vector<std::string>;

constexpr Time now = Time(std::chrono::seconds(1'800'000'000));

std::string refusal(const Words& words, bool lifting = false) {
  Diagnostics diagnostics;
  const bool taken = lifting ? policy::parse_unban(words, diagnostics).has_value()
                             : policy::parse_ban(words, now, diagnostics).has_value();
  EXPECT_EQ(taken, diagnostics.empty());
  std::string out;
  for (const auto& one : diagnostics)
    out += std::to_string(one.at.column) + ": " + one.message + "\n";
  return out;
}

TEST(BanWords, AddressesAnEndAndAComment) {
  Diagnostics none;
  const auto read = policy::parse_ban({"203.0.113.9,2001:db8:1::/48", "10.1.2.3/8",
                                       "203.0.113.9/32", "for", "1h30m", "comment", "for nothing"},
                                      now, none);
  ASSERT_TRUE(read);
  Words texts;
  for (const auto& prefix : read->prefixes) texts.push_back(prefix.text());
  EXPECT_EQ(texts, (Words{"203.0.113.9", "2001:db8:1::/48", "10.0.0.0/8"}));
  EXPECT_EQ(read->lasting, std::chrono::minutes(90));
  EXPECT_EQ(read->comment, "for nothing");
  const auto until = policy::parse_ban({"::2", "until", "2199-01-01T00:00:00Z"}, now, none);
  ASSERT_TRUE(until);
  EXPECT_EQ(now + *until->lasting, *parse_time("2199-01-01T00:00:00Z"));
  EXPECT_FALSE(policy::parse_ban({"::2"}, now, none)->lasting);
}

TEST(BanWords, MistakesAreToldWhereTheyAre) {
  EXPECT_EQ(refusal({}), "1: say which addresses\n");
  EXPECT_EQ(refusal({"comment", "x"}), "1: say which addresses\n");
  EXPECT_EQ(refusal({"192.0.2.1-192.0.2.9"}),
            "5: a ban is of an address or a prefix, as 192.0.2.7 or 192.0.2.0/24\n");
  EXPECT_EQ(refusal({"::2", "for"}), "9: how long, as 2h, is missing behind 'for'\n");
  EXPECT_EQ(refusal({"::2", "comment"}), "9: a text is missing behind 'comment'\n");
  EXPECT_EQ(refusal({"::2", "for", "1h", "until", "2199-01-01T00:00:00Z"}).substr(0, 21),
            "16: a ban ends once: ");
  EXPECT_EQ(refusal({"::2", "until", "2001-01-01T00:00:00Z"}).substr(0, 18), "15: that is over: ");
  EXPECT_EQ(refusal({"::2,nobody", "for", "x"}).substr(0, 3), "9: ");
}

TEST(BanWords, WhatIsLifted) {
  Diagnostics none;
  EXPECT_TRUE(policy::parse_unban({"all"}, none)->prefixes.empty());
  EXPECT_EQ(policy::parse_unban({"comment", "jail"}, none)->comment, "jail");
  EXPECT_FALSE(policy::parse_unban({"::2"}, none)->comment);
  EXPECT_EQ(refusal({}, true), "1: say which addresses\n");
  EXPECT_EQ(refusal({"all", "::2"}, true), "1: either all bans, or those of some addresses\n");
}

TEST(BanWords, ComeToASetForEachLength) {
  const auto objects = compile::ban_objects({{.family = Family::ipv6, .length = 64},
                                             {.family = Family::ipv4, .length = 32},
                                             {.family = Family::ipv4, .length = 24}});
  EXPECT_EQ(nft::text(objects), R"(table inet fwctl {
	set banned/ipv4 {
		type ipv4_addr
		flags timeout
	}
	set banned/ipv4/24 {
		type ipv4_addr
		flags timeout
	}
	set banned/ipv6/64 {
		type ipv6_addr
		flags timeout
	}
	chain banned/forward {
		type filter hook forward priority -300; policy accept;
		ip daddr @banned/ipv4 counter drop comment "banned"
		ip daddr & 255.255.255.0 == @banned/ipv4/24 counter drop comment "banned"
		ip6 daddr & ffff:ffff:ffff:ffff:: == @banned/ipv6/64 counter drop comment "banned"
	}
	chain banned/output {
		type filter hook output priority -300; policy accept;
		oif "lo" accept
		ip daddr @banned/ipv4 counter drop comment "banned"
		ip daddr & 255.255.255.0 == @banned/ipv4/24 counter drop comment "banned"
		ip6 daddr & ffff:ffff:ffff:ffff:: == @banned/ipv6/64 counter drop comment "banned"
	}
	chain banned/prerouting {
		type filter hook prerouting priority -300; policy accept;
		iif "lo" accept
		ip saddr @banned/ipv4 counter drop comment "banned"
		ip saddr & 255.255.255.0 == @banned/ipv4/24 counter drop comment "banned"
		ip6 saddr & ffff:ffff:ffff:ffff:: == @banned/ipv6/64 counter drop comment "banned"
	}
}
)");
  EXPECT_TRUE(compile::ban_objects({}).chains.empty());
}

}  // namespace
}  // namespace fwctl
