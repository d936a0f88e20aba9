// `fwctl explain` from the words to what is printed: the daemon's method on a kernel in memory, its
// replies held against the interface description, and the command line's rendering of them.
#include <gtest/gtest.h>

#include <optional>

#include "cli/render.h"
#include "daemon/methods.h"
#include "daemon/protocol/interface.h"
#include "tests/kernel/fake_kernel.h"
#include "tests/unit/temporary_folder.h"

namespace fwctl {
namespace {

using protocol::Json;
using protocol::Reply;

constexpr std::string_view policy_text =
    "sets: {office: [10.0.0.0/8]}\n"
    "services: {myapp: {ports: [8080/tcp]}}\n"
    "rules:\n"
    "  - allow: 22/tcp\n"
    "  - deny: 3000/tcp\n"
    "  - allow: myapp\n"
    "    from: \"@office\"\n"
    "  - reject: 80\n"
    "  - deny: 25/tcp\n"
    "    direction: out\n";

class ExplainTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_.write("etc/policy.yaml", policy_text);
    folder_.write("services", "ssh 22/tcp\nhttp 80/tcp\n");
    firewall_.emplace(Firewall::Places{.config = folder_.path() / "etc",
                                       .state = folder_.path() / "state",
                                       .services = {folder_.path() / "services"}},
                      kernel_);
    const auto started = firewall_->start();
    ASSERT_TRUE(started) << started.error().message();
    service_.emplace(Access{}, methods(*firewall_));
  }

  void enable() { ASSERT_TRUE(firewall_->enable({.reason = "test"})); }

  Reply ask(const std::vector<std::string>& words) {
    const Reply reply = service_
                            ->answer(Peer{.uid = 0}, {.method = "org.fwctl.Firewall.Explain",
                                                      .parameters = {{"question", words}}})
                            .reply;
    const auto wrong = protocol::mismatch(interface_, "Explain", reply);
    EXPECT_FALSE(wrong) << *wrong << "\n" << reply.parameters.dump(2);
    return reply;
  }

  // What is printed, with the folder's name left out.
  std::string said(const std::vector<std::string>& words) {
    const Reply reply = ask(words);
    std::string text = reply.error.empty() ? cli::render_explanations(reply.parameters, {})
                                           : cli::render_error(reply);
    const std::string folder = (folder_.path() / "etc/").string();
    for (auto at = text.find(folder); at != std::string::npos; at = text.find(folder, at))
      text.erase(at, folder.size());
    return text;
  }

  const protocol::Interface interface_ =
      protocol::parse_interface(protocol::interface_description()).value();
  testing::TemporaryFolder folder_;
  testing::FakeKernel kernel_;
  std::optional<Firewall> firewall_;
  std::optional<Service> service_;
};

constexpr std::string_view always =
    "    what is always there: loopback, established, invalid, dhcp-client, icmp-errors, echo, "
    "neighbour-discovery, mld\n";

TEST_F(ExplainTest, NamesTheRuleThatDecidesAndThosePassed) {
  enable();
  EXPECT_EQ(said({"3000/tcp", "from", "203.0.113.9"}),
            "incoming 3000/tcp over IPv4 from 203.0.113.9: denied\n"
            "  by rule 2, deny 3000/tcp (policy.yaml:5, r5823bc53)\n"
            "  not matched:\n" +
                std::string(always) + "    rule 1, allow 22/tcp: other port\n");
}

TEST_F(ExplainTest, NamesTheDefault) {
  enable();
  EXPECT_EQ(said({"443/tcp"}),
            "incoming 443/tcp over IPv4 and IPv6 from anyone: denied\n"
            "  by the default for incoming traffic: no rule matches\n"
            "  not matched:\n" +
                std::string(always) +
                "    rule 1, allow 22/tcp: other port\n"
                "    rule 2, deny 3000/tcp: other port\n"
                "    rule 3, allow from @office to any port myapp: other port\n"
                "    rule 4, reject 80: other port\n");
}

