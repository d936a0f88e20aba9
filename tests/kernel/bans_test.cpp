// What bans mean (daemon/bans.h) is what the real kernel does, for random bans and packets: of
// those that pass without bans, the ones that come from or go to somebody banned are dropped, and
// no other.
#include "daemon/bans.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <iostream>
#include <memory>
#include <string>

#include "rules/compile/bans.h"
#include "rules/compile/compile.h"
#include "tests/kernel/packet_lab.h"
#include "tests/unit/policies.h"
#include "tests/unit/random_policy.h"

namespace fwctl::testing {
namespace {

constexpr std::uint64_t rounds = 100;
constexpr std::size_t packets_a_round = 60;

Bans random_bans(RandomPolicy& random, const std::vector<Packet>& packets) {
  Bans bans;
  const auto origin = bans.share({});
  for (int count = 0; count < 6; ++count) {
    const auto packet = random.pick(packets);
    const auto& address = random.one_in(2) ? packet.from : packet.to;
    const int bits = address.family() == Family::ipv4 ? 32 : 128;
    const int length = random.one_in(2)
                           ? bits
                           : 1 + static_cast<int>(random.below(static_cast<std::size_t>(bits)));
    bans.put(
        {.address = prefix(address, length).first, .length = static_cast<std::uint8_t>(length)},
        {.origin = origin});
  }
  return bans;
}

bool is_banned(const Bans& bans, const Packet& packet) {
  if (packet.interface == "lo") return false;
  const auto has = [&](const Address& address) {
    return bans.covering({address, address}, {}).has_value();
  };
  switch (packet.traffic) {
    case policy::Traffic::incoming:
      return has(packet.from);
    case policy::Traffic::outgoing:
      return has(packet.to);
    case policy::Traffic::routed:
      return has(packet.from) || has(packet.to);
  }
  return false;
}

nft::Ruleset with_bans(nft::Ruleset ruleset, const Bans& bans) {
  auto objects = compile::ban_objects(bans.kinds());
  for (const auto& [prefix, ban] : bans.all()) {
    const auto name = compile::ban_set(prefix.kind()).name;
    std::ranges::find(objects.sets, name, &nft::Set::name)
        ->elements.push_back(compile::ban_element(prefix));
  }
  for (auto& set : objects.sets) {
    std::ranges::sort(set.elements, {}, &nft::Element::key);
    ruleset.sets.push_back(std::move(set));
  }
  for (auto& chain : objects.chains) ruleset.chains.push_back(std::move(chain));
  std::ranges::sort(ruleset.sets, {}, &nft::Set::name);
  std::ranges::sort(ruleset.chains, {}, &nft::Chain::name);
  return ruleset;
}

struct Findings {
  std::uint64_t dropped = 0;  // of those that pass without bans
  std::uint64_t passed = 0;
  std::string difference;  // the first; nothing is looked at after it
};

// `alter`: a bug that is planted between the compiler and the kernel.
Findings compare_with_kernel(const std::function<void(nft::Ruleset&)>& alter = {}) {
  Findings findings;
  auto interfaces = RandomPolicy::interfaces();
  std::erase(interfaces, "lo");
  const auto lab = PacketLab::open(interfaces, findings.difference);
  if (!lab) return findings;
  const auto open = compile::compile(
      load("defaults: {incoming: allow, outgoing: allow, routed: allow}\nlogging: off\n"));
  RandomPolicy random(1);
  for (std::uint64_t round = 0; round < rounds; ++round) {
    std::vector<Packet> packets;
    const auto policy = load(random.policy());
    while (packets.size() < packets_a_round) {
      auto packet = random.packet(policy);
      if (!packet.sent_to && packet.interface != "lo") packets.push_back(std::move(packet));
    }
    findings.difference = lab->load(open);
    const auto before = lab->send(packets);
    const auto bans = random_bans(random, packets);
    auto ruleset = with_bans(open, bans);
    if (alter) alter(ruleset);
    findings.difference += lab->load(ruleset);
    const auto after = lab->send(packets);
    for (std::size_t index = 0; index < packets.size() && findings.difference.empty(); ++index) {
      if (!before[index].passed) continue;
      const auto& packet = packets[index];
      const bool banned = is_banned(bans, packet);
      ++(banned ? findings.dropped : findings.passed);
      if (after[index].passed == banned)
        findings.difference = "round " + std::to_string(round) + ": " + packet.from.text() +
                              " to " + packet.to.text() + ", " + std::string(text(packet.traffic)) +
                              (banned ? ", is banned and passed" : ", was dropped");
    }
    if (!findings.difference.empty()) break;
  }
  return findings;
}

TEST(BansInTheKernel, DropWhatTheyMeanAndNothingElse) {
  const auto findings = compare_with_kernel();
  EXPECT_EQ(findings.difference, "");
  std::cout << findings.dropped << " dropped, " << findings.passed << " passed\n";
  EXPECT_GT(findings.dropped, 500U);
  EXPECT_GT(findings.passed, 500U);
}

// Each of the three places where packets are looked at, and each mask, counts.
TEST(BansInTheKernel, APlantedBugIsFound) {
  for (const std::string name : {"banned/prerouting", "banned/output", "banned/forward"}) {
    const auto findings = compare_with_kernel([&](nft::Ruleset& ruleset) {
      const auto chain = std::ranges::find(ruleset.chains, name, &nft::Chain::name);
      if (chain != ruleset.chains.end()) chain->rules.clear();
    });
    EXPECT_NE(findings.difference.find("is banned and passed"), std::string::npos) << name;
  }
  const auto findings = compare_with_kernel([](nft::Ruleset& ruleset) {
    for (auto& chain : ruleset.chains)
      for (auto& rule : chain.rules)
        for (auto& statement : rule.statements)
          if (auto* lookup = std::get_if<nft::SetLookup>(&statement);
              lookup != nullptr && nft::holds_bans(lookup->set) && !lookup->mask.empty())
            lookup->mask.back() = '\xff';
  });
  EXPECT_NE(findings.difference.find("is banned and passed"), std::string::npos);
}

}  // namespace
}  // namespace fwctl::testing
