// Our netlink batch, and our text loaded by nft, must look the same to `nft list`: the witness
// isn't ours.
#include <gtest/gtest.h>

#include <regex>

#include "daemon/netlink/kernel.h"
#include "rules/nft/text.h"
#include "tests/kernel/own_namespace.h"
#include "tests/kernel/sample_rulesets.h"

namespace fwctl::testing {
namespace {

// Counts, and the order of elements in a hash set, which depends on a seed.
std::string normalised(const std::string& listing) {
  static const std::regex counts("counter packets [0-9]+ bytes [0-9]+");
  return std::regex_replace(listing, counts, "counter");
}

class RoundTrip : public ::testing::TestWithParam<Sample> {};

TEST_P(RoundTrip, OurBatchAndOurTextLoadedByNftListTheSame) {
  ASSERT_EQ(enter_new_network_namespace(), "");
  auto kernel = open_kernel();
  ASSERT_TRUE(kernel) << kernel.error().message();
  const auto applied = (*kernel)->apply(creation(GetParam().ruleset));
  ASSERT_TRUE(applied) << applied.error().error.message();
  const auto ours = nft("list table inet fwctl");
  ASSERT_EQ(ours.status, 0) << ours.output;

  ASSERT_EQ(enter_new_network_namespace(), "");
  const std::string printed = nft::text(GetParam().ruleset);
  const auto loaded = nft("-f -", printed);
  ASSERT_EQ(loaded.status, 0) << loaded.output << printed;
  const auto witness = nft("list table inet fwctl");
  EXPECT_EQ(normalised(ours.output), normalised(witness.output)) << printed;
}

TEST_P(RoundTrip, WhatNftListsOfOursLoadsAgain) {
  ASSERT_EQ(enter_new_network_namespace(), "");
  auto kernel = open_kernel();
  ASSERT_TRUE(kernel) << kernel.error().message();
  ASSERT_TRUE((*kernel)->apply(creation(GetParam().ruleset)));
  const auto ours = nft("list table inet fwctl");

  ASSERT_EQ(enter_new_network_namespace(), "");
  const auto loaded = nft("-f -", ours.output);
  EXPECT_EQ(loaded.status, 0) << loaded.output << ours.output;
}

INSTANTIATE_TEST_SUITE_P(Samples, RoundTrip, ::testing::ValuesIn(sample_rulesets()),
                         [](const auto& sample) { return sample.param.name; });

}  // namespace
}  // namespace fwctl::testing
