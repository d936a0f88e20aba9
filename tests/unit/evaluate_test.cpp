#include "rules/evaluate.h"

#include <gtest/gtest.h>

#include <array>

#include "rules/interface.h"
#include "rules/policy/print.h"
#include "tests/unit/policies.h"
#include "tests/unit/random_policy.h"
#include "tests/unit/rounds.h"

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

TEST(Evaluate, APairIsAnAddressAndThePortAPacketGoesTo) {
  const auto policy = load(
      "sets: {partners: [203.0.113.9 22/tcp, 203.0.113.8 80/udp, \"2001:db8::9 22/tcp\"]}\n"
      "rules: [\"allow from @partners\", \"reject to @partners\"]\n");
  EXPECT_EQ(decided(policy, incoming("203.0.113.9", 22)), "allow by 1");
  EXPECT_EQ(decided(policy, incoming("203.0.113.9", 22, udp)), "default deny");
  EXPECT_EQ(decided(policy, incoming("203.0.113.9", 80)), "default deny");
  EXPECT_EQ(decided(policy, incoming("203.0.113.8", 22)), "default deny") << "another's port";
  EXPECT_EQ(decided(policy, incoming("203.0.113.8", 80, udp)), "allow by 1");
  EXPECT_EQ(decided(policy, incoming("203.0.113.7", 22)), "default deny");
  EXPECT_EQ(decided(policy, incoming("2001:db8::9", 22)), "allow by 1");
  EXPECT_EQ(decided(policy, incoming("2001:db8::9", 23)), "default deny");
  auto packet = incoming("203.0.113.7", 22);
  packet.from_port = 22;
  packet.to_port = 23;
  packet.to = address("203.0.113.9");
  EXPECT_EQ(decided(policy, packet), "default deny") << "the port it comes from is not asked for";
  packet.to_port = 22;
  EXPECT_EQ(decided(policy, packet), "reject by 2");
}

