// Our netlink batch, and our text loaded by nft, must look the same to `nft list`: the witness
// isn't ours.
#include <gtest/gtest.h>

#include "daemon/clock.h"
#include "rules/compile/compile.h"
#include "rules/nft/text.h"
#include "rules/policy/print.h"
#include "tests/kernel/listing.h"
#include "tests/kernel/sample_rulesets.h"
#include "tests/unit/policies.h"
#include "tests/unit/random_policy.h"
#include "tests/unit/rounds.h"

namespace fwctl::testing {
namespace {

class RoundTrip : public ::testing::TestWithParam<Sample> {};

TEST_P(RoundTrip, OurBatchAndOurTextLoadedByNftListTheSame) {
  const auto ours = list_sent(GetParam().ruleset);
  ASSERT_EQ(ours.error, "");
  const std::string printed = nft::text(GetParam().ruleset, now());
  const auto witness = list_loaded(printed);
  ASSERT_EQ(witness.error, "") << printed;
  EXPECT_EQ(without_clocks(ours.text), without_clocks(witness.text)) << printed;
}

TEST_P(RoundTrip, WhatNftListsOfOursLoadsAgain) {
  const auto ours = list_sent(GetParam().ruleset);
  ASSERT_EQ(ours.error, "");
  EXPECT_EQ(list_loaded(ours.text).error, "") << ours.text;
}

TEST(RandomRoundTrip, OurBatchAndOurTextLoadedByNftListTheSame) {
  for (std::uint64_t seed = 1; seed <= rounds(16U); ++seed) {
    const auto policy = RandomPolicy(seed).policy();
    auto ruleset = compile::compile(load(policy), {}, seed % 2 == 0 ? 1 : compile::big_set);
    nft::remove_ended(ruleset, now());
    const auto told = [&] { return "seed " + std::to_string(seed) + "\n" + yaml_text(policy); };
    const auto ours = list_sent(ruleset);
    ASSERT_EQ(ours.error, "") << told();
    const auto witness = list_loaded(nft::text(ruleset, now()));
    ASSERT_EQ(witness.error, "") << told();
    ASSERT_EQ(without_clocks(ours.text), without_clocks(witness.text)) << told();
  }
}

INSTANTIATE_TEST_SUITE_P(Samples, RoundTrip, ::testing::ValuesIn(sample_rulesets()),
                         [](const auto& sample) { return sample.param.name; });

}  // namespace
}  // namespace fwctl::testing