TEST_F(ExplainTest, NamesTheItemOfTheBaseline) {
  enable();
  EXPECT_EQ(said({"icmp", "echo"}),
            "incoming icmp type 8 over IPv4, icmpv6 type 128 over IPv6 from anyone: allowed\n"
            "  by 'echo', which is always there before the rules: ping\n"
            "  not matched:\n"
            "    what is always there: loopback, established, invalid, dhcp-client, icmp-errors\n");
}

TEST_F(ExplainTest, SaysOnWhichSourcesItDepends) {
  enable();
  EXPECT_EQ(said({"myapp"}),
            "incoming 8080/tcp over IPv4 from anyone: it depends\n"
            "  @office: allowed by rule 3, allow from @office to any port myapp (policy.yaml:6, "
            "r831b89c4)\n"
            "  anyone else: denied by the default for incoming traffic: no rule matches\n"
            "  not matched:\n" +
                std::string(always) +
                "    rule 1, allow 22/tcp: other port\n"
                "    rule 2, deny 3000/tcp: other port\n"
                "    rule 4, reject 80: other port\n"
                "\n"
                "incoming 8080/tcp over IPv6 from anyone: denied\n"
                "  by the default for incoming traffic: no rule matches\n"
                "  not matched:\n" +
                std::string(always) +
                "    rule 1, allow 22/tcp: other port\n"
                "    rule 2, deny 3000/tcp: other port\n"
                "    rule 3, allow from @office to any port myapp: other address family\n"
                "    rule 4, reject 80: other port\n");
}

TEST_F(ExplainTest, AnswersForTcpAndUdpTogetherWhereTheyAgree) {
  enable();
  const Reply same = ask({"80"});
  ASSERT_EQ(same.parameters.at("explanations").size(), 1U);
  const auto& explanation = same.parameters.at("explanations").front();
  EXPECT_EQ(explanation.at("packets").size(), 4U);
  EXPECT_EQ(explanation.at("access").front().at("verdict"), "reject");
  // TCP is not of the port, UDP not of the protocol.
  EXPECT_EQ(explanation.at("passed").at(9).at("number"), 1);
  EXPECT_EQ(explanation.at("passed").at(9).at("unmet"), Json({"protocol", "port"}));
  EXPECT_NE(
      said({"80"}).find("incoming 80/tcp and 80/udp over IPv4 and IPv6 from anyone: rejected"),
      std::string::npos);
  const Reply different = ask({"22"});
  ASSERT_EQ(different.parameters.at("explanations").size(), 2U);
  EXPECT_EQ(different.parameters.at("explanations").at(0).at("packets").at(0).at("what"), "22/tcp");
  EXPECT_EQ(different.parameters.at("explanations").at(1).at("packets").at(0).at("what"), "22/udp");
}

TEST_F(ExplainTest, OutgoingPacketsAreThisHosts) {
  enable();
  const std::string text = said({"25/tcp", "out"});
  EXPECT_EQ(text.substr(0, text.find("  not matched")),
            "outgoing 25/tcp over IPv4 and IPv6: denied\n"
            "  by rule 5, deny out 25/tcp (policy.yaml:9, r902fa511)\n");
  EXPECT_EQ(ask({"25/tcp", "routed"}).parameters.at("traffic"), "routed");
}

