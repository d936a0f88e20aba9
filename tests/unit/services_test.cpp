#include "rules/policy/services.h"

#include <gtest/gtest.h>

#include "rules/policy/built_in_services.h"
#include "rules/policy/print.h"
#include "tests/unit/policies.h"

namespace fwctl::testing {
namespace {

using policy::Definition;
using policy::Origin;
using policy::ServicePort;
using policy::ServiceTable;
using Ports = std::vector<ServicePort>;

Ports ports(const ServiceTable& table, const std::string& name) {
  const auto* found = table.find(name);
  return found == nullptr ? Ports{} : found->ports;
}

Definition profile(const std::string& name, std::uint16_t port) {
  return {.name = name,
          .title = {},
          .description = {},
          .ports = {{tcp, {port, port}, 1}},
          .origin = Origin::profile,
          .profile = true,
          .file = {}};
}

TEST(ServiceTable, ReadsNamesAliasesAndBothProtocols) {
  const ServiceTable table(etc_services);
  EXPECT_EQ(ports(table, "domain"), (Ports{{tcp, {53, 53}}, {udp, {53, 53}}}));
  EXPECT_EQ(ports(table, "www"), (Ports{{tcp, {80, 80}}}));
  EXPECT_EQ(ports(table, "mail"), ports(table, "smtp"));
  EXPECT_EQ(table.find("nothing"), nullptr);
}

TEST(ServiceTable, SkipsWhatIsNoService) {
  const ServiceTable table(
      "# ssh 1/tcp\n\nbad\nzero 0/tcp\nbig 65536/tcp\noctal 022/tcp\nnoproto 5\n"
      "other 7/ddp\nsctp-only 9/sctp\n  indented\t 12/tcp # c\nlast 13/udp");
  for (const std::string name :
       {"bad", "zero", "big", "octal", "noproto", "other", "sctp-only", "#"})
    EXPECT_EQ(table.find(name), nullptr) << name;
  EXPECT_EQ(ports(table, "indented"), (Ports{{tcp, {12, 12}}}));
  EXPECT_EQ(ports(table, "last"), (Ports{{udp, {13, 13}}}));
}

TEST(ServiceTable, KnowsTheUsualOnesWithoutAFile) {
  const ServiceTable table("");
  EXPECT_EQ(ports(table, "ssh"), (Ports{{tcp, {22, 22}}}));
  EXPECT_EQ(ports(table, "domain"), (Ports{{tcp, {53, 53}}, {udp, {53, 53}}}));
  EXPECT_EQ(ports(table, "wireguard"), (Ports{{udp, {51820, 51820}}}));
  EXPECT_EQ(ports(table, "samba"),
            (Ports{{udp, {137, 138}}, {tcp, {139, 139}}, {tcp, {445, 445}}}));
  EXPECT_EQ(ports(table, "ipsec"),
            (Ports{{udp, {500, 500}}, {udp, {4500, 4500}}, {{50}, all_ports}, {{51}, all_ports}}));
}

// A mistake in the list must not become a service with a port too few.
TEST(BuiltInServices, AreWellFormed) {
  const ServiceTable table("");
  std::string_view before;
  for (const auto& [name, text_of_ports, description] : policy::built_in_services()) {
    EXPECT_LT(before, name);
    before = name;
    std::string again;
    for (const auto& port : ports(table, std::string(name)))
      again += (again.empty() ? "" : " ") + text(port);
    EXPECT_EQ(again, text_of_ports) << name;
    EXPECT_FALSE(description.empty()) << name;
    for (const auto& port : ports(table, std::string(name)))
      EXPECT_EQ(port.protocol.has_ports(), port.ports != all_ports) << name;
    const std::string rule_of_it = "allow " + std::string(name);
    EXPECT_EQ(command_text(rule(rule_of_it)), rule_of_it);
  }
  EXPECT_GE(policy::built_in_services().size(), 100U);
}

TEST(ServiceTable, RanksPolicyThenEtcServicesThenProfilesThenBuiltIn) {
  EXPECT_EQ(ports(ServiceTable("ssh 2222/tcp\n"), "ssh"), (Ports{{tcp, {2222, 2222}}}));
  ServiceTable table("ssh 2222/tcp\n", {profile("ssh", 1), profile("samba", 2)});
  EXPECT_EQ(ports(table, "ssh"), (Ports{{tcp, {2222, 2222}}}));
  EXPECT_EQ(ports(table, "samba"), (Ports{{tcp, {2, 2}, 1}}));
  table.define(
      {.name = "ssh", .title = {}, .description = {}, .ports = {{udp, {1, 2}}}, .file = {}});
  EXPECT_EQ(ports(table, "ssh"), (Ports{{udp, {1, 2}}}));
  table.define(
      {.name = "samba", .title = {}, .description = {}, .ports = {{udp, {3, 3}}}, .file = {}});
  EXPECT_EQ(ports(table, "samba"), (Ports{{udp, {3, 3}}}));
}

TEST(ServiceTable, FindsAProfileWhateverItsCase) {
  const ServiceTable table("", {profile("Web Server", 80), profile("SAMBA", 2), profile("Twin", 3),
                                profile("TWIN", 4), profile("NTP", 5), profile("Ntp", 6)});
  EXPECT_EQ(ports(table, "Web Server"), (Ports{{tcp, {80, 80}, 1}}));
  EXPECT_EQ(ports(table, "web server"), (Ports{{tcp, {80, 80}, 1}}));
  EXPECT_EQ(ports(table, "samba"), (Ports{{tcp, {2, 2}, 1}})) << "before the built-in one";
  EXPECT_EQ(ports(table, "TWIN"), (Ports{{tcp, {4, 4}, 1}}));
  EXPECT_EQ(table.find("twin"), nullptr);
  EXPECT_EQ(table.alike("twin").size(), 2U);
  EXPECT_EQ(ports(table, "ntp"), (Ports{{udp, {123, 123}}})) << "exact beats several";
}

TEST(ServiceTable, WhatIsKeptMeansTheSameWithoutTheHost) {
  const ServiceTable host("ssh 2222/tcp\n", {profile("Web Server", 80)});
  std::string lines;
  for (const std::string name : {"ssh", "Web Server", "ipsec", "samba"})
    lines += kept_text(name, *host.find(name));
  lines += kept_text("web server", *host.find("web server"));
  ServiceTable later("ssh 22/tcp\n", {profile("Web Server", 8080), profile("Samba", 9)});
  later.keep(lines);
  for (const std::string name : {"ssh", "Web Server", "web server", "ipsec", "samba"}) {
    ASSERT_NE(later.find(name), nullptr) << name;
    EXPECT_EQ(later.find(name)->ports, host.find(name)->ports) << name;
    EXPECT_EQ(later.find(name)->profile, host.find(name)->profile) << name;
  }
  later.keep("ssh 1/tcp\n");
  EXPECT_EQ(ports(later, "ssh"), (Ports{{tcp, {1, 1}}})) << "the later lines count";
}

TEST(KeptServices, SayWhatDiffers) {
  using Lines = std::vector<std::string>;
  const std::string before = "a 1/tcp\na 2/tcp\nWeb%20Server 80/tcp profile 1\ngone 5/udp\n";
  EXPECT_EQ(policy::kept_difference(before, before), Lines{});
  EXPECT_EQ(policy::kept_difference(before, "a 2/tcp\na 3/tcp\nWeb%20Server 81/tcp profile 1\n"),
            (Lines{"- service Web Server 80/tcp", "+ service Web Server 81/tcp",
                   "- service a 1/tcp", "+ service a 3/tcp"}));
  EXPECT_EQ(policy::without_kept(before, "web SERVER"), "a 1/tcp\na 2/tcp\ngone 5/udp\n");
}

}  // namespace
}  // namespace fwctl::testing
