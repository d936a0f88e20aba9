// What we encode, read by libnftnl, must be the very expressions nft makes of our text: the packets
// are judged by these, and neither witness is ours.
#include <gtest/gtest.h>
#include <netinet/in.h>  // before linux/netfilter.h

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include <algorithm>
#include <regex>
#include <sstream>
#include <variant>

#include "daemon/netlink/decode.h"
#include "daemon/netlink/encode.h"
#include "daemon/netlink/message.h"
#include "daemon/netlink/object.h"
#include "daemon/netlink/socket.h"
#include "rules/nft/text.h"
#include "tests/kernel/own_namespace.h"
#include "tests/kernel/sample_rulesets.h"

namespace fwctl::testing {
namespace {

// A rule as libnftnl prints it: "inet fwctl input", then a line for each expression.
std::string printed(const nlmsghdr& message) {
  const auto rule = netlink::new_rule();
  if (nftnl_rule_nlmsg_parse(&message, rule.get()) < 0) return "not a rule to libnftnl";
  std::string text(1 << 16, '\0');
  const int length = nftnl_rule_snprintf(text.data(), text.size(), rule.get(), 0, 0);
  text.resize(static_cast<std::size_t>(length));
  return text + '\n';
}

// The message of each rule that `changes` add.
std::string encoded_rules(const nft::Changes& changes) {
  netlink::Batch batch;
  batch.encode(changes, 1, netlink::Ending::commit);
  std::string all;
  netlink::for_each_message(batch.messages(), [&](const nlmsghdr& message) {
    if ((message.nlmsg_type & 0xff) == NFT_MSG_NEWRULE) all += printed(message);
  });
  return all;
}

// Of what libnftnl or `nft --debug=netlink` prints, without sets, chains and empty lines.
std::string only_rules(const std::string& output) {
  // What nft adds where a byte is part of an interval: it turns no byte, as there is no second one.
  static const std::regex nothing_turned("byteorder reg [0-9]+ = hton\\(reg [0-9]+, 2, 1\\)");
  std::istringstream lines(output);
  std::string kept;
  for (std::string line; std::getline(lines, line);)
    if ((line.starts_with("inet fwctl ") || line.starts_with("  ")) &&
        !std::regex_search(line, nothing_turned))
      kept += line + '\n';
  return kept;
}

// nft loads and compares two ports that lie side by side as one.
bool has_both_ports(const nft::Rule& rule) {
  const auto matches = [&](nft::Field field) {
    return std::ranges::any_of(rule.statements, [&](const nft::Statement& statement) {
      const auto* match = std::get_if<nft::Match>(&statement);
      return match != nullptr && match->field == field;
    });
  };
  return matches(nft::Field::th_sport) && matches(nft::Field::th_dport);
}

class Bytecode : public ::testing::TestWithParam<Sample> {};

TEST_P(Bytecode, IsWhatNftMakesOfOurText) {
  nft::Ruleset ruleset = GetParam().ruleset;
  for (nft::Chain& chain : ruleset.chains) std::erase_if(chain.rules, has_both_ports);
  ASSERT_EQ(enter_new_network_namespace(), "");
  const auto made = nft("--debug=netlink -f -", nft::text(ruleset));
  ASSERT_EQ(made.status, 0) << made.output;
  EXPECT_EQ(only_rules(encoded_rules(creation(ruleset))), only_rules(made.output));
}

INSTANTIATE_TEST_SUITE_P(Samples, Bytecode, ::testing::ValuesIn(sample_rulesets()),
                         [](const auto& sample) { return sample.param.name; });

TEST(Rule, ThatLibnftnlDoesNotKnowIsNamedByItsRule) {
  netlink::MessageWriter message;
  message.begin(NFT_MSG_NEWRULE, 0, 1, NFPROTO_INET);
  message.put_text(NFTA_RULE_TABLE, nft::table_name);
  message.put_text(NFTA_RULE_CHAIN, "input");
  message.put_be64(NFTA_RULE_HANDLE, 7);
  {
    const netlink::Nest expressions(message, NFTA_RULE_EXPRESSIONS);
    const netlink::Nest expression(message, NFTA_LIST_ELEM);
    message.put_text(NFTA_EXPR_NAME, "newer");
  }
  netlink::for_each_message(message.finish(), [](const nlmsghdr& rule) {
    const auto decoded = netlink::decode_rule(rule);
    ASSERT_FALSE(decoded);
    EXPECT_EQ(decoded.error().code, EBADMSG);
    EXPECT_NE(decoded.error().detail.find("rule 7"), std::string::npos) << decoded.error().detail;
  });
}

}  // namespace
}  // namespace fwctl::testing