TEST_F(ExplainTest, RoutedPacketsAndLimits) {
  ASSERT_TRUE(
      firewall_->apply("rules:\n"
                       "  - limit ssh\n"
                       "  - route deny in on eth0 out on eth1 80/tcp\n"
                       "  - route allow in on eth0 80/tcp\n",
                       "", {.reason = "test"}));
  enable();
  EXPECT_NE(said({"ssh"}).find("from anyone: limited\n  by rule 1, limit ssh ("),
            std::string::npos);
  EXPECT_EQ(said({"80/tcp", "routed", "in", "on", "eth0", "out", "on", "eth2"}),
            "routed 80/tcp over IPv4 and IPv6 from anyone: allowed\n"
            "  by rule 3, route allow in on eth0 80/tcp (policy.yaml:4, ra8cfa323)\n"
            "  not matched:\n"
            "    what is always there: established, invalid, icmp-errors\n"
            "    rule 2, route deny in on eth0 out on eth1 80/tcp: other outgoing interface\n");
  const auto access =
      ask({"80/tcp", "routed", "on", "eth0"}).parameters.at("explanations").front().at("access");
  ASSERT_EQ(access.size(), 2U);
  EXPECT_EQ(access.at(0).at("sources"), "anyone out on eth1");
  EXPECT_EQ(access.at(0).at("verdict"), "deny");
  EXPECT_EQ(access.at(1).at("verdict"), "allow");
}

TEST_F(ExplainTest, WhatAForwardSendsOnMeetsNoRule) {
  ASSERT_TRUE(
      firewall_->apply("rules:\n"
                       "  - deny 8080/tcp\n"
                       "forward:\n"
                       "  - port: 8080/tcp\n"
                       "    to: 10.0.0.5:80\n"
                       "  - port: 9000-9010/tcp\n"
                       "    to: 2001:db8::5\n"
                       "    from: 2001:db8:1::/48\n",
                       "", {.reason = "test"}));
  enable();
  EXPECT_EQ(
      said({"8080/tcp", "from", "203.0.113.9", "on", "eth0"}),
      "incoming 8080/tcp over IPv4 from 203.0.113.9: sent on to 10.0.0.5:80\n"
      "  by forward 8080/tcp to 10.0.0.5:80 (policy.yaml:4, f25f308b8), which asks no rule\n");
  EXPECT_EQ(
      said({"9001/tcp", "on", "eth0", "to", "2001:db8::1"}),
      "incoming 9001/tcp over IPv6 from anyone: it depends\n"
      "  2001:db8:1::/48: sent on to 2001:db8::5 by forward 9000-9010/tcp to 2001:db8::5 from "
      "2001:db8:1::/48 (policy.yaml:6, f3016be10), which asks no rule\n"
      "  anyone else: denied by the default for incoming traffic: no rule matches\n"
      "  not matched:\n" +
          std::string(always) + "    rule 1, deny 8080/tcp: other port\n");
  EXPECT_EQ(said({"8080/tcp", "on", "lo"}).substr(0, 60),
            "incoming 8080/tcp over IPv4 and IPv6 from anyone: allowed\n  ");
  const std::string routed = said({"80/tcp", "routed", "on", "eth0", "to", "10.0.0.5"});
  EXPECT_EQ(routed.substr(0, routed.find("  not matched")),
            "routed 80/tcp over IPv4 from anyone: denied\n"
            "  by the default for routed traffic: no rule matches\n"
            "  before the rules passes what is sent there by forward 8080/tcp to 10.0.0.5:80 "
            "(policy.yaml:4, f25f308b8), which asks no rule\n");
  const auto access = ask({"8080/tcp", "from", "203.0.113.9"})
                          .parameters.at("explanations")
                          .front()
                          .at("access")
                          .front();
  EXPECT_EQ(access.at("to"), "10.0.0.5:80");
  EXPECT_FALSE(access.contains("number"));
}

TEST_F(ExplainTest, SaysThatTheFirewallIsInactive) {
  const std::string text = said({"3000/tcp", "from", "203.0.113.9"});
  EXPECT_EQ(text.substr(0, text.find("  by rule")),
            "The firewall is inactive: every packet passes. This is what would be after 'fwctl "
            "enable':\n"
            "\n"
            "incoming 3000/tcp over IPv4 from 203.0.113.9: would be denied\n");
  EXPECT_EQ(ask({"22"}).parameters.at("enabled"), false);
  enable();
  EXPECT_EQ(ask({"22"}).parameters.at("enabled"), true);
}

