// What a policy means (rules/evaluate.h) is what the real kernel does, for random policies and
// packets aimed at their edges.
//
//   FWCTL_PAIRS   how many pairs of policy and packet, instead of some thousands
//   FWCTL_SEED    where to begin; a failure says with which seed it is seen again
//
// tests/kernel/soak runs a million from a seed that nobody chose.
#include "tests/kernel/property.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>

#include "rules/compile/compile.h"
#include "tests/kernel/planted_bugs.h"
#include "tests/unit/policies.h"
#include "tests/unit/random_policy.h"
#include "tests/unit/rounds.h"

namespace fwctl::testing {
namespace {

constexpr auto usual_pairs = rounds(std::uint64_t{50'000});

std::uint64_t wanted(const char* name, std::uint64_t otherwise) {
  const char* value = std::getenv(name);
  return value == nullptr ? otherwise : std::stoull(value);
}

class Property : public ::testing::Test {
 protected:
  void SetUp() override {
    auto interfaces = RandomPolicy::interfaces();
    std::erase(interfaces, "lo");
    std::string problem;
    lab_ = PacketLab::open(interfaces, problem);
    ASSERT_EQ(problem, "");
    std::cout << "FWCTL_SEED=" << seed_ << "\n";
  }

  // The share of the packets that arrived.
  static double share(std::uint64_t count, const Findings& findings) {
    return static_cast<double>(count) / static_cast<double>(findings.arrived);
  }

  std::unique_ptr<PacketLab> lab_;
  std::uint64_t seed_ = wanted("FWCTL_SEED", 1);
};

TEST_F(Property, TheKernelDoesWhatThePolicyMeans) {
  const auto pairs = wanted("FWCTL_PAIRS", usual_pairs);
  const auto findings = compare_with_kernel(*lab_, seed_, pairs);
  ASSERT_FALSE(findings.difference.has_value()) << findings.difference->text;
  EXPECT_EQ(findings.pairs, pairs);
  if (pairs < usual_pairs) return;  // of few, shares say nothing
  // What was compared is worth comparing.
  EXPECT_GT(findings.arrived, pairs * 95 / 100);
  for (const auto verdict :
       {policy::Verdict::allow, policy::Verdict::deny, policy::Verdict::reject})
    EXPECT_GT(share(findings.verdicts[static_cast<std::size_t>(verdict)], findings), 0.1)
        << text(verdict);
  EXPECT_GT(findings.answered,
            findings.verdicts[static_cast<std::size_t>(policy::Verdict::reject)] * 8 / 10);
  EXPECT_GT(share(findings.fragmented, findings), 0.05);
  for (const auto count : {findings.redirected_ipv4, findings.redirected_ipv6,
                           findings.masqueraded_ipv4, findings.masqueraded_ipv6})
    EXPECT_GT(share(count, findings), 0.003);
  if (!lab_->units().empty()) {
    EXPECT_GT(share(findings.of_units, findings), 0.05);
  }
  using policy::State;
  for (const auto& [state, least] :
       {std::pair(State::fresh, 0.5), std::pair(State::invalid, 0.01),
        std::pair(State::established, 0.01), std::pair(State::related, 0.001)})
    EXPECT_GT(share(findings.states[static_cast<std::size_t>(state)], findings), least);
}

// Without the first, nobody knows which ports it is about.
TEST_F(Property, ALaterFragmentAloneMeetsNoRule) {
  ASSERT_EQ(lab_->load(compile::compile(load("defaults: {incoming: allow}\n"))), "");
  for (const auto& [from, to] :
       {std::pair("10.0.0.1", "10.0.0.2"), std::pair("2001:db8::1", "2001:db8::2")}) {
    const Packet packet{.from = address(from),
                        .to = address(to),
                        .protocol = udp,
                        .from_port = 1024,
                        .to_port = 53,
                        .interface = "eth0"};
    const auto alone = lab_->send_later_fragment(packet);
    EXPECT_FALSE(alone.state) << "it waits for the others: " << from;
    EXPECT_FALSE(alone.passed);
    EXPECT_TRUE(lab_->send({packet}).front().passed) << "whole it passes: " << from;
  }
}

// A compiler that is wrong in one place is found out, and by a policy that shows nothing else.
class PlantedBug : public Property {
 protected:
  void expect_found(const Alteration& bug) {
    const auto findings = compare_with_kernel(*lab_, seed_, 100'000, bug);
    std::cout << "after " << findings.pairs << " pairs\n";
    ASSERT_TRUE(findings.difference.has_value());
    std::cout << findings.difference->text;
    EXPECT_LE(findings.difference->policy.rules.size(), 2U) << findings.difference->text;
  }
};

TEST_F(PlantedBug, ARangeOfPortsThatEndsOneTooLate) {
  expect_found(end_port_ranges_late);
}

TEST_F(PlantedBug, ARangeOfAddressesThatEndsOneTooLate) {
  expect_found(end_address_ranges_late);
}

TEST_F(PlantedBug, AMaskThatIsABitShort) {
  expect_found(shorten_masks);
}

TEST_F(PlantedBug, ANameThatMatchesWhatBeginsLikeIt) {
  expect_found(match_names_by_their_beginning);
}

TEST_F(PlantedBug, TwoRulesThatChangedPlaces) {
  expect_found(swap_two_rules);
}

TEST_F(PlantedBug, AForwardThatLeadsOnePortTooFar) {
  expect_found(redirect_one_port_further);
}

TEST_F(PlantedBug, AMasqueradeThatIsLost) {
  expect_found(lose_a_masquerade);
}

TEST_F(PlantedBug, PairsThatAreOfTheNextPort) {
  expect_found(move_pairs_one_port_further);
}

TEST_F(PlantedBug, WhatTheKernelRefuses) {
  expect_found(claim_an_element_twice);
}

}  // namespace
}  // namespace fwctl::testing
