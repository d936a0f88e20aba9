#include "rules/policy/services.h"

#include <gtest/gtest.h>

#include "tests/unit/policies.h"

namespace fwctl::testing {
namespace {

using policy::ServicePort;
using policy::ServiceTable;
using Ports = std::vector<ServicePort>;

TEST(ServiceTable, ReadsNamesAliasesAndBothProtocols) {
  const ServiceTable table(etc_services);
  EXPECT_EQ(table.find("domain"), (Ports{{tcp, {53, 53}}, {udp, {53, 53}}}));
  EXPECT_EQ(table.find("www"), (Ports{{tcp, {80, 80}}}));
  EXPECT_EQ(table.find("mail"), table.find("smtp"));
  EXPECT_EQ(table.find("nothing"), Ports{});
}

TEST(ServiceTable, SkipsWhatIsNoService) {
  const ServiceTable table(
      "# ssh 1/tcp\n\nbad\nzero 0/tcp\nbig 65536/tcp\noctal 022/tcp\nnoproto 5\n"
      "other 7/ddp\nsctp-only 9/sctp\n  indented\t 12/tcp # c\nlast 13/udp");
  for (const std::string name :
       {"bad", "zero", "big", "octal", "noproto", "other", "sctp-only", "#"})
    EXPECT_EQ(table.find(name), Ports{}) << name;
  EXPECT_EQ(table.find("indented"), (Ports{{tcp, {12, 12}}}));
  EXPECT_EQ(table.find("last"), (Ports{{udp, {13, 13}}}));
}

TEST(ServiceTable, KnowsTheUsualOnesWithoutAFile) {
  const ServiceTable table("");
  EXPECT_EQ(table.find("ssh"), (Ports{{tcp, {22, 22}}}));
  EXPECT_EQ(table.find("domain"), (Ports{{tcp, {53, 53}}, {udp, {53, 53}}}));
  EXPECT_EQ(table.find("wireguard"), (Ports{{udp, {51820, 51820}}}));
}

TEST(ServiceTable, TheFileOutranksTheBuiltInList) {
  EXPECT_EQ(ServiceTable("ssh 2222/tcp\n").find("ssh"), (Ports{{tcp, {2222, 2222}}}));
}

TEST(ServiceTable, WhatIsDefinedOutranksBoth) {
  ServiceTable table(etc_services);
  table.define("ssh", {{udp, {1, 2}}});
  EXPECT_EQ(table.find("ssh"), (Ports{{udp, {1, 2}}}));
}

}  // namespace
}  // namespace fwctl::testing
