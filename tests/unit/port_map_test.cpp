#include "rules/compile/port_map.h"

#include <gtest/gtest.h>

#include <map>

#include "tests/unit/random_policy.h"

namespace fwctl::testing {
namespace {

using Map = compile::PortMap<int>;

std::string text(const Map& map) {
  std::string out;
  for (const auto& [protocol, ports, owner] : map.segments())
    out += protocol.text() + " " + ports.text() + "=" + std::to_string(owner) + "; ";
  return out;
}

TEST(PortMap, TheFirstClaimWins) {
  Map map;
  EXPECT_TRUE(map.empty());
  map.claim(tcp, {10, 20}, 1);
  map.claim(tcp, {15, 30}, 2);
  map.claim(tcp, {5, 12}, 3);
  map.claim(udp, {10, 20}, 4);
  EXPECT_EQ(text(map), "tcp 5-9=3; tcp 10-20=1; tcp 21-30=2; udp 10-20=4; ");
  EXPECT_FALSE(map.empty());
}

TEST(PortMap, WhatIsLeftOfAClaimMayBeInPieces) {
  Map map;
  map.claim(tcp, {100, 100}, 1);
  map.claim(tcp, {200, 300}, 2);
  map.claim(tcp, {1, 65535}, 3);
  map.claim(tcp, {1, 65535}, 4);
  EXPECT_EQ(text(map), "tcp 1-99=3; tcp 100=1; tcp 101-199=3; tcp 200-300=2; tcp 301-65535=3; ");
}

TEST(PortMap, ReachesBothEnds) {
  Map map;
  map.claim(tcp, {65535, 65535}, 1);
  map.claim(tcp, {0, 0}, 2);
  map.claim(tcp, {0, 65535}, 3);
  EXPECT_EQ(text(map), "tcp 0=2; tcp 1-65534=3; tcp 65535=1; ");
}

TEST(PortMap, IsWhatAnArrayWouldHold) {
  RandomPolicy random(6);
  for (int count = 0; count < 60; ++count) {
    Map map;
    std::map<Protocol, std::vector<int>> owners;
    for (int owner = 1; owner <= 25; ++owner) {
      const Protocol protocol = random.one_in(2) ? tcp : udp;
      auto first = static_cast<std::uint16_t>(random.one_in(3) ? random.port() : random.below(64));
      auto last = static_cast<std::uint16_t>(random.one_in(3) ? random.port() : random.below(64));
      if (last < first) std::swap(first, last);
      map.claim(protocol, {first, last}, owner);
      auto& held = owners.try_emplace(protocol, 65536).first->second;
      for (std::size_t port = first; port <= last; ++port)
        if (held[port] == 0) held[port] = owner;
    }
    std::map<Protocol, std::vector<int>> found;
    std::optional<Map::Segment> previous;
    for (const auto& segment : map.segments()) {
      ASSERT_LE(segment.ports.first, segment.ports.last);
      if (previous && previous->protocol == segment.protocol) {
        ASSERT_LT(previous->ports.last, segment.ports.first) << "disjoint and sorted";
      }
      previous = segment;
      auto& held = found.try_emplace(segment.protocol, 65536).first->second;
      for (std::size_t port = segment.ports.first; port <= segment.ports.last; ++port)
        held[port] = segment.owner;
    }
    ASSERT_EQ(found, owners);
  }
}

}  // namespace
}  // namespace fwctl::testing