TEST_F(ExplainTest, ManyRulesPassedForOneReasonAreOneLine) {
  std::string rules = "rules:\n";
  for (int port = 1; port <= 5; ++port) rules += "  - allow " + std::to_string(port) + "/tcp\n";
  ASSERT_TRUE(firewall_->apply(rules + "  - allow 9/udp\n", "", {.reason = "test"}));
  enable();
  EXPECT_NE(said({"80/tcp"}).find("    rule 5, allow 5/tcp: other port\n"), std::string::npos);
  rules += "  - allow 6/tcp\n  - allow 9/udp\n";
  ASSERT_TRUE(firewall_->apply(rules, "", {.reason = "test"}));
  EXPECT_NE(said({"80/tcp"})
                .find(std::string(always) + "    6 rules, 1 to 6: other port\n"
                                            "    rule 7, allow 9/udp: other protocol\n"),
            std::string::npos)
      << said({"80/tcp"});
}

TEST_F(ExplainTest, WhatIsAlwaysThereBehindTheRulesStandsForItself) {
  std::string rules = "rules:\n";
  for (int device = 1; device <= 7; ++device)
    rules += "  - route allow in on eth" + std::to_string(device) + "\n";
  ASSERT_TRUE(firewall_->apply(rules, "", {.reason = "test"}));
  enable();
  const auto text = said({"80/tcp", "routed", "in", "on", "wg0"});
  EXPECT_NE(text.find("    7 rules, 1 to 7: other interface\n"
                      "    what begins in a container's network: other interface\n"),
            std::string::npos)
      << text;
  EXPECT_NE(said({"80/tcp", "routed", "in", "on", "docker0"})
                .find("by 'containers', which is always there behind the rules: what begins in a "
                      "container's network"),
            std::string::npos);
}

TEST_F(ExplainTest, NoMoreThanAThousandRulesAreListed) {
  std::string rules = "rules:\n";
  for (int port = 1; port <= 1500; ++port) rules += "  - allow " + std::to_string(port) + "/tcp\n";
  ASSERT_TRUE(firewall_->apply(rules, "", {.reason = "test"}));
  enable();
  const auto explanation = ask({"3000/tcp"}).parameters.at("explanations").front();
  EXPECT_EQ(explanation.at("passed").size(), 1000U);
  EXPECT_EQ(explanation.at("unlisted"), 509) << "1500 rules and 9 items of the baseline";
  EXPECT_NE(said({"3000/tcp"})
                .find("    991 rules, 1 to 991: other port\n"
                      "    509 more rules behind these\n"),
            std::string::npos);
}

TEST_F(ExplainTest, AWrongQuestionIsAnErrorAtItsPlace) {
  EXPECT_EQ(ask({"sssh"}).error, "org.fwctl.Firewall.InvalidQuestion");
  EXPECT_EQ(said({"sssh"}),
            "command:1:1: error: no service is called 'sssh', did you mean 'ssh'?\n"
            "  sssh\n"
            "  ^~~~\n");
}

TEST_F(ExplainTest, ANumberOrAFileIsOnlyOfRulesSomeoneWrote) {
  const auto explanation = ask({"443/tcp"}).parameters.at("explanations").front();
  EXPECT_FALSE(explanation.at("access").front().contains("rule"));
  EXPECT_EQ(explanation.at("access").front().at("because"), "default");
  EXPECT_EQ(explanation.at("unlisted"), 0);
  const auto& passed = explanation.at("passed");
  EXPECT_EQ(passed.at(0).at("rule"), "loopback");
  EXPECT_FALSE(passed.at(0).contains("number"));
  EXPECT_EQ(passed.at(9).at("line"), 4);
  EXPECT_EQ(passed.at(9).at("unmet"), Json({"port"}));
}

}  // namespace
}  // namespace fwctl
