#include "rules/reach.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "rules/evaluate.h"
#include "rules/interface.h"
#include "tests/unit/policies.h"
#include "tests/unit/random_policy.h"
#include "tests/unit/rounds.h"

namespace fwctl::testing {
namespace {

using Lines = std::vector<std::string>;

// "allow anyone (1)", with the number of the rule.
Lines reached(const policy::CheckedPolicy& policy, const Listener& listener) {
  Lines lines;
  for (const auto& one : reach(policy, listener))
    lines.push_back(std::string(text(one.verdict)) + " " + one.sources +
                    (one.rule != nullptr && one.rule->written
                         ? " (" + std::to_string(*one.rule->written + 1) + ")"
                         : ""));
  return lines;
}

const Listener ssh{.protocol = tcp, .port = 22};

TEST(Reach, NamesWhoeverARuleNames) {
  const auto policy = load(
      "sets: {office: [10.0.0.0/8]}\n"
      "rules:\n"
      "  - deny from 203.0.113.9\n"
      "  - allow 80/tcp\n"
      "  - allow: ssh\n"
      "    from: [\"@office\", 192.0.2.0/24, \"2001:db8::1\"]\n"
      "    interface: [eth1, \"wg*\"]\n"
      "  - allow: 22\n"
      "    from-port: 1000-1023\n"
      "  - reject 22/tcp\n"
      "  - allow 22/tcp from 198.51.100.1\n");
  EXPECT_EQ(
      reached(policy, ssh),
      (Lines{"deny 203.0.113.9 (1)", "allow @office, 192.0.2.0/24, 2001:db8::1 on eth1, wg* (3)",
             "allow anyone from port 1000-1023 (4)", "reject anyone (5)"}));
}

TEST(Reach, NamesMacSourcesAndMarks) {
  const auto policy = load(
      "rules: ['allow 22 mac 02:00:00:00:00:01', 'reject mark 0x1/0x3 to 192.0.2.1', deny 22]\n");
  EXPECT_EQ(reached(policy, ssh),
            (Lines{"allow anyone with MAC source 02:00:00:00:00:01 (1)",
                   "reject anyone with mark 0x1/0x3 to 192.0.2.1 (2)", "deny anyone (3)"}));
}

TEST(Reach, NamesUsersAndGroups) {
  const auto policy =
      load("rules: ['deny out user postgres,5', 'allow out 25 user 1 group null']\n");
  const Packets smtp{.traffic = policy::Traffic::outgoing, .to_ports = {25, 25}};
  const auto lines = [&](const Packets& packets) {
    Lines out;
    for (const auto& entry : reach(policy, std::span(&packets, 1)))
      out.push_back(std::string(text(entry.verdict)) + " " + entry.sources);
    return out;
  };
  EXPECT_EQ(lines(smtp), (Lines{"deny this host as user postgres, 5",
                                "allow this host as user 1 as group null", "allow this host"}));
  auto of_one = smtp;
  of_one.user = 1;
  EXPECT_EQ(lines(of_one), (Lines{"allow this host as group null", "allow this host"}));
  of_one.user = 113;
  EXPECT_EQ(lines(of_one), (Lines{"deny this host"}));
}

TEST(Reach, EndsWithTheDefault) {
  EXPECT_EQ(reached(load(""), ssh), Lines{"deny anyone"});
  EXPECT_EQ(reached(load("defaults: {incoming: allow}\n"), ssh), Lines{"allow anyone"});
  EXPECT_EQ(reach(load(""), ssh).back().rule, nullptr);
}

TEST(Reach, KnowsTheListenersFamilies) {
  const auto policy = load(
      "rules: [\"allow from 10.0.0.0/8\", \"allow from fe80::/10\", \"deny from 0.0.0.0/0\"]\n");
  EXPECT_EQ(reached(policy, ssh), (Lines{"allow 10.0.0.0/8 (1)", "allow fe80::/10 (2)",
                                         "deny 0.0.0.0/0 (3)", "deny anyone"}));
  EXPECT_EQ(reached(policy, {.port = 22, .ipv6 = false}),
            (Lines{"allow 10.0.0.0/8 (1)", "deny anyone (3)"}));
  EXPECT_EQ(reached(policy, {.port = 22, .ipv4 = false}),
            (Lines{"allow fe80::/10 (2)", "deny anyone"}));
}

TEST(Reach, KnowsWhatTheListenerIsBoundTo) {
  const auto policy =
      load("rules: [\"allow to 192.0.2.1 port 22\", \"deny to 192.0.2.2\", allow 22]\n");
  EXPECT_EQ(reached(policy, {.port = 22, .address = address("192.0.2.1")}),
            Lines{"allow anyone (1)"});
  EXPECT_EQ(reached(policy, {.port = 22, .address = address("192.0.2.2")}),
            Lines{"deny anyone (2)"});
  EXPECT_EQ(reached(policy, {.port = 22, .address = address("::5")}), Lines{"allow anyone (3)"});
  EXPECT_EQ(reached(policy, ssh), (Lines{"allow anyone to 192.0.2.1 (1)",
                                         "deny anyone to 192.0.2.2 (2)", "allow anyone (3)"}));
}

TEST(Reach, IsAboutOtherHosts) {
  EXPECT_EQ(reached(load("rules: [allow in on lo]\n"), ssh), Lines{"deny anyone"});
}

Lines reached(const policy::CheckedPolicy& policy, const Packets& packets) {
  Lines lines;
  for (const auto& one : reach(policy, std::span(&packets, 1)))
    lines.push_back(std::string(text(one.verdict)) + " " + one.sources);
  return lines;
}

TEST(Reach, SaysOnWhatTheAnswerDepends) {
  const auto policy = load(
      "rules:\n"
      "  - deny: any\n"
      "    from: [10.0.0.0/8, 203.0.113.9]\n"
      "    interface: eth1\n"
      "  - allow 85/tcp\n"
      "  - allow proto tcp from 198.51.100.0/24 port 1000 to 192.0.2.1 port 86\n");
  Packets asked{.to_ports = {80, 90}};
  EXPECT_EQ(reached(policy, asked),
            (Lines{"deny 10.0.0.0/8, 203.0.113.9 on eth1", "allow anyone to port 85",
                   "allow 198.51.100.0/24 from port 1000 to 192.0.2.1 port 86", "deny anyone"}));
  asked.from = prefix(address("10.1.0.0"), 16);
  EXPECT_EQ(reached(policy, asked), (Lines{"deny 10.1.0.0/16 on eth1",
                                           "allow 10.1.0.0/16 to port 85", "deny 10.1.0.0/16"}));
  asked.interface = "eth1";
  EXPECT_EQ(reached(policy, asked), Lines{"deny 10.1.0.0/16"});
  EXPECT_EQ(reached(policy, Packets{.protocol = icmp}),
            (Lines{"allow anyone with type 3, 11, 12", "allow anyone with type 8",
                   "deny 10.0.0.0/8, 203.0.113.9 on eth1", "deny anyone"}));
}

TEST(Reach, OutgoingPacketsAreThisHosts) {
  const auto policy = load("rules: [deny out to 10.0.0.0/8, reject out 25]\n");
  EXPECT_EQ(reached(policy, Packets{.traffic = policy::Traffic::outgoing, .to_ports = {25, 25}}),
            (Lines{"deny this host to 10.0.0.0/8", "reject this host"}));
}

TEST(Reach, AnEmptySetReachesNothing) {
  EXPECT_EQ(reached(load("sets: {none: []}\nrules: [\"allow from @none\"]\n"), ssh),
            Lines{"deny anyone"});
}

TEST(Reach, AForwardSendsThemOnBeforeAnyRule) {
  const auto policy = load(
      "sets: {office: [10.0.0.0/8]}\n"
      "rules: [deny 8080/tcp, allow 22]\n"
      "forward:\n"
      "  - {port: 8080/tcp, to: \"192.168.0.5:80\", from: \"@office\"}\n"
      "  - {port: 22/tcp, to: \"[2001:db8::5]:22\", interface: eth0}\n"
      "  - {port: 9000-9010/tcp, to: 192.168.0.6}\n");
  const auto forward = [&](const Reachability& entry) {
    return entry.forward == nullptr ? 0 : entry.forward - policy.forwards().data() + 1;
  };
  const auto entries = reach(policy, Listener{.protocol = tcp, .port = 8080});
  ASSERT_EQ(entries.size(), 2U);
  EXPECT_EQ(entries[0].sources, "@office over IPv4");
  EXPECT_EQ(forward(entries[0]), 1);
  EXPECT_EQ(entries[1].sources, "anyone");
  EXPECT_EQ(entries[1].verdict, policy::Verdict::deny);
  EXPECT_EQ(reached(policy, ssh), (Lines{"allow anyone on eth0 over IPv6", "allow anyone (2)"}));
  EXPECT_EQ(reached(policy, Packets{.to_ports = {9000, 9010}}), Lines{"allow anyone"});
  EXPECT_EQ(reached(policy, Packets{.to_ports = {9010, 9011}}),
            (Lines{"allow anyone to port 9000-9010", "deny anyone"}));
  EXPECT_EQ(reached(policy, Packets{.to_ports = {9000, 9000}, .interface = "lo"}),
            Lines{"allow anyone"})
      << "by the baseline: this host's own are not sent on";
  EXPECT_EQ(reach(policy, Listener{.protocol = tcp, .port = 9000, .ipv6 = false}).back().forward,
            &policy.forwards()[2]);
}

TEST(Reach, RoutedPacketsAndThoseThatAForwardSendsTheSameWay) {
  const auto policy = load(
      "forward:\n"
      "  - {port: 8080/tcp, to: \"192.168.0.5:80\", from: 10.0.0.0/8}\n"
      "  - {port: [80, 90], to: 192.168.0.6}\n");
  const auto alike = [&](const char* to, PortRange ports) {
    Lines lines;
    for (const auto& one : redirected_alike(policy, {.traffic = policy::Traffic::routed,
                                                     .to = prefix(address(to), 32),
                                                     .to_ports = ports}))
      lines.push_back(one.sources + " by " + std::to_string(one.forward->written + 1));
    return lines;
  };
  EXPECT_EQ(alike("192.168.0.5", {80, 80}), Lines{"10.0.0.0/8 by 1"});
  EXPECT_EQ(alike("192.168.0.5", {8080, 8080}), Lines{});
  EXPECT_EQ(alike("192.168.0.6", {90, 90}), Lines{"anyone by 2"});
  EXPECT_EQ(alike("192.168.0.7", {80, 80}), Lines{});
}

// The packet as the firewall meets it: gone on to where the first forward leads that is about it.
Packet arrived(const policy::CheckedPolicy& policy, const Packet& packet) {
  for (const auto& forward : policy.forwards()) {
    if (packet.interface == "lo" || packet.to.family() != forward.to.family()) continue;
    Packet there = packet;
    there.traffic = policy::Traffic::routed;
    there.sent_to = {packet.to, packet.to_port};
    there.to = forward.to;
    there.to_port = forward.to_port.value_or(packet.to_port);
    if (evaluate(policy, there).forward == &forward) return there;
  }
  return packet;
}

bool names(const policy::CheckedPolicy& policy, const policy::Conditions& conditions,
           const Packet& packet) {
  const auto any = [](const auto& list, const auto& predicate) {
    return list.empty() || std::any_of(list.begin(), list.end(), predicate);
  };
  const auto matches = [&](const Address& address) {
    return [&](const policy::AddressMatch& match) {
      if (const auto* range = std::get_if<AddressRange>(&match)) return range->contains(address);
      if (const auto* suffix = std::get_if<policy::SuffixMatch>(&match))
        return suffix->suffix.contains(address) != suffix->negated;
      const auto& set = std::get<policy::SetIndex>(match);
      bool in_pair = false;
      policy.sets()[set.index].pairs.each([&](const AddressPort& pair) {
        in_pair = in_pair || pair == AddressPort{address, packet.protocol, packet.to_port};
      });
      if (in_pair) return true;
      return policy.sets()[set.index].contains(address, packet.time) != set.negated;
    };
  };
  return any(conditions.from, matches(packet.from)) && any(conditions.to, matches(packet.to)) &&
         any(conditions.interfaces,
             [&](const auto& one) { return matches_interface(one, packet.interface); }) &&
         any(conditions.flows,
             [&](const auto& flow) { return flow.from.contains(packet.from_port); });
}

TEST(Reach, TheLastEntryHoldsForWhoeverNoOtherNames) {
  RandomPolicy random(17);
  int held = 0;
  for (int count = 0; count < rounds(700); ++count) {
    const auto policy = load(random.policy(12));
    Packet packet = random.packet(policy);
    packet.sent_to.reset();
    packet.traffic = policy::Traffic::incoming;
    packet.state = policy::State::fresh;
    packet.protocol = random.one_in(2) ? tcp : udp;
    packet.to_port = random.port();
    if (packet.interface == "lo") continue;
    Listener listener{.protocol = packet.protocol, .port = packet.to_port};
    if (random.one_in(2)) listener.address = packet.to;
    const auto entries = reach(policy, listener);
    ASSERT_EQ(entries.back().sources, "anyone");
    for (int probes = 0; probes < 40; ++probes) {
      const Packet other = random.packet(policy);
      if (other.from.family() == packet.to.family()) packet.from = other.from;
      packet.from_port = random.port();
      const bool named =
          std::any_of(entries.begin(), entries.end() - 1, [&](const Reachability& entry) {
            if (entry.rule != nullptr) return names(policy, entry.rule->conditions, packet);
            return packet.from.family() == entry.forward->to.family() &&
                   names(policy, entry.forward->conditions, packet);
          });
      if (named) continue;
      ++held;
      const auto decision = evaluate(policy, arrived(policy, packet));
      ASSERT_EQ(decision.verdict, entries.back().verdict) << policy::yaml_text(policy.policy());
      ASSERT_EQ(decision.rule, entries.back().rule);
      ASSERT_EQ(decision.forward, entries.back().forward);
    }
  }
  EXPECT_GT(held, 1000);
}

// And the other way round: whoever an entry names, and none before it, gets its verdict.
TEST(Reach, EntriesStandInTheOrderThatDecides) {
  RandomPolicy random(18);
  int forwarded = 0;
  for (int count = 0; count < rounds(700); ++count) {
    const auto policy = load(random.policy(12));
    Packet packet = random.packet(policy);
    packet.sent_to.reset();
    packet.traffic = policy::Traffic::incoming;
    packet.state = policy::State::fresh;
    packet.protocol = random.one_in(2) ? tcp : udp;
    packet.to_port = random.port();
    if (packet.interface == "lo") continue;
    if (random.one_in(3) && !policy.forwards().empty()) {
      const auto& forward = random.pick(policy.forwards());
      packet.protocol = forward.conditions.flows.front().protocol;
      packet.to_port = forward.conditions.flows.front().to.first;
    }
    const auto decision = evaluate(policy, arrived(policy, packet));
    forwarded += decision.forward != nullptr ? 1 : 0;
    const auto entries = reach(policy, {.protocol = packet.protocol, .port = packet.to_port});
    EXPECT_TRUE(std::any_of(entries.begin(), entries.end(), [&](const Reachability& entry) {
      return entry.rule == decision.rule && entry.forward == decision.forward;
    })) << policy::yaml_text(policy.policy());
  }
  EXPECT_GT(forwarded, rounds(20));
}

TEST(Reach, SaysUntilWhenATemporaryRuleHolds) {
  const auto policy = load(
      "rules: [\"allow from 10.0.0.0/8 to any port 22 until 2026-11-22T18:00:00Z\", "
      "\"deny 22 until 2026-11-23T00:00:00Z\", allow 22]\n");
  const Lines both{"allow 10.0.0.0/8 until 2026-11-22T18:00:00Z (1)",
                   "deny anyone until 2026-11-23T00:00:00Z (2)", "allow anyone (3)"};
  EXPECT_EQ(reached(policy, ssh), both);
  Listener from_then = ssh;
  from_then.times.first = *parse_time("2026-11-22T17:59:59Z");
  EXPECT_EQ(reached(policy, from_then), both);
  from_then.times.first = *parse_time("2026-11-22T18:00:00Z");
  EXPECT_EQ(reached(policy, from_then), (Lines{both[1], both[2]}));
  from_then.times.first = *parse_time("2026-11-23T00:00:00Z");
  EXPECT_EQ(reached(policy, from_then), Lines{both[2]});
}

TEST(Reach, SaysUntilWhenAnAddressIsInASet) {
  const auto policy = load(
      "sets: {s: [{address: 10.0.0.1, until: 2026-11-22T18:00:00Z}, 10.0.0.2]}\n"
      "rules: [\"deny from @s to any port 22\", allow 22]\n");
  const auto from = [&](const char* source, const char* time) {
    return reached(policy, Packets{.from = {address(source), address(source)},
                                   .to_ports = {22, 22},
                                   .times = {.first = *parse_time(time), .last = always.last}});
  };
  EXPECT_EQ(from("10.0.0.1", "2026-11-22T17:00:00Z"),
            (Lines{"deny @s until 2026-11-22T18:00:00Z", "allow 10.0.0.1"}));
  EXPECT_EQ(from("10.0.0.1", "2026-11-22T18:00:00Z"), Lines{"allow 10.0.0.1"});
  EXPECT_EQ(from("10.0.0.2", "2026-11-22T17:00:00Z"), Lines{"deny 10.0.0.2"});
}

}  // namespace
}  // namespace fwctl::testing
