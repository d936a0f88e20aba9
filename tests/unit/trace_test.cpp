#include "rules/trace.h"

#include <gtest/gtest.h>

#include "rules/compile/compile.h"
#include "rules/nft/text.h"
#include "tests/unit/policies.h"

namespace fwctl::testing {
namespace {

using Words = std::vector<std::string>;

// The hook, and the rules as nft has them without what all end in.
Words lines(const Words& question, bool connections = false) {
  Diagnostics diagnostics;
  const auto asked = parse_open_question(question, policy::ServiceTable(etc_services),
                                         surroundings(), units(), diagnostics);
  EXPECT_TRUE(asked) << render(diagnostics);
  if (!asked) return {};
  const auto chain = trace_chain("trace-1", *asked, connections);
  const std::string text =
      nft::text(nft::Changes{nft::AddChain{{.name = chain.name, .hook = chain.hook}}});
  EXPECT_NE(text.find("trace-1 { type filter hook "), std::string::npos);
  EXPECT_NE(text.find(" priority -350; policy accept; }"), std::string::npos);
  Words out{text.substr(text.find("hook ") + 5)};
  out.front().erase(out.front().find(' '));
  const std::string end = " limit rate 10/second burst 30 packets meta nftrace set 1";
  for (const auto& rule : chain.rules) {
    out.push_back(nft::text(rule));
    EXPECT_TRUE(out.back().ends_with(end)) << out.back();
    out.back().erase(out.back().size() - std::min(end.size(), out.back().size()));
  }
  return out;
}

TEST(TraceChain, MarksWhatIsAskedAbout) {
  EXPECT_EQ(
      lines({"3000/tcp", "from", "203.0.113.9", "on", "eth0"}),
      (Words{"prerouting",
             "iifname \"eth0\" ip saddr 203.0.113.9 tcp dport 3000 tcp flags & 0x12 == 0x2"}));
  EXPECT_EQ(lines({"3000/tcp", "from", "203.0.113.9", "on", "eth0"}, true),
            (Words{"prerouting", "iifname \"eth0\" ip saddr 203.0.113.9 tcp dport 3000"}));
  EXPECT_EQ(lines({"domain/udp", "to", "2001:db8::/32"}),
            (Words{"prerouting", "iifname != \"lo\" ip6 daddr 2001:db8::/32 udp dport 53"}));
  EXPECT_EQ(lines({"icmp", "echo"}),
            (Words{"prerouting", "iifname != \"lo\" icmp type echo-request",
                   "iifname != \"lo\" icmpv6 type echo-request"}));
}

TEST(TraceChain, OfAnyProtocolOnlyTcpSaysWhatBeginsAConnection) {
  EXPECT_EQ(lines({"from", "203.0.113.9"}),
            (Words{"prerouting", "iifname != \"lo\" ip saddr 203.0.113.9 tcp flags & 0x12 == 0x2",
                   "iifname != \"lo\" ip saddr 203.0.113.9 meta l4proto != tcp"}));
  EXPECT_EQ(lines({}, true), (Words{"prerouting", "iifname != \"lo\" meta nfproto ipv4",
                                    "iifname != \"lo\" meta nfproto ipv6"}));
}

TEST(TraceChain, MarksWhereWhatIsAskedIsKnown) {
  EXPECT_EQ(
      lines({"out", "proto", "udp", "user", "postgres", "to", "10.0.0.1", "mark", "0x7"}),
      (Words{"output",
             "oifname != \"lo\" meta skuid 113 meta mark 0x7 ip daddr 10.0.0.1 meta l4proto udp"}));
  EXPECT_EQ(lines({"out", "80/udp", "unit", "my_app"}).at(1),
            "oifname != \"lo\" socket cgroupv2 level 3 1003 meta nfproto ipv4 udp dport 80");
  EXPECT_EQ(
      lines({"routed", "80/udp", "in", "on", "eth0", "out", "on", "eth1", "from", "10.0.0.0/8"}),
      (Words{"forward", "iifname \"eth0\" oifname \"eth1\" ip saddr 10.0.0.0/8 udp dport 80"}));
  EXPECT_EQ(lines({"80/udp", "mac", "02:00:00:00:00:01", "from", "10.0.0.1"}),
            (Words{"prerouting",
                   "iifname != \"lo\" ether saddr 02:00:00:00:00:01 meta nfproto ipv4 ip saddr "
                   "10.0.0.1 udp dport 80"}));
}

std::string complaint(const Words& question) {
  Diagnostics diagnostics;
  EXPECT_FALSE(parse_open_question(question, policy::ServiceTable(etc_services), surroundings(),
                                   units(), diagnostics));
  return render(diagnostics);
}

TEST(OpenQuestion, IsStillHeldAgainstItself) {
  EXPECT_NE(complaint({"from", "10.0.0.1", "to", "2001:db8::1"}).find("different families"),
            std::string::npos);
  EXPECT_NE(complaint({"from", "any", "port", "1024"}).find("say of which protocol"),
            std::string::npos);
  EXPECT_NE(complaint({"user", "postgres"}).find("ask with 'out'"), std::string::npos);
}

class FindElement : public ::testing::Test {
 protected:
  // The number of the rule whose element of `map` the packet finds, or "none".
  std::string found(const std::string& map) const {
    const auto* set = ruleset_.find_set(map);
    if (set == nullptr) return "no such map";
    return found(*set, set->key);
  }
  std::string found(const nft::Set& set, const std::vector<nft::Field>& key) const {
    const auto* element = find_element(set, key, packet_);
    if (element == nullptr) return "none";
    return std::to_string(*policy_.find(element->comment) + 1);
  }
  void SetUp() override {
    packet_.headers = {.from = address("192.0.2.2"),
                       .to = address("192.0.2.1"),
                       .protocol = tcp,
                       .from_port = 40000,
                       .to_port = 80};
    packet_.sent = packet_.headers;
    packet_.in = "eth0";
  }

