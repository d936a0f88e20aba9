// The meaning of policies, held against the real kernel: random policies, random packets aimed at
// their edges, the verdict of evaluate(), and what became of the packets.
//
// What rules learn to say comes in at these places: RandomPolicy::rule() says it,
// RandomPolicy::packet() aims at it, bytes_of() or PacketLab::emit() gives it to real packets, and
// smaller_rule() in shrink.cpp takes it away.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "rules/nft/ruleset.h"
#include "tests/kernel/packet_lab.h"

namespace fwctl::testing {

// Between the compiler and the kernel: a bug that is planted.
using Alteration = std::function<void(nft::Ruleset&)>;

struct Findings {
  std::uint64_t pairs = 0;
  std::uint64_t arrived = 0;
  std::array<std::uint64_t, 4> verdicts{};  // meant, by policy::Verdict, of those that arrived
  std::uint64_t answered = 0;               // of those that were meant to be rejected
  std::uint64_t fragmented = 0;             // of those that arrived, came in fragments
  std::uint64_t redirected_ipv4 = 0;        // of those that arrived, elsewhere
  std::uint64_t redirected_ipv6 = 0;
  std::uint64_t masqueraded_ipv4 = 0;  // of those that left, with another source
  std::uint64_t masqueraded_ipv6 = 0;
  std::uint64_t of_units = 0;             // of those that arrived, sent by a unit
  std::array<std::uint64_t, 9> states{};  // by policy::State, as connection tracking saw them

  struct Difference {
    policy::Policy policy;         // shrunk
    std::optional<Packet> packet;  // nullopt: the kernel refused the policy
    std::string text;              // all there is to say, and how to see it again
  };
  std::optional<Difference> difference;  // the first; nothing is looked at after it
};

// `pairs` of policy and packet, or fewer where there is a difference. Policy N comes from the seed
// `seed` + N alone.
Findings compare_with_kernel(PacketLab& lab, std::uint64_t seed, std::uint64_t pairs,
                             const Alteration& alter = {});

}  // namespace fwctl::testing
