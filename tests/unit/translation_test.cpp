#include "rules/policy/translation.h"

#include <gtest/gtest.h>

#include "rules/policy/difference.h"
#include "rules/policy/edit_translation.h"
#include "rules/policy/print.h"
#include "tests/unit/policies.h"

namespace fwctl::testing {
namespace {

using policy::Forward;
using policy::Masquerade;
using policy::Translation;

std::vector<std::string> split(const std::string& line) {
  std::vector<std::string> words;
  for (std::size_t begin = 0; begin < line.size();) {
    const bool quoted = line[begin] == '\'';
    if (quoted) ++begin;
    const std::size_t end = std::min(line.find(quoted ? '\'' : ' ', begin), line.size());
    words.push_back(line.substr(begin, end - begin));
    begin = end + (quoted ? 2 : 1);
  }
  return words;
}

Translation typed(const std::string& line) {
  Diagnostics diagnostics;
  auto out = policy::parse_translation(split(line), diagnostics);
  EXPECT_EQ(render(diagnostics), "") << line;
  return out.value_or(Translation());
}

std::string text(const Translation& translation) {
  return std::visit([](const auto& one) { return command_text(one); }, translation);
}

std::string said_of(const std::string& line) {
  Diagnostics diagnostics;
  EXPECT_FALSE(policy::parse_translation(split(line), diagnostics)) << line;
  std::string out;
  for (const auto& one : diagnostics) out += std::to_string(one.at.column) + ": " + one.message;
  return out;
}

// What is typed, and how it is said back.
struct Line {
  std::string typed;
  std::string printed;
};

class TranslationText : public ::testing::TestWithParam<Line> {};

TEST_P(TranslationText, IsAFixedPointInBothForms) {
  const auto one = typed(GetParam().typed);
  EXPECT_EQ(text(one), GetParam().printed);
  EXPECT_EQ(typed(text(one)), one);
  policy::Policy policy;
  if (const auto* forward = std::get_if<Forward>(&one))
    policy.forwards = {*forward};
  else
    policy.masquerades = {std::get<Masquerade>(one)};
  Diagnostics diagnostics;
  const auto again = policy::parse(sources(yaml_text(policy)), diagnostics).policy;
  EXPECT_EQ(render(diagnostics), "");
  EXPECT_EQ(again.forwards, policy.forwards) << yaml_text(policy);
  EXPECT_EQ(again.masquerades, policy.masquerades) << yaml_text(policy);
}

INSTANTIATE_TEST_SUITE_P(
    Lines, TranslationText,
    ::testing::Values(Line{"forward 8080/tcp to 10.0.0.5:80", "forward 8080/tcp to 10.0.0.5:80"},
                      Line{"forward 80 to 10.0.0.5", "forward 80 to 10.0.0.5"},
                      Line{"forward 80,443/tcp on eth0,wg* from 10.0.0.0/8,@office to 2001:db8::5",
                           "forward 80,443/tcp to 2001:db8::5 from 10.0.0.0/8,@office on eth0,wg*"},
                      Line{"forward 53/udp to [2001:db8::5]:5353 from !2001:db8::/32",
                           "forward 53/udp to [2001:db8::5]:5353 from !2001:db8::/32"},
                      Line{"forward 'Web Server' to [2001:db8::5]",
                           "forward 'Web Server' to 2001:db8::5"},
                      Line{"masquerade out on eth0", "masquerade out on eth0"},
                      Line{"masquerade on eth0,ppp* from any", "masquerade out on eth0,ppp*"},
                      Line{"masquerade from 10.0.0.0/8,fd00::/8 on eth0",
                           "masquerade out on eth0 from 10.0.0.0/8,fd00::/8"}));

TEST(TranslationText, CommentsArePrintedAndRead) {
  const auto one = std::get<Forward>(typed("forward 80/tcp to 10.0.0.5 comment 'the shop'"));
  EXPECT_EQ(one.comment, "the shop");
  EXPECT_EQ(yaml_text(one), "  - port: 80/tcp\n    to: 10.0.0.5\n    comment: \"the shop\"\n");
  EXPECT_EQ(text(one), "forward 80/tcp to 10.0.0.5");
}

TEST(TranslationText, MistakesAreSaidAtTheirPlaces) {
  EXPECT_EQ(said_of("forward"), "8: 'forward' needs a port behind it");
  EXPECT_EQ(said_of("forward any to 10.0.0.5"), "9: a forward is of ports: 8080/tcp");
  EXPECT_EQ(said_of("forward 80/tcp"),
            "1: 'forward' needs 'to' and where it leads, as 10.0.0.5:80");
  EXPECT_EQ(said_of("forward 80/tcp to 10.0.0.5:99999"),
            "28: '99999' is not a port: one is 1 to 65535");
  EXPECT_EQ(said_of("forward 80/tcp to host"),
            "19: 'host' is not an address: a forward leads to one, as 10.0.0.5:80 or "
            "[2001:db8::5]:80");
  EXPECT_EQ(said_of("forward 80/tcp to 10.0.0.5 to 10.0.0.6"), "28: 'to' a second time");
  EXPECT_EQ(said_of("forward 80/tcp form 10.0.0.5"),
            "16: 'form' has no meaning here, did you mean 'from'?");
  EXPECT_EQ(said_of("masquerade out"), "1: 'masquerade' needs 'on' and an interface");
  EXPECT_EQ(said_of("masquerade out on"), "18: 'on' needs an interface behind it");
}

TEST(TranslationDifference, IsALineEach) {
  policy::Policy before;
  policy::Policy after;
  after.forwards = {std::get<Forward>(typed("forward 80/tcp to 10.0.0.5 comment x"))};
  before.masquerades = {std::get<Masquerade>(typed("masquerade out on eth0"))};
  EXPECT_EQ(policy::difference(before, after),
            (std::vector<std::string>{"- masquerade out on eth0",
                                      "+ forward 80/tcp to 10.0.0.5 comment 'x'"}));
}

TEST(TranslationChecked, IdsAreUniqueAndServicesMeanPorts) {
  const auto checked = load(
      "forward: [{port: domain, to: \"10.0.0.5:53\"}, {port: 80/tcp, to: 10.0.0.5}, "
      "{port: 80/tcp, to: 10.0.0.5}]\n");
  ASSERT_EQ(checked.forwards().size(), 3U);
  EXPECT_EQ(checked.forwards()[0].conditions.flows.size(), 2U);
  EXPECT_EQ(checked.forwards()[2].id, checked.forwards()[1].id + "-2");
  EXPECT_EQ(checked.forwards()[1].id.size(), 9U);
}

class TranslationEdit : public ::testing::Test {
 protected:
  void load_files(const std::string& policy_yaml, const std::string& rules_yaml) {
    sources_ = sources(policy_yaml, rules_yaml);
    policy_ = load(sources_);
    Diagnostics diagnostics;
    added_ = policy::parse(sources_, diagnostics).added;
  }
  policy::EditResult add(const std::string& line) {
    return policy::add(*policy_, sources_, added_, typed(line));
  }
  policy::EditResult remove(const std::string& line) {
    return policy::remove(*policy_, sources_, added_, typed(line));
  }