TEST(Evaluate, OfManyPacketsAPairMatchesSome) {
  const auto policy = load(
      "sets: {partners: [203.0.113.9 22/tcp, 203.0.113.9 24/tcp, 203.0.113.20 22/udp]}\n"
      "rules: [\"allow from @partners\"]\n");
  const auto& rule = policy.rules(Traffic::incoming).back();
  const auto share = [&](const char* first, const char* last, PortRange ports, Protocol protocol) {
    return match(policy, rule.conditions,
                 {.from = {address(first), address(last)},
                  .to = everything(Family::ipv4),
                  .protocol = protocol,
                  .to_ports = ports});
  };
  EXPECT_EQ(share("203.0.113.9", "203.0.113.9", {22, 22}, tcp).share, Share::all);
  EXPECT_EQ(share("203.0.113.9", "203.0.113.9", {23, 30}, tcp).share, Share::some);
  EXPECT_EQ(share("203.0.113.8", "203.0.113.9", {22, 22}, tcp).share, Share::some);
  EXPECT_EQ(share("0.0.0.0", "255.255.255.255", all_ports, udp).share, Share::some);
  const auto other_port = share("203.0.113.9", "203.0.113.9", {23, 23}, tcp);
  EXPECT_EQ(other_port.share, Share::none);
  EXPECT_EQ(other_port.unmet, Condition::port);
  const auto other_address = share("203.0.113.10", "203.0.113.19", {22, 22}, tcp);
  EXPECT_EQ(other_address.share, Share::none);
  EXPECT_EQ(other_address.unmet, Condition::source);
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

// Of the last rule that is asked: "matches all", or the condition it fails at.
std::string last_step(const std::string& rule, const Packets& packets) {
  const auto policy = load(
      "sets: {ours: [10.0.0.0/8, \"2001:db8:1::/48\"], four: [10.0.0.0/8]}\n"
      "rules: [\"" +
      rule + "\"]\n");
  const auto steps = trail(policy, packets);
  EXPECT_TRUE(steps.back().rule->written);
  switch (steps.back().match.share) {
    case Share::all:
      return "matches all";
    case Share::some:
      return "matches some";
    case Share::none:
      break;
  }
  constexpr std::array names{
      "state",       "protocol", "family",      "icmp type", "port",
      "source port", "source",   "destination", "interface", "outgoing interface",
      "mac",         "mark",     "user",        "group",     "unit",
      "time"};
  static_assert(names.size() == condition_count);
  return names.at(static_cast<std::size_t>(steps.back().match.unmet));
}

Packets packets(std::string_view from, std::uint16_t port, Protocol protocol = tcp) {
  const auto one = incoming(from, port, protocol);
  return {.from = {one.from, one.from},
          .to = {one.to, one.to},
          .protocol = protocol,
          .from_ports = {one.from_port, one.from_port},
          .to_ports = {port, port},
          .interface = one.interface};
}

TEST(Trail, NamesTheFirstConditionThatIsNotMet) {
  const auto asked = packets("10.1.2.3", 80);
  EXPECT_EQ(last_step("deny from any", asked), "matches all");
  EXPECT_EQ(last_step("deny 80/tcp", asked), "matches all");
  EXPECT_EQ(last_step("deny 80/udp", asked), "protocol");
  EXPECT_EQ(last_step("deny proto esp from any", asked), "protocol");
  EXPECT_EQ(last_step("deny 81/tcp", asked), "port");
  EXPECT_EQ(last_step("deny 81-90/tcp", asked), "port");
  EXPECT_EQ(last_step("deny 70-79/tcp", asked), "port");
  EXPECT_EQ(last_step("deny proto tcp from any port 1 to any port 80", asked), "source port");
  EXPECT_EQ(last_step("deny proto tcp from 10.0.0.1 port 1 to any port 81", asked), "port");
  EXPECT_EQ(last_step("deny from 10.0.0.1", asked), "source");
  EXPECT_EQ(last_step("deny from 10.1.2.0/24", asked), "matches all");
  EXPECT_EQ(last_step("deny from 2001:db8::1", asked), "family");
  EXPECT_EQ(last_step("deny from @ours", asked), "matches all");
  EXPECT_EQ(last_step("deny from @ours", packets("192.0.2.8", 80)), "source");
  EXPECT_EQ(last_step("deny from @four", packets("2001:db8::1", 80)), "family");
  EXPECT_EQ(last_step("deny to 192.0.2.2", asked), "destination");
  EXPECT_EQ(last_step("deny to @ours", asked), "destination");
  EXPECT_EQ(last_step("deny in on eth1", asked), "interface");
  EXPECT_EQ(last_step("deny in on wg*", asked), "interface");
  EXPECT_EQ(last_step("deny in on e*", asked), "matches all");
}

TEST(Trail, OfSeveralItemsTheNearestCounts) {
  const auto asked = packets("10.1.2.3", 80);
  EXPECT_EQ(last_step("deny 80/udp,81/tcp", asked), "port");
  EXPECT_EQ(last_step("deny 81/tcp,80/udp", asked), "port");
  EXPECT_EQ(last_step("deny 81/tcp,80/tcp", asked), "matches all");
  EXPECT_EQ(last_step("deny from 2001:db8::1,10.0.0.1", asked), "source");
  EXPECT_EQ(last_step("deny from 10.0.0.1,2001:db8::1", asked), "source");
}

TEST(Trail, AsksForMacSourcesAndMarks) {
  const std::string mac = "deny mac 02:00:00:00:00:01,02:00:00:00:00:02";
  auto asked = packets("10.1.2.3", 80);
  EXPECT_EQ(last_step(mac, asked), "matches some");
  EXPECT_EQ(last_step("deny mark 0x10/0xf0", asked), "matches some");
  asked.mac = MacAddress::parse("02:00:00:00:00:02");
  asked.mark = 0x11;
  EXPECT_EQ(last_step(mac, asked), "matches all");
  EXPECT_EQ(last_step("deny mark 0x10/0xf0", asked), "matches all");
  EXPECT_EQ(last_step("deny mark 0x10", asked), "mark");
  asked.mac = MacAddress::parse("02:00:00:00:00:03");
  EXPECT_EQ(last_step(mac, asked), "mac");
  asked.mac = std::optional<MacAddress>();
  EXPECT_EQ(last_step(mac, asked), "mac") << "it has none";
  asked.mac = {};
  asked.interface = "lo";
  EXPECT_EQ(match(load(""), {.macs = {MacAddress{}}}, asked).share, Share::none);
}

TEST(Trail, WhatIsLeftOpenMatchesInPart) {
  auto asked = packets("10.1.2.3", 80);
  asked.from = everything(Family::ipv4);
  EXPECT_EQ(last_step("deny from 10.0.0.1", asked), "matches some");
  EXPECT_EQ(last_step("deny from @ours", asked), "matches some");
  EXPECT_EQ(last_step("deny from 0.0.0.0/0", asked), "matches all");
  EXPECT_EQ(last_step("deny from 2001:db8::1", asked), "family");
  EXPECT_EQ(last_step("deny proto udp from 10.0.0.1", asked), "protocol");
  asked.from = prefix(address("10.0.0.0"), 7);
  EXPECT_EQ(last_step("deny from @ours", asked), "matches some");
  asked.from = prefix(address("10.1.0.0"), 16);
  EXPECT_EQ(last_step("deny from @ours", asked), "matches all");
  asked.from = prefix(address("11.0.0.0"), 8);
  EXPECT_EQ(last_step("deny from @ours", asked), "source");
  asked = packets("10.1.2.3", 80);
  asked.interface = {};
  EXPECT_EQ(last_step("deny in on eth1", asked), "matches some");
  EXPECT_EQ(last_step("deny in on lo", asked), "interface");
  asked.to_ports = {80, 90};
  EXPECT_EQ(last_step("deny 90-99/tcp", asked), "matches some");
  EXPECT_EQ(last_step("deny proto tcp from any port 1,40000 to any port 90", asked),
            "matches some");
  EXPECT_EQ(last_step("deny proto tcp from any port 40000,1 to any port 90", asked), "matches some")
      << "what comes behind it and does not match takes nothing away";
  EXPECT_EQ(last_step("deny 80-90/tcp", asked), "matches all");
  EXPECT_EQ(last_step("deny 91/tcp", asked), "port");
}

TEST(Trail, GoesThroughTheBaselineUpToTheRuleThatDecides) {
  const auto policy = load("rules: [allow 22/tcp, deny 80/tcp, deny 443/tcp]\n");
  std::string line;
  for (const auto& [rule, match] : trail(policy, packets("10.1.2.3", 80)))
    line += (rule->written ? std::to_string(*rule->written + 1) : rule->id) +
            (match.share == Share::all ? "! " : " ");
  EXPECT_EQ(line,
            "loopback established invalid dhcp-client dhcp-client icmp-errors echo "
            "neighbour-discovery mld 1 2! ");
  EXPECT_EQ(trail(policy, packets("10.1.2.3", 81)).back().match.share, Share::none);

  auto ping = packets("10.1.2.3", 0, icmp);
  ping.icmp_type = 8;
  const auto steps = trail(policy, ping);
  EXPECT_EQ(steps.back().rule->id, "echo");
  EXPECT_EQ(steps.back().match.share, Share::all);
  EXPECT_EQ(steps[0].match.unmet, Condition::interface);
  EXPECT_EQ(steps[1].match.unmet, Condition::state);
  EXPECT_EQ(steps[5].rule->id, "icmp-errors");
  EXPECT_EQ(steps[5].match.unmet, Condition::icmp_type);
  ping.icmp_type = {};
  EXPECT_EQ(trail(policy, ping)[5].match.share, Share::some);
}

// Whatever some packets have in common: a rule that matches all of them matches each, one that
// matches none matches none of them, and where a rule matches all, evaluate() stops there.
TEST(Trail, HoldsForEveryPacketItIsAbout) {
  RandomPolicy random(23);
  std::array<int, 3> seen{};
  for (int count = 0; count < rounds(400); ++count) {
    const auto policy = load(random.policy(12));
    for (int kinds = 0; kinds < 20; ++kinds) {
      Packet some = random.packet(policy);
      some.sent_to.reset();  // of a redirected one, a trail says nothing
      Packets packets = only(some);
      packets.times = always;
      const Family family = packets.family();
      if (random.one_in(2)) packets.from = everything(family);
      if (random.one_in(3)) packets.from = prefix(some.from, static_cast<int>(random.below(33)));
      if (random.one_in(2)) packets.to = everything(family);
      if (random.one_in(2)) packets.from_ports = all_ports;
      if (random.one_in(4)) packets.to_ports = {0, some.to_port};
      if (random.one_in(2)) packets.interface = {};
      if (random.one_in(2)) packets.mac = {};
      if (random.one_in(2)) packets.mark = {};
      if (random.one_in(2)) packets.user.reset();
      if (random.one_in(2)) packets.group.reset();
      if (random.one_in(2)) packets.units.reset();
      const bool any_type = random.one_in(2);
      if (any_type) packets.icmp_type = {};
      const auto steps = trail(policy, packets);
      for (int members = 0; members < 20; ++members) {
        Packet one = some;
        const Packet other = random.packet(policy);
        if (packets.from.contains(other.from)) one.from = other.from;
        if (packets.to.contains(other.to)) one.to = other.to;
        if (packets.from_ports.contains(other.from_port)) one.from_port = other.from_port;
        if (packets.to_ports.contains(other.to_port)) one.to_port = other.to_port;
        if (!packets.interface) one.interface = random.interface();
        if (one.interface == "lo" && !packets.interface) one.interface = "eth0";
        if (!packets.mac) one.mac = random.one_in(3) ? std::nullopt : std::optional(random.mac());
        if (!packets.mac && packets.interface == "lo") one.mac = {};
        if (!packets.mark) one.mark = random.mark();
        if (!packets.user) one.user = other.user;
        if (!packets.group) one.group = other.group;
        if (!packets.units) one.units = other.units;
        if (any_type) one.icmp_type = other.icmp_type;
        const auto decision = evaluate(policy, one);
        const policy::CheckedRule* expected = nullptr;
        for (const auto& [rule, match] : steps) {
          ++seen.at(static_cast<std::size_t>(match.share));
          if (rule == decision.rule) {
            ASSERT_NE(match.share, Share::none)
                << rule->id << ": condition " << static_cast<int>(match.unmet) << "\n"
                << policy::yaml_text(policy.policy());
            expected = rule;
            break;
          }
          ASSERT_NE(match.share, Share::all) << policy::yaml_text(policy.policy());
        }
        ASSERT_EQ(expected, decision.rule) << "decided by a rule that the trail does not have";
      }
    }
  }
  for (const int one : seen) EXPECT_GT(one, 1000);
}

TEST(MatchesInterface, TakesNamesAndPatterns) {
  EXPECT_TRUE(matches_interface("eth0", "eth0"));
  EXPECT_FALSE(matches_interface("eth0", "eth01"));
  EXPECT_TRUE(matches_interface("eth*", "eth01"));
  EXPECT_TRUE(matches_interface("eth*", "eth"));
  EXPECT_FALSE(matches_interface("eth*", "et"));
}

TEST(MatchesInterface, AQuestionMarkIsOneCharacter) {
  EXPECT_TRUE(matches_interface("br-????????????", "br-0123456789ab"));
  EXPECT_TRUE(matches_interface("br-????????????", "br-enp3s0-12.34"));
  for (const auto* name : {"br-lan", "br-0123456789a", "br-0123456789AB", "br-0123_56789ab",
                           "bR-0123456789ab", "virbr0123456789"})
    EXPECT_FALSE(matches_interface("br-????????????", name)) << name;
}

// A connection to 192.0.2.1, or 2001:db8::1, that went on to a container instead.
Packet published(std::string_view from, std::uint16_t port) {
  auto packet = incoming(from, port);
  packet.traffic = Traffic::routed;
  packet.sent_to = {packet.to, port};
  packet.to = address(packet.to.family() == Family::ipv4 ? "172.17.0.2" : "fd00:17::2");
  packet.to_port = 80;
  packet.out_interface = "docker0";
  return packet;
}

TEST(Evaluate, IncomingRulesJudgeWhatAnotherProgramRedirected) {
  const auto policy = load(
      "defaults: {incoming: reject, outgoing: allow, routed: deny}\n"
      "rules:\n"
      "  - deny from 203.0.113.9\n"
      "  - allow from any to 192.0.2.1 port 8080\n"
      "  - deny to 172.17.0.2\n"
      "  - allow 80/tcp\n"
      "  - route allow in on eth0\n"
      "  - allow in on docker0 8081/tcp\n");
  EXPECT_EQ(decided(policy, published("203.0.113.9", 8080)), "deny by 1");
  EXPECT_EQ(decided(policy, published("203.0.113.8", 8080)), "allow by 2");
  EXPECT_EQ(decided(policy, published("203.0.113.8", 80)), "allow by 4");
  EXPECT_EQ(decided(policy, published("203.0.113.8", 8081)), "default reject")
      << "the container's port 80 and its interface have no part in it";
  EXPECT_EQ(decided(policy, published("2001:db8::9", 8080)), "default reject");
  auto packet = published("203.0.113.9", 8080);
  packet.state = State::established;
  EXPECT_EQ(decided(policy, packet), "allow by established");
  packet.state = State::invalid;
  EXPECT_EQ(decided(policy, packet), "deny by invalid");
}

TEST(Evaluate, WhatAForwardRedirectsPasses) {
  const auto policy = load(
      "rules: [deny 8080/tcp, \"route deny from any\"]\n"
      "forward:\n"
      "  - {port: [8080/tcp, 9000-9010/tcp], to: 10.0.0.5, from: 203.0.113.0/24}\n"
      "  - {port: 8081, to: \"10.0.0.5:80\", interface: eth1}\n");
  const auto forwarded = [&](std::uint16_t asked, std::uint16_t port, const char* interface) {
    auto packet = published("203.0.113.9", asked);
    packet.to = address("10.0.0.5");
    packet.to_port = port;
    packet.interface = interface;
    const auto decision = evaluate(policy, packet);
    EXPECT_TRUE(decision.forward == nullptr || decision.verdict == Verdict::allow);
    return decision.forward == nullptr ? 0 : decision.forward - policy.forwards().data() + 1;
  };
  EXPECT_EQ(forwarded(8080, 8080, "eth0"), 1);
  EXPECT_EQ(forwarded(9001, 9010, "eth0"), 1);
  EXPECT_EQ(forwarded(8080, 9001, "eth0"), 0) << "ports of two items";
  EXPECT_EQ(forwarded(8081, 80, "eth1"), 2);
  EXPECT_EQ(forwarded(8081, 80, "eth0"), 0);
  EXPECT_EQ(forwarded(8081, 81, "eth1"), 0);
  auto elsewhere = published("203.0.113.9", 8080);
  EXPECT_EQ(decided(policy, elsewhere), "deny by 1") << "another program's is no forward";
  elsewhere.to = address("10.0.0.5");
  elsewhere.to_port = 8080;
  elsewhere.state = State::invalid;
  EXPECT_EQ(decided(policy, elsewhere), "deny by invalid");
}

TEST(Evaluate, ContainerNetworksReachOutWhereNoRuleSaysOtherwise) {
  const std::string rules = "rules: [route reject in on docker0 25/tcp]\n";
  const auto policy = load(rules);
  auto packet = incoming("172.17.0.2", 443);
  packet.traffic = Traffic::routed;
  packet.out_interface = "eth0";
  for (const auto* interface :
       {"docker0", "docker_gwbridge", "br-0123456789ab", "podman1", "cni0"}) {
    packet.interface = interface;
    EXPECT_EQ(decided(policy, packet), "allow by containers") << interface;
  }
  for (const auto* interface : {"eth0", "br-lan", "virbr0"}) {
    packet.interface = interface;
    EXPECT_EQ(decided(policy, packet), "default deny") << interface;
  }
  packet.interface = "docker0";
  EXPECT_EQ(decided(load(rules + "containers: deny\n"), packet), "default deny");
  packet.to_port = 25;
  EXPECT_EQ(decided(policy, packet), "reject by 1");
  packet.traffic = Traffic::incoming;
  EXPECT_EQ(decided(policy, packet), "default deny") << "this host is not elsewhere";
}

TEST(Evaluate, ItemsOfTheBaselineAreSwitchedOffByName) {
  auto packet = incoming("203.0.113.9", 0, icmp);
  packet.icmp_type = 8;
  EXPECT_EQ(decided(load(""), packet), "allow by echo");
  const auto off =
      load("baseline: {echo: false, loopback: false, invalid: false}\nrules: [allow 22]\n");
  EXPECT_EQ(decided(off, packet), "default deny");
  packet = incoming("203.0.113.9", 22);
  packet.state = State::invalid;
  EXPECT_EQ(decided(off, packet), "allow by 1");
  packet.interface = "lo";
  packet.state = State::fresh;
  packet.to_port = 23;
  EXPECT_EQ(decided(off, packet), "default deny");
  packet.traffic = Traffic::outgoing;
  EXPECT_EQ(decided(off, packet), "default allow");
  packet.state = State::established;
  EXPECT_EQ(decided(off, packet), "allow by established");
}

TEST(Evaluate, ASuffixIsTheEndOfAnAddress) {
  const auto policy = load(
      "rules: [\"allow from ::1:2/-64 to any port 22\", \"reject from !::3/-8 to any port 80\"]\n");
  EXPECT_EQ(decided(policy, incoming("2001:db8:7:8::1:2", 22)), "allow by 1");
  EXPECT_EQ(decided(policy, incoming("2001:db8:7:8:1::1:2", 22)), "default deny");
  EXPECT_EQ(decided(policy, incoming("0.1.0.2", 22)), "default deny");
  EXPECT_EQ(decided(policy, incoming("2001:db8::1:3", 80)), "default deny");
  EXPECT_EQ(decided(policy, incoming("2001:db8::1:4", 80)), "reject by 2");
  EXPECT_EQ(decided(policy, incoming("192.0.2.3", 80)), "reject by 2");
}

TEST(Evaluate, ATemporaryRuleMatchesBeforeItsEnd) {
  const auto policy = load("rules: [\"allow 22/tcp until 2026-11-22T18:00:00Z\", reject 22/tcp]\n");
  auto packet = incoming("203.0.113.9", 22);
  packet.time = *parse_time("2026-11-22T17:59:59Z");
  EXPECT_EQ(decided(policy, packet), "allow by 1");
  packet.time = *parse_time("2026-11-22T18:00:00Z");
  EXPECT_EQ(decided(policy, packet), "reject by 2");
}

TEST(Evaluate, AnEntryOfASetCountsBeforeItsEnd) {
  const auto policy = load(
      "sets: {s: [10.0.0.1, {address: 10.0.0.0/24, until: 2026-11-22T18:00:00Z}]}\n"
      "rules: [\"allow from @s to any port 22\", \"reject from !@s to any port 22\"]\n");
  auto packet = incoming("10.0.0.2", 22);
  packet.time = *parse_time("2026-11-22T17:59:59Z");
  EXPECT_EQ(decided(policy, packet), "allow by 1");
  packet.time = *parse_time("2026-11-22T18:00:00Z");
  EXPECT_EQ(decided(policy, packet), "reject by 2");
  packet.from = address("10.0.0.1");
  EXPECT_EQ(decided(policy, packet), "allow by 1");
}

}  // namespace
}  // namespace fwctl::testing
