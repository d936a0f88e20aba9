#include "rules/evaluate.h"

#include <gtest/gtest.h>

#include "tests/unit/policies.h"

namespace fwctl::testing {
namespace {

using policy::State;
using policy::Traffic;
using policy::Verdict;

Packet incoming(std::string_view from, std::uint16_t port, Protocol protocol = tcp) {
  const auto source = address(from);
  return {.from = source,
          .to = address(source.family() == Family::ipv4 ? "192.0.2.1" : "2001:db8::1"),
          .protocol = protocol,
          .from_port = 40'000,
          .to_port = port,
          .interface = "eth0"};
}

// "allow 22" or, where nothing matches, "default deny".
std::string decided(const policy::CheckedPolicy& policy, const Packet& packet) {
  const auto decision = evaluate(policy, packet);
  const auto verdict = std::string(text(decision.verdict));
  if (decision.rule == nullptr) return "default " + verdict;
  EXPECT_EQ(decision.rule->verdict, decision.verdict);
  return verdict + " by " +
         (decision.rule->written ? std::to_string(*decision.rule->written + 1) : decision.rule->id);
}

TEST(Evaluate, TheFirstRuleThatMatchesDecides) {
  const auto policy = load(
      "rules: [\"deny from 203.0.113.9\", allow 22/tcp, deny 22, reject from 203.0.113.0/24]\n");
  EXPECT_EQ(decided(policy, incoming("203.0.113.9", 22)), "deny by 1");
  EXPECT_EQ(decided(policy, incoming("203.0.113.8", 22)), "allow by 2");
  EXPECT_EQ(decided(policy, incoming("203.0.113.8", 22, udp)), "deny by 3");
  EXPECT_EQ(decided(policy, incoming("203.0.113.8", 80)), "reject by 4");
  EXPECT_EQ(decided(policy, incoming("198.51.100.1", 80)), "default deny");
}

TEST(Evaluate, EachKindOfTrafficHasItsRulesAndDefault) {
  const auto policy = load(
      "defaults: {incoming: reject, outgoing: deny, routed: allow}\nrules: [allow out 25, allow "
      "22]\n");
  auto packet = incoming("203.0.113.9", 25);
  EXPECT_EQ(decided(policy, packet), "default reject");
  packet.traffic = Traffic::outgoing;
  EXPECT_EQ(decided(policy, packet), "allow by 1");
  packet.to_port = 22;
  EXPECT_EQ(decided(policy, packet), "default deny");
  packet.traffic = Traffic::routed;
  EXPECT_EQ(decided(policy, packet), "default allow");
}

TEST(Evaluate, TheBaselineComesFirst) {
  const auto policy = load("rules: [deny from any, deny out from any]\n");
  auto packet = incoming("203.0.113.9", 22);
  EXPECT_EQ(decided(policy, packet), "deny by 1");
  packet.state = State::established;
  EXPECT_EQ(decided(policy, packet), "allow by established");
  packet.state = State::related;
  EXPECT_EQ(decided(policy, packet), "allow by established");
  packet.state = State::invalid;
  EXPECT_EQ(decided(policy, packet), "deny by invalid");
  packet.interface = "lo";
  EXPECT_EQ(decided(policy, packet), "allow by loopback");

  auto ping = incoming("203.0.113.9", 0, icmp);
  ping.icmp_type = 8;
  EXPECT_EQ(decided(policy, ping), "allow by echo");
  ping.icmp_type = 5;
  EXPECT_EQ(decided(policy, ping), "deny by 1") << "redirect";
  ping = incoming("2001:db8::9", 0, icmpv6);
  ping.icmp_type = 135;
  EXPECT_EQ(decided(policy, ping), "allow by neighbour-discovery");
  ping.icmp_type = 137;
  EXPECT_EQ(decided(policy, ping), "deny by 1") << "redirect";
  ping = incoming("2001:db8::9", 0, icmp);
  ping.icmp_type = 8;
  EXPECT_EQ(decided(policy, ping), "deny by 1") << "ICMP of the other family";

  auto dhcp = incoming("192.0.2.3", 68, udp);
  EXPECT_EQ(decided(policy, dhcp), "deny by 1");
  dhcp.from_port = 67;
  EXPECT_EQ(decided(policy, dhcp), "allow by dhcp-client");
  dhcp = incoming("2001:db8::9", 546, udp);
  dhcp.from_port = 547;
  EXPECT_EQ(decided(policy, dhcp), "deny by 1") << "not from this link";
  dhcp.from = address("fe80::9");
  EXPECT_EQ(decided(policy, dhcp), "allow by dhcp-client");
}

TEST(Evaluate, EveryConditionCounts) {
  const auto policy = load(
      "sets: {office: [10.0.0.0/8, \"2001:db8:1::/48\"]}\n"
      "rules:\n"
      "  - allow: [80/tcp, 9000-9010/udp]\n"
      "    from: [\"@office\", 192.0.2.8]\n"
      "    to: [192.0.2.1, \"2001:db8::/32\"]\n"
      "    from-port: 40000\n"
      "    interface: [eth0, \"wg*\"]\n");
  const auto good = incoming("10.1.2.3", 80);
  EXPECT_EQ(decided(policy, good), "allow by 1");
  EXPECT_EQ(decided(policy, incoming("192.0.2.8", 9010, udp)), "allow by 1");
  EXPECT_EQ(decided(policy, incoming("2001:db8:1::5", 80)), "allow by 1");
  EXPECT_EQ(decided(policy, incoming("192.0.2.8", 9011, udp)), "default deny");
  EXPECT_EQ(decided(policy, incoming("10.1.2.3", 80, udp)), "default deny");
  EXPECT_EQ(decided(policy, incoming("192.0.2.9", 80)), "default deny");
  EXPECT_EQ(decided(policy, incoming("2001:db8:2::5", 80)), "default deny");
  auto other = good;
  other.from_port = 40'001;
  EXPECT_EQ(decided(policy, other), "default deny");
  other = good;
  other.to = address("192.0.2.2");
  EXPECT_EQ(decided(policy, other), "default deny");
  other = good;
  other.interface = "eth1";
  EXPECT_EQ(decided(policy, other), "default deny");
  other.interface = "wg7";
  EXPECT_EQ(decided(policy, other), "allow by 1");
}

TEST(Evaluate, ProtocolsWithoutPorts) {
  const auto policy = load("rules: [allow proto esp, allow proto tcp from 10.0.0.1]\n");
  EXPECT_EQ(decided(policy, incoming("203.0.113.9", 0, Protocol{50})), "allow by 1");
  EXPECT_EQ(decided(policy, incoming("203.0.113.9", 0, Protocol{51})), "default deny");
  EXPECT_EQ(decided(policy, incoming("10.0.0.1", 9)), "allow by 2");
}

TEST(Evaluate, AnEmptySetMatchesNobody) {
  const auto policy = load("sets: {none: []}\nrules: [\"allow from @none\"]\n");
  EXPECT_EQ(decided(policy, incoming("10.0.0.1", 22)), "default deny");
}

TEST(MatchesInterface, TakesNamesAndPatterns) {
  EXPECT_TRUE(matches_interface("eth0", "eth0"));
  EXPECT_FALSE(matches_interface("eth0", "eth01"));
  EXPECT_TRUE(matches_interface("eth*", "eth01"));
  EXPECT_TRUE(matches_interface("eth*", "eth"));
  EXPECT_FALSE(matches_interface("eth*", "et"));
}

}  // namespace
}  // namespace fwctl::testing