  const policy::CheckedPolicy policy_ = load(
      "rules:\n"
      "  - allow: 80/tcp\n"
      "  - deny: 1000-1999\n"
      "  - {allow: 81/tcp, from: 192.0.2.2}\n"
      "  - {deny: 82/tcp, from: 192.0.2.0/24}\n"
      "  - {deny: 83/tcp, from: \"2001:db8::2\"}\n"
      "  - {deny: 84/tcp, from: 192.0.2.9}\n"
      "  - {allow: 85-89/tcp, from: 192.0.2.9}\n"
      "  - {allow: 90/tcp, from: 192.0.2.9}\n");
  const nft::Ruleset ruleset_ = compile::compile(policy_);
  TracedPacket packet_;
};

TEST_F(FindElement, OfPointsAndOfRanges) {
  EXPECT_EQ(found("incoming-ports"), "1");
  EXPECT_EQ(found("incoming-port-ranges"), "none");
  packet_.headers.to_port = 1999;
  EXPECT_EQ(found("incoming-port-ranges"), "2");
  packet_.headers.protocol = udp;
  EXPECT_EQ(found("incoming-port-ranges"), "2");
  packet_.headers.to_port = 2000;
  EXPECT_EQ(found("incoming-port-ranges"), "none");
}

TEST_F(FindElement, OfSeveralFields) {
  packet_.headers.to_port = 81;
  EXPECT_EQ(found("incoming-ipv4-from-ports"), "3");
  EXPECT_EQ(found("incoming-ipv4-from-port-ranges"), "none");
  packet_.headers.to_port = 82;
  EXPECT_EQ(found("incoming-ipv4-from-port-ranges"), "4");
  packet_.headers.from = address("192.0.3.0");
  EXPECT_EQ(found("incoming-ipv4-from-port-ranges"), "none");
  packet_.headers.from = address("2001:db8::2");
  EXPECT_EQ(found("incoming-ipv4-from-port-ranges"), "none");
}

TEST_F(FindElement, ByWhereItWasSent) {
  packet_.headers.to_port = 1500;
  const auto& ports = *ruleset_.find_set("incoming-ports");
  const std::vector key{nft::Field::l4proto, nft::Field::ct_original_dport};
  EXPECT_EQ(found("incoming-ports"), "none");
  EXPECT_EQ(found(ports, key), "1");
}

TEST_F(FindElement, NoneWhereTheKeyIsNotKnown) {
  packet_.headers.to_port.reset();
  EXPECT_EQ(found("incoming-ports"), "none");
  EXPECT_EQ(found(*ruleset_.find_set("incoming-ports"), {nft::Field::l4proto, nft::Field::mark}),
            "none");
}

}  // namespace
}  // namespace fwctl::testing
