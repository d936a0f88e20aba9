#include "rules/packed_pairs.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "tests/unit/random_policy.h"
#include "tests/unit/rounds.h"

namespace fwctl::testing {
namespace {

std::vector<AddressPort> listed(const PackedPairs& pairs) {
  std::vector<AddressPort> out;
  out.reserve(pairs.size());
  for (std::size_t index = 0; index < pairs.size(); ++index) out.push_back(pairs[index]);
  return out;
}

AddressPort pair(std::string_view address, Protocol protocol, std::uint16_t port) {
  return {.address = Address::parse(address).value(), .protocol = protocol, .port = port};
}

TEST(PackedPairs, KeepWhatTheyAreGiven) {
  PackedPairs pairs(Family::ipv6);
  EXPECT_TRUE(pairs.empty());
  EXPECT_EQ(pairs.values().shared(), nullptr);
  const std::vector wanted{pair("2001:db8::ffff", tcp, 65535), pair("::1", udp, 256)};
  for (const auto& one : wanted) pairs.push_back(one);
  EXPECT_EQ(listed(pairs), wanted);
  EXPECT_EQ(pairs.values().shared()->size(), 38U);
  EXPECT_EQ(wanted[0].text(), "2001:db8::ffff 65535/tcp");
}

TEST(PackedPairs, AreKeysAsTheKernelComparesThem) {
  PackedPairs pairs(Family::ipv4);
  pairs.push_back(pair("10.0.0.1", udp, 0x1234));
  EXPECT_EQ(pairs.values().first(0), std::string_view("\x0a\x00\x00\x01\x11\x12\x34", 7));
}

TEST(PackedPairs, CopiesShareUntilMoreComes) {
  PackedPairs pairs(Family::ipv4);
  pairs.push_back(pair("10.0.0.1", tcp, 1));
  const PackedPairs copy = pairs;
  EXPECT_EQ(copy.values().shared(), pairs.values().shared());
  EXPECT_EQ(pairs.sorted().values().shared(), pairs.values().shared()) << "sorted already";
  pairs.push_back(pair("10.0.0.2", tcp, 1));
  EXPECT_EQ(copy.size(), 1U);
}

TEST(PackedPairs, AreSortedEachOnce) {
  RandomPolicy random(4);
  for (int count = 0; count < rounds(300); ++count) {
    AddressPorts pairs;
    std::vector<AddressPort> wanted;
    for (auto left = random.below(20); left-- != 0;) {
      const auto one = !wanted.empty() && random.one_in(3) ? random.pick(wanted) : random.pair();
      pairs.push_back(one);
      wanted.push_back(one);
    }
    std::ranges::sort(wanted);
    wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
    const auto sorted = pairs.sorted();
    std::vector<AddressPort> found;
    sorted.each([&](const AddressPort& one) { found.push_back(one); });
    ASSERT_EQ(found, wanted);
    const auto probe = random.address(random.one_in(2) ? Family::ipv4 : Family::ipv6);
    const auto of_family = listed(sorted.of(probe.family()));
    const auto first = std::ranges::lower_bound(of_family, probe, {}, &AddressPort::address);
    ASSERT_EQ(sorted.of(probe.family()).first_from(probe),
              static_cast<std::size_t>(first - of_family.begin()));
  }
}

}  // namespace
}  // namespace fwctl::testing
