// What a policy means (rules/evaluate.h) is what the real kernel does, for random policies and
// packets aimed at their edges.
//
//   FWCTL_PAIRS   how many pairs of policy and packet, instead of a few thousand
//   FWCTL_SEED    where to begin; a failure says with which seed it is seen again
//
// tests/kernel/soak runs a million from a seed that nobody chose.
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>

#include "tests/kernel/property.h"
#include "tests/unit/random_policy.h"

namespace fwctl::testing {
namespace {

std::uint64_t wanted(const char* name, std::uint64_t otherwise) {
  const char* value = std::getenv(name);
  return value == nullptr ? otherwise : std::stoull(value);
}

std::unique_ptr<PacketLab> new_lab() {
  auto interfaces = RandomPolicy::interfaces();
  std::erase(interfaces, "lo");
  std::string problem;
  auto lab = PacketLab::open(interfaces, problem);
  EXPECT_EQ(problem, "");
  return lab;
}

TEST(Property, TheKernelDoesWhatThePolicyMeans) {
  const auto lab = new_lab();
  ASSERT_NE(lab, nullptr);
  const auto seed = wanted("FWCTL_SEED", 1);
  const auto pairs = wanted("FWCTL_PAIRS", 10'000);
  std::cout << "seed " << seed << ", " << pairs << " pairs\n";
  const auto findings = compare_with_kernel(*lab, seed, pairs);
  ASSERT_FALSE(findings.difference.has_value()) << findings.difference->text;
  std::cout << findings.arrived << " arrived; meant:";
  for (const auto count : findings.verdicts) std::cout << " " << count;
  std::cout << "; answered " << findings.answered << "; states";
  for (const auto count : findings.states) std::cout << " " << count;
  std::cout << "\n";
}

}  // namespace
}  // namespace fwctl::testing
