#include "rules/question.h"

#include <gtest/gtest.h>

#include "tests/unit/policies.h"
#include "tests/unit/random_policy.h"
#include "tests/unit/rounds.h"

namespace fwctl::testing {
namespace {

using policy::Traffic;
using Words = std::vector<std::string>;

Words split(const std::string& line) {
  Words words;
  for (std::size_t begin = 0; begin < line.size();) {
    const auto end = std::min(line.find(' ', begin), line.size());
    words.push_back(line.substr(begin, end - begin));
    begin = end + 1;
  }
  return words;
}

policy::ServiceTable services() {
  policy::ServiceTable table(etc_services);
  table.define({.name = "myapp", .ports = {{tcp, {8080, 8080}}, {udp, {9000, 9010}}}});
  return table;
}

std::vector<Asked> ask(const std::string& line) {
  Diagnostics diagnostics;
  auto asked = parse_question(split(line), services(), surroundings(), units(), diagnostics);
  EXPECT_TRUE(asked) << render(diagnostics);
  return asked.value_or(std::vector<Asked>());
}

// "3000/tcp 4", "3000/tcp 6": the kinds with their families.
Words kinds(const std::string& line) {
  Words out;
  for (const auto& [what, packets, cgroup] : ask(line))
    out.push_back(what + (packets.family() == Family::ipv4 ? " 4" : " 6"));
  return out;
}

std::string refusal(const std::string& line) {
  Diagnostics diagnostics;
  const auto asked = parse_question(split(line), services(), surroundings(), units(), diagnostics);
  EXPECT_EQ(asked.has_value(), diagnostics.empty());
  return render(diagnostics);
}

TEST(Question, AsksAboutBothFamiliesAndProtocols) {
  EXPECT_EQ(kinds("3000/tcp"), (Words{"3000/tcp 4", "3000/tcp 6"}));
  EXPECT_EQ(kinds("80"), (Words{"80/tcp 4", "80/tcp 6", "80/udp 4", "80/udp 6"}));
  EXPECT_EQ(kinds("80/any"), kinds("80"));
  EXPECT_EQ(kinds("9000-9010/udp"), (Words{"9000-9010/udp 4", "9000-9010/udp 6"}));
  EXPECT_EQ(kinds("80 proto udp"), kinds("80/udp"));
  EXPECT_EQ(kinds("proto udp to any port 80"), kinds("80/udp"));
  EXPECT_EQ(kinds("esp"), (Words{"esp 4", "esp 6"}));
  EXPECT_EQ(kinds("proto 50"), kinds("esp"));
  EXPECT_EQ(kinds("tcp"), (Words{"tcp 4", "tcp 6"}));
}

TEST(Question, KnowsTheServicesItIsGiven) {
  EXPECT_EQ(kinds("ssh"), kinds("22/tcp"));
  EXPECT_EQ(kinds("domain"), kinds("53"));
  EXPECT_EQ(kinds("domain/udp"), kinds("53/udp"));
  EXPECT_EQ(kinds("myapp"),
            (Words{"8080/tcp 4", "8080/tcp 6", "9000-9010/udp 4", "9000-9010/udp 6"}));
}

TEST(Question, IcmpHasItsFamilyAndTypesHaveNames) {
  EXPECT_EQ(kinds("icmp echo"), (Words{"icmp type 8 4", "icmpv6 type 128 6"}));
  EXPECT_EQ(kinds("icmp echo from 2001:db8::1"), Words{"icmpv6 type 128 6"});
  EXPECT_EQ(kinds("icmp 8"), Words{"icmp type 8 4"});
  EXPECT_EQ(kinds("icmp"), Words{"icmp 4"});
  EXPECT_EQ(kinds("icmp in"), Words{"icmp 4"}) << "in is no type";
  EXPECT_EQ(kinds("icmpv6 echo"), Words{"icmpv6 type 128 6"});
  EXPECT_EQ(kinds("proto icmpv6 135"), Words{"icmpv6 type 135 6"});
  EXPECT_EQ(kinds("icmp packet-too-big"), Words{"icmpv6 type 2 6"});
}

TEST(Question, TheClausesNarrowItInAnyOrder) {
  for (const char* line : {"3000/tcp from 203.0.113.9 port 1024 to 192.0.2.0/24 on eth0 out",
                           "out on eth0 to 192.0.2.0/24 from 203.0.113.9 port 1024 3000/tcp"}) {
    const auto asked = ask(line);
    ASSERT_EQ(asked.size(), 1U) << line;
    const auto& packets = asked.front().packets;
    EXPECT_EQ(packets.traffic, Traffic::outgoing);
    EXPECT_EQ(packets.from.text(), "203.0.113.9");
    EXPECT_EQ(packets.from_ports, (PortRange{1024, 1024}));
    EXPECT_EQ(packets.to.text(), "192.0.2.0/24");
    EXPECT_EQ(packets.to_ports, (PortRange{3000, 3000}));
    EXPECT_EQ(packets.protocol, tcp);
    EXPECT_EQ(packets.interface, "eth0");
    EXPECT_EQ(packets.state, policy::State::fresh);
  }
  EXPECT_EQ(ask("22/tcp routed").front().packets.traffic, Traffic::routed);
  EXPECT_EQ(ask("22/tcp in").front().packets.traffic, Traffic::incoming);
}

TEST(Question, ARoutedPacketHasTwoInterfaces) {
  for (const char* line :
       {"80/tcp routed in on eth0 out on eth1", "out on eth1 in on eth0 routed 80/tcp",
        "80/tcp routed on eth0 out on eth1"}) {
    const auto packets = ask(line).front().packets;
    EXPECT_EQ(packets.traffic, Traffic::routed) << line;
    EXPECT_EQ(packets.interface, "eth0");
    EXPECT_EQ(packets.out_interface, "eth1");
  }
  const auto packets = ask("80/tcp out on eth1").front().packets;
  EXPECT_EQ(packets.traffic, Traffic::outgoing);
  EXPECT_EQ(packets.interface, "eth1");
  EXPECT_FALSE(packets.out_interface);
}

TEST(Question, CanBeOfOneMacSourceAndOneMark) {
  const auto packets = ask("22/tcp mark 0x10 mac 00:16:3E:aa:bb:cc").front().packets;
  ASSERT_TRUE(packets.mac && *packets.mac);
  EXPECT_EQ((*packets.mac)->text(), "00:16:3e:aa:bb:cc");
  EXPECT_EQ(packets.mark, 16);
}

TEST(Question, CanBeOfAUnit) {
  using Units = std::vector<std::string>;
  const auto of = [](const std::string& unit) {
    return ask("out 443/tcp unit " + unit).front().packets.units;
  };
  EXPECT_EQ(of("cron"), (Units{"system.slice", "cron.service"}));
  EXPECT_EQ(of("my_app"), (Units{"apps.slice", "apps-front.slice", "my_app.service"}));
  EXPECT_EQ(of("idle"), (Units{"system.slice", "idle.service"})) << "as it would be";
  EXPECT_EQ(of("a-b@c"), (Units{"system.slice", "system-a\\x2db.slice", "a-b@c.service"}));
  EXPECT_EQ(of("a-b-c.slice"), (Units{"a.slice", "a-b.slice", "a-b-c.slice"}));
  EXPECT_FALSE(ask("out 443/tcp").front().packets.units);
  EXPECT_EQ(unit_names(split("out unit cron unit @")), (policy::UnitNames{"cron.service"}));
  EXPECT_NE(refusal("443/tcp unit cron").find("ask with 'out'"), std::string::npos);
  EXPECT_NE(refusal("443/tcp out unit cron unit cron").find("'unit' a second time"),
            std::string::npos);
  EXPECT_NE(refusal("443/tcp out unit a,b").find("ask about one unit at a time"),
            std::string::npos);
}

TEST(Question, CanBeOfAUserAndAGroup) {
  const auto packets = ask("out 443/tcp user postgres group 7").front().packets;
  EXPECT_EQ(packets.user, std::optional<std::uint32_t>(113));
  EXPECT_EQ(packets.group, std::optional<std::uint32_t>(7));
  EXPECT_FALSE(ask("out 443/tcp").front().packets.user);
  const auto wanted = names(split("out 443/tcp user postgres group 7 on wan"));
  EXPECT_TRUE(wanted.users.contains("postgres"));
  EXPECT_TRUE(wanted.groups.contains("7"));
  EXPECT_TRUE(wanted.wan);
  EXPECT_NE(refusal("443/tcp user postgres").find("ask with 'out'"), std::string::npos);
  EXPECT_NE(refusal("443/tcp out user postgers").find("did you mean 'postgres'?"),
            std::string::npos);
  EXPECT_NE(refusal("443/tcp out user 1 user 2").find("'user' a second time"), std::string::npos);
  EXPECT_NE(refusal("443/tcp out user 1,2").find("ask about one user at a time"),
            std::string::npos);
}

TEST(Question, KnowsTheWayOut) {
  EXPECT_NE(refusal("22/tcp on wan").find("wan is eth1 and wg0 now: ask about one of them"),
            std::string::npos);
  Diagnostics diagnostics;
  const policy::Surroundings one{.wan = std::vector<std::string>{"ppp0"}};
  const auto asked = parse_question(split("22/tcp on wan"), services(), one, units(), diagnostics);
  ASSERT_TRUE(asked) << render(diagnostics);
  EXPECT_EQ(asked->front().packets.interface, "ppp0");
}

TEST(Question, WhatIsLeftOutMayBeAnything) {
  const auto packets = ask("22/tcp from any").front().packets;
  EXPECT_EQ(packets.traffic, Traffic::incoming);
  EXPECT_EQ(packets.from, everything(Family::ipv4));
  EXPECT_EQ(packets.to, everything(Family::ipv4));
  EXPECT_EQ(packets.from_ports, all_ports);
  EXPECT_FALSE(packets.interface);
  EXPECT_FALSE(packets.icmp_type);
}

TEST(Question, LoopbackAddressesAreOnLo) {
  EXPECT_EQ(ask("22/tcp from 127.0.0.1").front().packets.interface, "lo");
  EXPECT_EQ(ask("22/tcp to ::1").front().packets.interface, "lo");
  EXPECT_EQ(ask("22/tcp from 127.0.0.1 on eth0").front().packets.interface, "eth0");
  EXPECT_FALSE(ask("22/tcp from 0.0.0.0/0").front().packets.interface);
}

TEST(Question, MistakesPointAtTheirPlace) {
  EXPECT_EQ(refusal("22/tcp from 203.0.113"),
            "command:1:13: error: '203.0.113' is not an IPv4 or IPv6 address\n"
            "  22/tcp from 203.0.113\n"
            "              ^~~~~~~~~\n");
  EXPECT_EQ(refusal("sssh from 203.0.113.9"),
            "command:1:1: error: no service is called 'sssh', did you mean 'ssh'?\n"
            "  sssh from 203.0.113.9\n"
            "  ^~~~\n");
  EXPECT_EQ(refusal("22/tcp form 203.0.113.9"),
            "command:1:8: error: ask about one port or protocol at a time\n"
            "  22/tcp form 203.0.113.9\n"
            "         ^~~~\n");
  EXPECT_EQ(refusal("22/tcp on"),
            "command:1:10: error: 'on' needs an interface behind it\n"
            "  22/tcp on\n"
            "           ^\n");
  EXPECT_EQ(refusal("icmp ecko"),
            "command:1:6: error: 'ecko' is no type of icmp: a name, or 0 to 255, did you mean "
            "'echo'?\n"
            "  icmp ecko\n"
            "       ^~~~\n");
  EXPECT_EQ(refusal("22/tpc"),
            "command:1:4: error: 'tpc' is not a protocol: tcp, udp, icmp, ... or a number to 255\n"
            "  22/tpc\n"
            "     ^~~\n");
}

// Each line is the words and what is said about them.
TEST(Question, SaysWhatIsWrong) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"",
       "say what to ask about: a port (22/tcp), a service (ssh) or a protocol (icmp echo, esp)"},
      {"from 203.0.113.9",
       "say what to ask about: a port (22/tcp), a service (ssh) or a protocol (icmp echo, esp)"},
      {"203.0.113.9 22/tcp", "an address needs 'from' or 'to' before it"},
      {"0", "'0' is not a port: ports are 1 to 65535"},
      {"80,443/tcp", "ask about one port or service at a time"},
      {"80 443", "ask about one port or protocol at a time"},
      {"80 ssh", "ask about one port or protocol at a time"},
      {"80 icmp 8", "ask about one port or protocol at a time"},
      {"icmp 8 80", "ask about one port or protocol at a time"},
      {"tcp udp", "ask about one protocol at a time"},
      {"80/tcp proto udp", "the ports are not of protocol udp"},
      {"80 esp", "protocol esp has no ports"},
      {"ssh/udp", "service 'ssh' is not known for udp"},
      {"80 port 22", "'port' stands behind 'from ADDRESS' or 'to ADDRESS'"},
      {"esp from any port 500", "protocol esp has no ports"},
      {"80 from any port ssh", "a source port is a number"},
      {"80 from any port 22/tcp", "a source port is a number"},
      {"80 from any port 1,2", "ask about one source port at a time"},
      {"80 in out", "a packet is one of in, out and routed"},
      {"80 on eth0 on eth1", "a second interface"},
      {"80 routed in", "a packet is one of in, out and routed"},
      {"80 routed in on eth0 on eth1", "a second interface"},
      {"80 on eth0,eth1", "ask about one interface at a time"},
      {"80 on eth*", "ask about one interface, not about a pattern"},
      {"80 on br-????????????", "ask about one interface, not about a pattern"},
      {"80 on toolongforaninterface", "interface names have at most 15 characters"},
      {"80 from 10.0.0.1 from 10.0.0.2", "'from' a second time"},
      {"80 from 10.0.0.1,10.0.0.2", "ask about one address at a time"},
      {"80 from @office", "ask about an address of the set"},
      {"80 from ::1:2/-64", "ask about one address that ends so"},
      {"80 from", "'from' needs an address, or any behind it"},
      {"80 from any port", "'port' needs a port behind it"},
      {"80 proto", "'proto' needs a protocol behind it"},
      {"80 from 10.0.0.1 to 2001:db8::1", "'from' and 'to' are of different families"},
      {"icmp 8 from 2001:db8::1", "icmp is of IPv4: over IPv6 it is icmpv6"},
      {"icmpv6 echo from 10.0.0.1", "icmpv6 is of IPv6: over IPv4 it is icmp"},
      {"icmp 256", "'256' is no type of icmp: a name, or 0 to 255"},
      {"form", "no service is called 'form', did you mean 'from'?"},
  };
  for (const auto& [line, message] : cases) {
    const std::string said = refusal(line);
    EXPECT_NE(said.find(": error: " + message + "\n"), std::string::npos) << line << "\n" << said;
  }
}

