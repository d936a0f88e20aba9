#include "rules/policy/grammar.h"

#include <gtest/gtest.h>

#include <cstdio>

#include "rules/policy/print.h"
#include "tests/unit/policies.h"
#include "tests/unit/random_policy.h"
#include "tests/unit/rounds.h"

namespace fwctl::testing {
namespace {

using policy::Direction;
using policy::PortItem;
using policy::Rule;
using policy::ServiceName;
using policy::SetName;
using policy::Verdict;
using Words = std::vector<std::string>;

Words words(const std::string& line) {
  Words out(1);
  for (const char c : line)
    if (c == ' ')
      out.emplace_back();
    else
      out.back() += c;
  return out;
}

// What the command line says about these words.
std::string refusal(const Words& typed) {
  Diagnostics diagnostics;
  const auto rule = policy::parse_rule(typed, diagnostics);
  EXPECT_EQ(rule.has_value(), diagnostics.empty());
  return render(diagnostics);
}

std::string refusal(const std::string& line) {
  return refusal(words(line));
}

PortItem port(std::uint16_t first, std::uint16_t last, std::optional<Protocol> protocol = {}) {
  return {.what = PortRange{first, last}, .protocol = protocol};
}

policy::AddressItem range(std::string_view first, std::string_view last) {
  return {.what = AddressRange{address(first), address(last)}};
}

TEST(Grammar, ReadsEachClause) {
  EXPECT_EQ(rule("allow 22"), (Rule{.verdict = Verdict::allow, .ports = {port(22, 22)}}));
  EXPECT_EQ(rule("deny 22/tcp"), (Rule{.verdict = Verdict::deny, .ports = {port(22, 22, tcp)}}));
  EXPECT_EQ(rule("reject ssh"),
            (Rule{.verdict = Verdict::reject, .ports = {{.what = ServiceName{"ssh"}}}}));
  EXPECT_EQ(rule("allow 9000-9010/udp"),
            (Rule{.verdict = Verdict::allow, .ports = {port(9000, 9010, udp)}}));
  EXPECT_EQ(rule("allow 9000:9010/udp"), rule("allow 9000-9010/udp")) << "as ufw writes it";
  EXPECT_EQ(rule("allow in 22"), rule("allow 22"));
  EXPECT_EQ(rule("allow out 22").direction, Direction::out);
  EXPECT_EQ(rule("allow out on eth0,wg* 22").interfaces, (Words{"eth0", "wg*"}));
  EXPECT_EQ(rule("allow on eth0").interfaces, Words{"eth0"});
  EXPECT_EQ(rule("allow in on eth0 log 22").log, policy::Log::fresh);
  EXPECT_EQ(rule("allow 22 comment 'a b'").comment, "a b");
  EXPECT_EQ(rule("allow proto esp").protocol, Protocol{50});
  EXPECT_EQ(rule("allow from 10.0.0.0/8").from, std::vector{range("10.0.0.0", "10.255.255.255")});
  EXPECT_EQ(rule("allow from 10.0.0.0/255.0.0.0"), rule("allow from 10.0.0.0/8"));
  EXPECT_EQ(rule("allow to ::1").to, std::vector{range("::1", "::1")});
  EXPECT_EQ(rule("allow from @office").from,
            (std::vector<policy::AddressItem>{{.what = SetName{"office"}}}));
  EXPECT_EQ(rule("allow from 10.0.0.1-10.0.0.9").from, std::vector{range("10.0.0.1", "10.0.0.9")});
  EXPECT_EQ(rule("allow from any").from, std::vector<policy::AddressItem>{});
  EXPECT_EQ(rule("allow to 2001:db8::1:2/-64").to,
            (std::vector<policy::AddressItem>{{.what = suffix(address("::1:2"), 64)}}));
  EXPECT_EQ(rule("allow to !::1:2/-64,!10.0.0.1").to.size(), 2U);
  EXPECT_EQ(rule("allow from any port 67 to any port 68").from_ports, std::vector{port(67, 67)});
  EXPECT_EQ(rule("allow from any port 67 to any port 68").ports, std::vector{port(68, 68)});
  EXPECT_EQ(rule("allow proto any from 10.0.0.1"), rule("allow from 10.0.0.1"));
}

TEST(Grammar, ClausesStandInAnyOrder) {
  EXPECT_EQ(rule("allow to 10.0.0.1 port 22 from 10.0.0.2 proto tcp comment x"),
            rule("allow proto tcp from 10.0.0.2 to 10.0.0.1 port 22 comment x"));
  EXPECT_EQ(rule("allow 22 proto tcp from 10.0.0.2"),
            rule("allow proto tcp from 10.0.0.2 to any port 22"));
}

TEST(Grammar, TheProtocolGoesToThePorts) {
  EXPECT_EQ(rule("allow proto tcp to any port 22"), rule("allow 22/tcp"));
  EXPECT_EQ(rule("allow proto tcp to any port 22").protocol, std::nullopt);
  EXPECT_EQ(rule("allow 80,443/tcp"), rule("allow 80/tcp,443/tcp"));
  EXPECT_EQ(rule("allow 80/any,443/tcp").ports, (std::vector{port(80, 80), port(443, 443, tcp)}));
  EXPECT_EQ(rule("allow 53/udp,443/tcp").ports,
            (std::vector{port(53, 53, udp), port(443, 443, tcp)}));
}

TEST(Grammar, ForCountsFromTheCommand) {
  const Time now = *parse_time("2026-11-22T16:00:00Z");
  Diagnostics diagnostics;
  const auto read = policy::parse_rule({"allow", "22/tcp", "for", "2h"}, diagnostics, now);
  ASSERT_TRUE(read) << render(diagnostics);
  EXPECT_EQ(*read, rule("allow 22/tcp until 2026-11-22T18:00:00Z"));
  EXPECT_EQ(command_text(*read), "allow 22/tcp until 2026-11-22T18:00:00Z");
  EXPECT_EQ(policy::rule_id(*read), policy::rule_id(rule("allow 22/tcp")));
  const auto said = [&](const Words& words) {
    diagnostics.clear();
    EXPECT_FALSE(policy::parse_rule(words, diagnostics, now));
    return render(diagnostics);
  };
  EXPECT_EQ(
      said({"allow", "22", "for", "2x"}),
      "command:1:14: error: '2x' is not how long something lasts: '2h', '45m', '1h30m', of w, "
      "d, h, m and s, larger units first\n"
      "  allow 22 for 2x\n"
      "               ^~\n");
  EXPECT_NE(said({"allow", "22", "for", "0s"}).find("lasts at least a second"), std::string::npos);
  EXPECT_NE(said({"allow", "22", "for", "53w"}).find("at most 366 days"), std::string::npos);
  EXPECT_NE(said({"allow", "22", "for"}).find("'for' needs how long"), std::string::npos);
  EXPECT_NE(said({"allow", "22", "for", "1h", "for", "1h"}).find("a rule ends once"),
            std::string::npos);
  EXPECT_NE(said({"allow", "22", "until", "2026-11-22T16:00:00Z"}).find("that is over"),
            std::string::npos);
  EXPECT_NE(refusal("allow 22 for 2h").find("write 'until' and a time in UTC instead"),
            std::string::npos);
  EXPECT_NE(refusal("allow 22 until tomorrow").find("'tomorrow' is not a time in UTC"),
            std::string::npos);
}

TEST(Grammar, SaysWhatIsWrongWithASuffix) {
  EXPECT_EQ(refusal("allow to 10.0.0.1/-8"),
            "command:1:10: error: '10.0.0.1/-8' is of IPv4: only IPv6 addresses are known by their "
            "end\n"
            "  allow to 10.0.0.1/-8\n"
            "           ^~~~~~~~~~~\n");
  for (const auto* length : {"-0", "-128", "-064", "-", "-x"})
    EXPECT_NE(refusal("allow to ::1/" + std::string(length))
                  .find("'" + std::string(length) + "' is not the length of a suffix: -1 to -127"),
              std::string::npos)
        << refusal("allow to ::1/" + std::string(length));
}

TEST(Grammar, SaysWhatIsWrongAndWhere) {
  EXPECT_EQ(refusal(Words{}),
            "command:1:1: error: an empty rule: it begins with allow, deny, reject or limit\n");
  EXPECT_EQ(
      refusal("alow 22/tcp"),
      "command:1:1: error: 'alow' is not allow, deny, reject or limit, did you mean 'allow'?\n"
      "  alow 22/tcp\n"
      "  ^~~~\n");
  EXPECT_EQ(refusal("allow"),
            "command:1:1: error: this rule names no port, address or interface: say what to allow, "
            "or 'from "
            "any' for everything\n"
            "  allow\n"
            "  ^~~~~\n");
  EXPECT_EQ(refusal("allow in on"),
            "command:1:12: error: 'on' needs an interface behind it\n"
            "  allow in on\n"
            "             ^\n");
  EXPECT_EQ(refusal("allow from"),
            "command:1:11: error: 'from' needs an address, or any behind it\n"
            "  allow from\n"
            "            ^\n");
  EXPECT_EQ(refusal("allow from any port"),
            "command:1:20: error: 'port' needs a port behind it\n"
            "  allow from any port\n"
            "                     ^\n");
  EXPECT_EQ(refusal("allow from any port any"),
            "command:1:21: error: leave 'port' out to mean any port\n"
            "  allow from any port any\n"
            "                      ^~~\n");
  EXPECT_EQ(refusal("allow from 10.0.0.0/33"),
            "command:1:21: error: '33' is not a prefix length: 0 to 32\n"
            "  allow from 10.0.0.0/33\n"
            "                      ^~\n");
  EXPECT_EQ(refusal("allow from 10.0.0.1,fe80::/129"),
            "command:1:28: error: '129' is not a prefix length: 0 to 128\n"
            "  allow from 10.0.0.1,fe80::/129\n"
            "                             ^~~\n");
  EXPECT_EQ(refusal("allow from 10.0.0.300"),
            "command:1:12: error: '10.0.0.300' is not an IPv4 or IPv6 address\n"
            "  allow from 10.0.0.300\n"
            "             ^~~~~~~~~~\n");
  EXPECT_EQ(refusal("allow from 10.0.0.9-10.0.0.1"),
            "command:1:12: error: an empty range: '10.0.0.9-10.0.0.1' ends before it begins\n"
            "  allow from 10.0.0.9-10.0.0.1\n"
            "             ^~~~~~~~~~~~~~~~~\n");
  EXPECT_EQ(refusal("allow from 10.0.0.1-::9"),
            "command:1:12: error: a range of addresses has one family\n"
            "  allow from 10.0.0.1-::9\n"
            "             ^~~~~~~~~~~~\n");
  EXPECT_EQ(refusal("allow from any,10.0.0.1"),
            "command:1:12: error: 'any' stands alone, not in a list\n"
            "  allow from any,10.0.0.1\n"
            "             ^~~\n");
  EXPECT_EQ(refusal("allow from @"),
            "command:1:12: error: '@' is not the name of a set\n"
            "  allow from @\n"
            "             ^\n");
  EXPECT_EQ(refusal("allow 10.0.0.1"),
            "command:1:7: error: an address needs 'from' or 'to' before it\n"
            "  allow 10.0.0.1\n"
            "        ^~~~~~~~\n");
  EXPECT_EQ(refusal("allow any"),
            "command:1:7: error: say 'from any' to mean every packet\n"
            "  allow any\n"
            "        ^~~\n");
}

TEST(Grammar, RefusesPortsThatAreNone) {
  EXPECT_EQ(refusal("allow 0"),
            "command:1:7: error: '0' is not a port: ports are 1 to 65535\n"
            "  allow 0\n"
            "        ^\n");
  EXPECT_EQ(refusal("allow 65536/tcp"),
            "command:1:7: error: '65536' is not a port: ports are 1 to 65535\n"
            "  allow 65536/tcp\n"
            "        ^~~~~\n");
  EXPECT_EQ(refusal("allow 022"),
            "command:1:7: error: '022' has a leading zero: write ports as plain decimal numbers\n"
            "  allow 022\n"
            "        ^~~\n");
  EXPECT_EQ(refusal("allow 22,,80"),
            "command:1:10: error: nothing between commas\n"
            "  allow 22,,80\n"
            "           ^\n");
  EXPECT_EQ(refusal("allow 80,443,"),
            "command:1:14: error: nothing between commas\n"
            "  allow 80,443,\n"
            "               ^\n");
  EXPECT_EQ(refusal("allow 9010-9000/tcp"),
            "command:1:7: error: an empty range: '9010-9000' ends before it begins\n"
            "  allow 9010-9000/tcp\n"
            "        ^~~~~~~~~\n");
  EXPECT_EQ(refusal("allow 1-"),
            "command:1:7: error: '1-' is no range of ports: one has a port at both ends\n"
            "  allow 1-\n"
            "        ^~\n");
  EXPECT_EQ(refusal("allow 80,22/tpc"),
            "command:1:13: error: 'tpc' is not a protocol: tcp, udp, icmp, ... or a number to 255\n"
            "  allow 80,22/tpc\n"
            "              ^~~\n");
  EXPECT_EQ(refusal("allow 22/esp"),
            "command:1:10: error: protocol esp has no ports\n"
            "  allow 22/esp\n"
            "           ^~~\n");
  EXPECT_EQ(refusal("allow any,22"),
            "command:1:7: error: 'any' is not a port: ports are 1 to 65535\n"
            "  allow any,22\n"
            "        ^~~\n");
}

TEST(Grammar, RefusesInterfacesThatAreNone) {
  EXPECT_EQ(refusal("allow on abcdefghijklmnop"),
            "command:1:10: error: interface names have at most 15 characters\n"
            "  allow on abcdefghijklmnop\n"
            "           ^~~~~~~~~~~~~~~~\n");
  EXPECT_EQ(refusal("allow on eth0,*"),
            "command:1:16: error: a pattern needs at least one character before the *\n"
            "  allow on 'eth0,*'\n"
            "                 ^\n");
  EXPECT_EQ(refusal("allow on any 22"),
            "command:1:10: error: no interface is called any: leave the interface out instead\n"
            "  allow on any 22\n"
            "           ^~~\n");
  EXPECT_EQ(refusal("allow on a/b"),
            "command:1:10: error: 'a/b' is not an interface name\n"
            "  allow on a/b\n"
            "           ^~~\n");
  EXPECT_EQ(refusal(Words{"allow", "on", ".."}).find("command:1:10: error: '..' is not"), 0U);
}

TEST(Grammar, RefusesProtocolsThatDisagree) {
  EXPECT_EQ(refusal("allow proto udp to any port 22/tcp"),
            "command:1:29: error: '22/tcp' disagrees with protocol udp\n"
            "  allow proto udp to any port 22/tcp\n"
            "                              ^~~~~~\n");
  EXPECT_EQ(refusal("allow proto esp from any port 22"),
            "command:1:31: error: protocol esp has no ports\n"
            "  allow proto esp from any port 22\n"
            "                                ^~\n");
}

TEST(Grammar, NothingIsSaidTwice) {
  EXPECT_EQ(refusal("allow from 10.0.0.1 from 10.0.0.2"),
            "command:1:21: error: 'from' a second time\n"
            "  allow from 10.0.0.1 from 10.0.0.2\n"
            "                      ^~~~\n");
  EXPECT_EQ(refusal("allow 22/tcp to any port 80"),
            "command:1:26: error: the ports are given already\n"
            "  allow 22/tcp to any port 80\n"
            "                           ^~\n");
  EXPECT_EQ(refusal("allow 22 comment a comment b"),
            "command:1:20: error: 'comment' a second time\n"
            "  allow 22 comment a comment b\n"
            "                     ^~~~~~~\n");
}

TEST(Grammar, KnowsWhereWordsBelong) {
  EXPECT_EQ(refusal("allow 22 log"),
            "command:1:10: error: 'log' stands directly behind the verdict: allow [in|out] [on "
            "INTERFACE] [log] "
            "...\n"
            "  allow 22 log\n"
            "           ^~~\n");
  EXPECT_EQ(refusal("allow from any 22 port 22"),
            "command:1:16: error: '22' has no meaning here\n"
            "  allow from any 22 port 22\n"
            "                 ^~\n");
  EXPECT_EQ(refusal("allow 22 port 22"),
            "command:1:10: error: 'port' stands behind 'from ADDRESS' or 'to ADDRESS'\n"
            "  allow 22 port 22\n"
            "           ^~~~\n");
  EXPECT_EQ(refusal("allow form 10.0.0.1"),
            "command:1:7: error: 'form' has no meaning here, did you mean 'from'?\n"
            "  allow form 10.0.0.1\n"
            "        ^~~~\n");
  EXPECT_EQ(refusal("allow from 10.0.0.1 prot tcp"),
            "command:1:21: error: 'prot' has no meaning here, did you mean 'proto'?\n"
            "  allow from 10.0.0.1 prot tcp\n"
            "                      ^~~~\n");
}

// "allow out" would be read back as something else.
TEST(Grammar, ItsOwnWordsAreNoServices) {
  EXPECT_EQ(refusal("allow in out"),
            "command:1:10: error: 'out' is a word of the rule language and no service\n"
            "  allow in out\n"
            "           ^~~\n");
}

TEST(Grammar, ACommentIsOneShortLine) {
  EXPECT_EQ(refusal(Words{"allow", "22", "comment", "a\nb"}).substr(0, 51),
            "command:1:18: error: a comment is one line of text\n");
  EXPECT_EQ(refusal(Words{"allow", "22", "comment", std::string(200, 'x')}), "");
  EXPECT_EQ(refusal(Words{"allow", "22", "comment", std::string(201, 'x')}).substr(0, 55),
            "command:1:18: error: a comment has at most 200 bytes\n  ");
  EXPECT_EQ(refusal("allow 22 comment"),
            "command:1:17: error: 'comment' needs a text behind it\n"
            "  allow 22 comment\n"
            "                  ^\n");
}

TEST(Grammar, CountsColumnsBehindQuotedWords) {
  EXPECT_EQ(refusal(Words{"allow", "on", "wg*", "22", "comment", "a b", "nonsense"}),
            "command:1:33: error: 'nonsense' has no meaning here\n"
            "  allow on 'wg*' 22 comment 'a b' nonsense\n"
            "                                  ^~~~~~~~\n");
}

TEST(Grammar, ReadsOneTextWithinAFile) {
  Diagnostics diagnostics;
  const Source source{.name = "policy.yaml", .text = "rules:\n  - \"allow 22/tcp form x\"\n"};
  EXPECT_FALSE(
      policy::parse_rule("allow 22/tcp form x", source, {.line = 2, .column = 6}, diagnostics));
  EXPECT_EQ(render(diagnostics),
            "policy.yaml:2:19: error: 'form' has no meaning here, did you mean 'from'?\n"
            "    - \"allow 22/tcp form x\"\n"
            "                    ^~~~\n");
}

TEST(Grammar, AQuoteMustClose) {
  Diagnostics diagnostics;
  const Source source{.name = "x", .text = "allow 22 comment 'a b"};
  EXPECT_FALSE(policy::parse_rule(source.text, source, {.line = 1, .column = 1}, diagnostics));
  EXPECT_EQ(render(diagnostics), "x:1:18: error: a quote that is not closed\n  " + source.text +
                                     "\n                   ^\n");
}

TEST(Grammar, AnyWordsAreARuleOrARefusal) {
  RandomPolicy random(3);
  constexpr std::array<std::string_view, 26> known{
      "allow",   "deny",  "reject",  "in",  "out", "on",         "log", "from",       "to",
      "port",    "proto", "comment", "any", "22",  "80,443/tcp", "ssh", "10.0.0.0/8", "::1",
      "@office", "eth0",  "",        "tcp", "0",   "\x1b[2J",    "'",   "9-1"};
  for (int count = 0; count < rounds(50'000); ++count) {
    Words typed{std::string(random.pick(std::array{"allow", "deny", "reject", "alow"}))};
    for (std::size_t length = random.below(9); length != 0; --length)
      typed.emplace_back(random.pick(known));
    Diagnostics diagnostics;
    const auto read = policy::parse_rule(typed, diagnostics);
    ASSERT_EQ(read.has_value(), diagnostics.empty()) << policy::join(typed);
    ASSERT_EQ(render(diagnostics).find('\x1b'), std::string::npos);
    if (read) {
      ASSERT_EQ(rule(command_text(*read)).same_meaning(*read), true) << policy::join(typed);
    }
  }
}

TEST(Grammar, TakesNamesOfProfiles) {
  const auto named = [](const std::string& name) {
    return std::vector<PortItem>{{.what = ServiceName{name}}};
  };
  EXPECT_EQ(rule("allow 'Web Server'").ports, named("Web Server"));
  EXPECT_EQ(rule("allow 0verkill").ports, named("0verkill"));
  EXPECT_EQ(rule("allow to any app 'Web Server'"), rule("allow 'Web Server'"));
  EXPECT_EQ(rule("deny in on eth0 log from 10.0.0.0/8 app A to 10.0.0.1 app 'B c' comment x"),
            (Rule{.verdict = Verdict::deny,
                  .log = policy::Log::fresh,
                  .interfaces = {"eth0"},
                  .from = {range("10.0.0.0", "10.255.255.255")},
                  .from_ports = named("A"),
                  .to = {range("10.0.0.1", "10.0.0.1")},
                  .ports = named("B c"),
                  .comment = "x"}));
  EXPECT_EQ(rule("allow from any app A to any port 13").ports, (std::vector{port(13, 13)}));
  EXPECT_EQ(rule("allow proto any to any app A"), rule("allow A"));
  EXPECT_EQ(rule("allow app").ports, named("app")) << "a word of its own only behind an address";
}

TEST(Grammar, RefusesAppWhereItMakesNoSense) {
  EXPECT_EQ(refusal("allow proto tcp to any app Samba"),
            "command:1:24: error: 'app' brings its own protocols: leave 'proto' out\n"
            "  allow proto tcp to any app Samba\n"
            "                         ^~~\n");
  EXPECT_EQ(refusal("allow to any app Samba proto udp"),
            "command:1:14: error: 'app' brings its own protocols: leave 'proto' out\n"
            "  allow to any app Samba proto udp\n"
            "               ^~~\n");
  EXPECT_EQ(refusal("allow from any app 22"),
            "command:1:20: error: '22' is not the name of a service: ports stand behind 'port'\n"
            "  allow from any app 22\n"
            "                     ^~\n");
  EXPECT_EQ(refusal("allow from any app Samba/tcp"),
            "command:1:20: error: 'Samba/tcp' is not the name of a service: ports stand behind "
            "'port'\n"
            "  allow from any app Samba/tcp\n"
            "                     ^~~~~~~~~\n");
  EXPECT_NE(refusal("allow to any app log").find("is not the name of a service"),
            std::string::npos);
  EXPECT_NE(refusal("allow to any app").find("'app' needs the name of a service behind it"),
            std::string::npos);
  EXPECT_NE(refusal("allow 22 to any app Samba").find("the ports are given already"),
            std::string::npos);
  EXPECT_NE(refusal("allow to any port 22 app Samba")
                .find("'app' stands behind 'from ADDRESS' or 'to ADDRESS'"),
            std::string::npos);
}

TEST(Join, LeavesPlainWordsAlone) {
  EXPECT_EQ(policy::join({"allow", "80,443/tcp"}), "allow 80,443/tcp");
  EXPECT_EQ(policy::join({"a", "", "b c"}), "a '' 'b c'");
}

// The witness is the shell itself.
TEST(Join, IsSplitByAShellIntoTheSameWords) {
  RandomPolicy random(5);
  std::vector<Words> lines{{"it's", "\"both\" and 'both'", "$HOME", "`id`", "a\\b", "~", "*",
                            "[a-z]", "{a,b}", "a\tb", "a\nb", "#c", "!x", "a;b", "x=y", "é"}};
  for (int count = 0; count < 20; ++count) lines.push_back({random.comment(), random.comment()});
  for (const auto& line : lines) {
    FILE* shell = popen(("printf '%s\\036' " + policy::join(line)).c_str(), "r");
    ASSERT_NE(shell, nullptr);
    std::string output;
    for (int c = std::fgetc(shell); c != EOF; c = std::fgetc(shell)) output += static_cast<char>(c);
    EXPECT_EQ(pclose(shell), 0);
    std::string expected;
    for (const auto& word : line) expected += word + '\036';
    EXPECT_EQ(output, expected);
  }
}

}  // namespace
}  // namespace fwctl::testing
