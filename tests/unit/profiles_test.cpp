#include "rules/policy/profiles.h"

#include <gtest/gtest.h>

#include "tests/unit/policies.h"

namespace fwctl::testing {
namespace {

using policy::Definition;
using policy::parse_profiles;

// NAME title description: ports with their items, a line for each profile.
std::string shown(const std::vector<Definition>& profiles) {
  std::string out;
  for (const auto& profile : profiles) {
    out += profile.name + " (" + profile.title + "; " + profile.description + ")";
    for (const auto& port : profile.ports)
      out += " " + std::to_string(port.item) + ":" + text(port);
    out += "\n";
  }
  return out;
}

struct Read {
  std::string profiles;
  std::string warnings;
};

Read read(const std::vector<Source>& files) {
  Diagnostics warnings;
  const auto profiles = parse_profiles(files, etc_services, warnings);
  EXPECT_FALSE(has_errors(warnings)) << "a profile never makes a policy invalid";
  return {.profiles = shown(profiles), .warnings = render(warnings)};
}

Read read(const std::string& text) {
  return read({{.name = "d/web", .text = text}});
}

std::string with_ports(const std::string& ports) {
  return "[X]\ntitle=t\ndescription=d\nports=" + ports + "\n";
}

TEST(Profiles, AreReadAsUfwReadsThem) {
  const auto found = read(
      "# a comment\n; another\n\n"
      "[Web Server]\n"
      "title=Pages\n"
      "Description = First line,\n"
      "  second line\n"
      "ports=80,443/tcp|443/udp\n"
      "reference=https://example.org\n"
      "[9p+x_y-z.]\r\n"
      "title: by colon\r\n"
      "description=d\r\n"
      "ports=12/udp|34|56,78:90/tcp\r\n");
  EXPECT_EQ(found.warnings, "");
  EXPECT_EQ(found.profiles,
            "Web Server (Pages; First line, second line) 1:80/tcp 1:443/tcp 2:443/udp\n"
            "9p+x_y-z. (by colon; d) 1:12/udp 2:34/tcp 2:34/udp 3:56/tcp 3:78-90/tcp\n");
}

TEST(Profiles, KnowWhereTheyStand) {
  Diagnostics none;
  const auto found =
      parse_profiles({{.name = "d/web", .text = "\n" + with_ports("80/tcp")}}, "", none);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].file, "d/web");
  EXPECT_EQ(found[0].line, 2U);
  EXPECT_TRUE(found[0].profile);
}

TEST(Profiles, ABadOneIsLeftOutAndTheRestIsRead) {
  const auto found = read("[Bad]\ntitle=t\ndescription=d\nports=80,443\n" + with_ports("1/tcp"));
  EXPECT_EQ(found.profiles, "X (t; d) 1:1/tcp\n");
  EXPECT_EQ(
      found.warnings,
      "d/web:4:7: warning: lists and ranges of ports need a protocol: 80,443/tcp; this profile "
      "is left out\n"
      "  ports=80,443\n"
      "        ^~~~~~\n");
}

TEST(Profiles, SayWhatIsWrongAndWhere) {
  const auto expect = [](const std::string& text, const std::string& place,
                         const std::string& message) {
    const auto found = read(text);
    EXPECT_EQ(found.profiles, "") << text;
    EXPECT_TRUE(found.warnings.starts_with("d/web:" + place + ": warning: ")) << found.warnings;
    EXPECT_NE(found.warnings.find(message), std::string::npos) << found.warnings;
    EXPECT_EQ(found.warnings.find("warning", found.warnings.find("warning") + 1), std::string::npos)
        << "one is enough: " << found.warnings;
  };
  expect("[X]\ntitle=t\nports=1/tcp\n", "1:2", "profile 'X' has no description");
  expect("[X]\ntitle=\ndescription=d\nports=1/tcp\n", "1:2", "has no title");
  expect("[X]\ntitle=t\ndescription=d\n", "1:2", "has no ports");
  expect("[X\ntitle=t\n", "1:2", "not closed");
  expect("[X]\nwhat is this\n", "2:1", "neither KEY=VALUE nor [NAME]");
  expect("title=t\n", "1:1", "before the first [NAME]");
  expect(with_ports("0/tcp"), "4:7", "'0' is not a port");
  expect(with_ports("65536/tcp"), "4:7", "ports are 1 to 65535");
  expect(with_ports("90:80/tcp"), "4:7", "ends before it begins");
  expect(with_ports("80:/tcp"), "4:7", "a port at both ends");
  expect(with_ports("1/tcp|80:90"), "4:13", "need a protocol");
  expect(with_ports("1/tcp|"), "4:13", "nothing between commas");
  expect(with_ports("80/sctp"), "4:7", "tcp or udp");
  expect(with_ports("80/"), "4:7", "tcp or udp");
  expect(with_ports("http/tcp"), "4:7", "ports are numbers");
  expect(with_ports("any"), "4:7", "ports are numbers");
  expect("[X]\ntitle=" + std::string(1025, 'x') + "\ndescription=d\nports=1\n", "2:7",
         "more than 1024");
  expect("[X]\n" + std::string(65, 'k') + "=v\n", "2:1", "more than 64");
  for (const std::string name :
       {"22", "any", "all", "log", "-x", " x", "x ", "a/b", "a,b", "10.0.0.1", ""})
    expect("[" + name + "]\ntitle=t\ndescription=d\nports=1/tcp\n", "1:2", "a profile's name");
  expect("[" + std::string(65, 'x') + "]\ntitle=t\ndescription=d\nports=1\n", "1:2", "at most 64");
  expect("[www]\ntitle=t\ndescription=d\nports=1/tcp\n", "1:2", "'www' is a name in /etc/services");
}

TEST(Profiles, TwiceInOneFolderIsWarnedOf) {
  const Source first{.name = "d/a", .text = with_ports("1/tcp")};
  const Source second{.name = "d/b", .text = with_ports("2/tcp")};
  const Source elsewhere{.name = "e/a", .text = with_ports("3/tcp")};
  EXPECT_EQ(read({first, elsewhere}).warnings, "");
  const auto found = read({first, second});
  EXPECT_NE(found.warnings.find("d/b:1:2: warning: profile 'X' also stands at d/a:1"),
            std::string::npos)
      << found.warnings;
  Diagnostics ignored;
  const policy::ServiceTable table("", parse_profiles({first, second, elsewhere}, "", ignored));
  EXPECT_EQ(text(table.find("X")->ports.front()), "3/tcp") << "the last counts";
}

TEST(Profiles, WhatOthersLeaveBehindIsNotRead) {
  for (const auto* name : {"apache", "web.conf", "x.dpkg"})
    EXPECT_TRUE(policy::is_profile_file(name));
  for (const auto* name : {".apache", "apache~", "apache.dpkg-new", "apache.dpkg-old",
                           "apache.dpkg-dist", "apache.rpmnew", "apache.rpmsave", ""})
    EXPECT_FALSE(policy::is_profile_file(name)) << name;
}

}  // namespace
}  // namespace fwctl::testing
