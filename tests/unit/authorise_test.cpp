#include "daemon/authorise.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "daemon/protocol/interface.h"

namespace fwctl {
namespace {

const std::string status = "org.fwctl.Firewall.Status";
const std::string add = "org.fwctl.Firewall.Add";
const std::string info = "org.varlink.service.GetInfo";

Peer peer(uid_t uid, gid_t gid, std::vector<gid_t> groups = {}) {
  return {uid, gid, 1, std::move(groups)};
}

TEST(MethodRoles, NameExactlyWhatIsDescribed) {
  std::multiset<std::string> described;
  for (const std::string_view text :
       {protocol::interface_description(), protocol::service_description()}) {
    const auto interface = protocol::parse_interface(text).value();
    for (const auto& [method, types] : interface.methods)
      described.insert(interface.name + "." + method);
  }
  std::multiset<std::string> listed;
  for (const MethodRole& entry : method_roles()) listed.emplace(entry.method);
  EXPECT_EQ(listed, described);
}

// What changes something must not slip to those who may only look.
TEST(MethodRoles, OnlyTheseNeedLessThanChange) {
  std::set<std::string> lesser;
  for (const MethodRole& entry : method_roles())
    if (entry.role != Role::change) lesser.emplace(entry.method);
  EXPECT_EQ(lesser,
            (std::set<std::string>{
                "org.varlink.service.GetInfo", "org.varlink.service.GetInterfaceDescription",
                "org.fwctl.Firewall.Status", "org.fwctl.Firewall.Diff", "org.fwctl.Firewall.Show",
                "org.fwctl.Firewall.Ports", "org.fwctl.Firewall.Services",
                "org.fwctl.Firewall.Sets", "org.fwctl.Firewall.Bans", "org.fwctl.Firewall.Log",
                "org.fwctl.Firewall.Explain", "org.fwctl.Firewall.History"}));
}

TEST(Authorise, RootMayAll) {
  for (const MethodRole& entry : method_roles())
    EXPECT_TRUE(allowed({}, peer(0, 1000), entry.method)) << entry.method;
}

TEST(Authorise, AnyoneMayAskWhatThereIs) {
  EXPECT_TRUE(allowed({}, peer(1000, 1000), info));
  EXPECT_FALSE(allowed({}, peer(1000, 1000), status));
  EXPECT_FALSE(allowed({}, peer(1000, 1000), add));
}

TEST(Authorise, GroupOfRootIsNotRoot) {
  EXPECT_FALSE(allowed({}, peer(1000, 0, {0}), status));
}

TEST(Authorise, PrimaryAndSupplementaryGroupsCount) {
  const Access access{.users = {}, .groups = {{990, Role::look}}};
  EXPECT_TRUE(allowed(access, peer(1000, 990), status));
  EXPECT_TRUE(allowed(access, peer(1000, 1000, {4, 990}), status));
  EXPECT_FALSE(allowed(access, peer(1000, 1000, {4}), status));
  EXPECT_FALSE(allowed(access, peer(990, 1000), status));
  EXPECT_FALSE(allowed(access, peer(1000, 990), add));
}

TEST(Authorise, TheHighestGrantCounts) {
  const Access access{.users = {{1000, Role::look}},
                      .groups = {{990, Role::look}, {990, Role::change}, {990, Role::look}}};
  EXPECT_TRUE(allowed(access, peer(1000, 990), add));
  EXPECT_EQ(role_of(access, peer(1000, 1000)), Role::look);
  EXPECT_EQ(role_of(access, peer(1001, 1000)), Role::none);
}

TEST(Authorise, NobodyMayCallWhatIsNotThere) {
  EXPECT_FALSE(allowed({}, peer(0, 0), "org.fwctl.Firewall.Nothing"));
  EXPECT_FALSE(allowed({}, peer(0, 0), "Status"));
  EXPECT_FALSE(required_role("org.fwctl.Firewall.Statu"));
}

TEST(Role, HasAName) {
  EXPECT_EQ(name(Role::none), "none");
  EXPECT_EQ(name(Role::look), "look");
  EXPECT_EQ(name(Role::change), "change");
}

}  // namespace
}  // namespace fwctl
