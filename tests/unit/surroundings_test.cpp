#include "rules/policy/surroundings.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/unit/policies.h"

namespace fwctl::testing {
namespace {

using policy::Names;
using policy::Surroundings;
using Lines = std::vector<std::string>;

Surroundings everything() {
  return {.users = {{"postgres", 113}, {"www-data", 33}},
          .groups = {{"backup", 34}},
          .wan = std::vector<std::string>{"eth0", "ppp0"},
          .hosts = {{"nas", {address("10.0.0.1"), address("2001:db8::1")}}}};
}

TEST(Surroundings, AreKeptAsText) {
  const std::string lines =
      "user postgres 113\nuser www-data 33\ngroup backup 34\nwan eth0 ppp0\nhost nas 10.0.0.1 "
      "2001:db8::1\n";
  EXPECT_EQ(text(everything()), lines);
  EXPECT_EQ(policy::parse_surroundings(lines), everything());
  EXPECT_EQ(text(Surroundings{}), "");
  EXPECT_EQ(policy::parse_surroundings(""), Surroundings{});
  const Surroundings no_way_out{.wan = std::vector<std::string>{}};
  EXPECT_EQ(policy::parse_surroundings(text(no_way_out)), no_way_out);
}

TEST(Surroundings, AreNoOtherText) {
  for (const auto* line : {"user postgres\n", "user postgres x\n", "user postgres 4294967296\n",
                           "user postgres 1", "host a 1\n", "host\n", "host a ::1\nhost a ::1\n",
                           "\n", "user  1\n", "user a 1\nuser a 2\n", "wan eth0\nwan eth1\n"})
    EXPECT_FALSE(policy::parse_surroundings(line)) << line;
}

TEST(Surroundings, OfAPolicyAreItsNames) {
  policy::Policy policy;
  policy.rules = {rule("deny out user postgres,5 group backup"), rule("allow 22/tcp")};
  auto names = policy::names(policy);
  EXPECT_EQ(names.users, (std::set<std::string, std::less<>>{"postgres"}));
  EXPECT_EQ(names.groups, (std::set<std::string, std::less<>>{"backup"}));
  EXPECT_FALSE(names.wan);
  for (const auto* line : {"allow in on eth0,wan 22/tcp", "route allow in on eth1 out on wan"}) {
    policy.rules = {rule(line)};
    EXPECT_TRUE(policy::names(policy).wan) << line;
  }
  policy.rules = {rule("allow from host:NAS.example,10.0.0.1 to host:b")};
  names = policy::names(policy);
  EXPECT_EQ(names.hosts, (std::set<std::string, std::less<>>{"b", "nas.example"}));
  policy.rules = {};
  policy.masquerades = {{.out_interfaces = {"wan"}}};
  EXPECT_TRUE(policy::names(policy).wan);
  policy.masquerades = {};
  policy.forwards = {{.interfaces = {"wan"}}};
  EXPECT_TRUE(policy::names(policy).wan);
}

TEST(Surroundings, LookUpWhatIsNewAndWhatMoves) {
  const Names wanted{.users = {"postgres", "root"}, .groups = {"root"}, .wan = true};
  const auto unknown = everything().to_look_up(wanted);
  EXPECT_EQ(unknown.users, (std::set<std::string, std::less<>>{"root"}));
  EXPECT_EQ(unknown.groups, wanted.groups);
  EXPECT_TRUE(unknown.wan);
  const auto surroundings_before = everything();
  auto all = surroundings_before;
  all.update({.users = {{"postgres", 1}, {"root", 0}}, .wan = std::vector<std::string>{"wg0"}});
  EXPECT_EQ(all.users.at("postgres"), 113U);
  EXPECT_EQ(all.users.at("root"), 0U);
  EXPECT_EQ(all.wan, (std::vector<std::string>{"wg0"}));
  all.update({});
  EXPECT_EQ(all.wan, (std::vector<std::string>{"wg0"})) << "what nobody found out stays";
  EXPECT_EQ(all.hosts, surroundings_before.hosts);
  all.update({.hosts = {{"nas", {address("10.0.0.2")}}}});
  EXPECT_EQ(all.hosts.at("nas"), (std::vector{address("10.0.0.2")}));
  const auto kept = all.only({.users = {"root"}});
  EXPECT_EQ(text(kept), "user root 0\n");
}

TEST(Surroundings, DifferInWhatBothHave) {
  auto now = everything();
  now.users = {{"postgres", 120}, {"root", 0}};
  now.wan->clear();
  now.hosts = {{"nas", {address("10.0.0.1"), address("10.0.0.2")}}, {"new", {address("::1")}}};
  EXPECT_EQ(difference(everything(), now),
            (Lines{"- user postgres 113", "+ user postgres 120", "- wan eth0 ppp0", "+ wan",
                   "- host nas 2001:db8::1", "+ host nas 10.0.0.2", "+ host new ::1"}));
}

}  // namespace
}  // namespace fwctl::testing