// Whatever is typed: an answer, or one mistake within what was typed.
TEST(Question, StaysOnItsFeetWhateverIsTyped) {
  RandomPolicy random(31);
  const Words vocabulary{"80",   "22/tcp",     "ssh",   "myapp",        "icmp", "icmpv6", "echo",
                         "8",    "esp",        "from",  "to",           "on",   "in",     "out",
                         "port", "routed",     "proto", "any",          "",     ",",      "/",
                         "'",    "10.0.0.1",   "::1",   "@x",           "eth0", "1-",     "tcp",
                         "*",    "10.0.0.0/8", "a b",   "2001:db8::/32"};
  const auto known = services();
  int answered = 0;
  for (int count = 0; count < rounds(50'000); ++count) {
    Words words(random.below(8));
    for (auto& word : words) word = random.pick(vocabulary);
    Diagnostics diagnostics;
    const auto asked = parse_question(words, known, surroundings(), units(), diagnostics);
    ASSERT_EQ(diagnostics.size(), asked ? 0U : 1U) << render(diagnostics);
    if (!asked) {
      const auto& [severity, file, at, message, text] = diagnostics.front();
      ASSERT_LE(at.column, text.size() + 1) << render(diagnostics);
      continue;
    }
    ++answered;
    ASSERT_FALSE(asked->empty());
    for (const auto& [what, packets, cgroup] : *asked) {
      ASSERT_EQ(packets.traffic, asked->front().packets.traffic);
      ASSERT_EQ(packets.from.family(), packets.to.family());
      ASSERT_LE(packets.to_ports.first, packets.to_ports.last);
    }
  }
  EXPECT_GT(answered, rounds(1000));
}

}  // namespace
}  // namespace fwctl::testing