  policy::Sources sources_;
  std::optional<policy::CheckedPolicy> policy_;
  policy::Added added_;
};

TEST_F(TranslationEdit, AddsAndRemovesWhatFwctlAdded) {
  load_files("", "forward: [{port: 80/tcp, to: 10.0.0.5}]\nmasquerade: [eth0]\n");
  auto edit = add("forward 81/tcp to 10.0.0.5");
  ASSERT_TRUE(edit && edit->changed);
  EXPECT_EQ(edit->added.forwards.size(), 2U);
  edit = add("forward 80/tcp to 10.0.0.5");
  ASSERT_TRUE(edit);
  EXPECT_FALSE(edit->changed);
  EXPECT_EQ(edit->notes, std::vector<std::string>{"already there: 'forward 80/tcp to 10.0.0.5'"});
  edit = add("forward 80/tcp to 10.0.0.5 comment shop");
  ASSERT_TRUE(edit && edit->changed);
  EXPECT_EQ(edit->added.forwards.at(0).comment, "shop");
  load_files("", "forward: [{port: 80/tcp, to: 10.0.0.5, comment: shop}]\nmasquerade: [eth0]\n");
  edit = add("forward 80/tcp to 10.0.0.5 comment ''");
  ASSERT_TRUE(edit && edit->changed);
  EXPECT_EQ(edit->added.forwards.at(0).comment, "");
  edit = remove("masquerade out on eth0");
  ASSERT_TRUE(edit && edit->changed);
  EXPECT_TRUE(edit->added.masquerades.empty());
  edit = remove("forward 99/tcp to 10.0.0.5");
  ASSERT_TRUE(edit);
  EXPECT_FALSE(edit->changed);
  EXPECT_EQ(edit->notes, std::vector<std::string>{"nothing says 'forward 99/tcp to 10.0.0.5'"});
}

TEST_F(TranslationEdit, LeavesFilesOfPeopleAlone) {
  load_files("forward: [{port: 80/tcp, to: 10.0.0.5}]\n", "");
  const auto added = add("forward 80/tcp to 10.0.0.5 comment x");
  ASSERT_TRUE(added);
  EXPECT_FALSE(added->changed);
  const auto removed = remove("forward 80/tcp to 10.0.0.5");
  ASSERT_FALSE(removed);
  EXPECT_TRUE(removed.error().starts_with("'forward 80/tcp to 10.0.0.5' stands in policy.yaml:1"))
      << removed.error();
}

}  // namespace
}  // namespace fwctl::testing
