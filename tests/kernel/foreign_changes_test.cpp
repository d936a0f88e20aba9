// Whose changes concern table inet fwctl, as the real kernel tells it.
#include <gtest/gtest.h>
#include <poll.h>

#include <memory>
#include <string>

#include "daemon/netlink/kernel.h"
#include "tests/kernel/own_namespace.h"

namespace fwctl::testing {
namespace {

class ForeignChanges : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(enter_new_network_namespace(), "");
    auto kernel = open_kernel();
    ASSERT_TRUE(kernel) << kernel.error().message();
    kernel_ = std::move(*kernel);
    set_.size = 65'536;
    ASSERT_TRUE(kernel_->apply({nft::AddTable{}, nft::AddSet{set_},
                                nft::AddChain{{.name = "c", .comment = {}, .rules = {}}}}));
    EXPECT_TRUE(touched()) << "nothing is known at first";
    EXPECT_FALSE(touched());
  }

  bool touched() { return kernel_->touched(kernel_->revision().value()); }

  static void others_do(const std::string& commands) {
    const auto done = nft("-f -", commands);
    ASSERT_EQ(done.status, 0) << done.output;
  }

  // So many elements of the set, from `first` on.
  nft::AddElements elements(std::uint32_t first, std::uint32_t count) const {
    nft::AddElements out{set_};
    for (std::uint32_t value = first; value < first + count; ++value)
      out.set.elements.push_back(
          {.key = {'\x0a', static_cast<char>(value >> 16), static_cast<char>(value >> 8),
                   static_cast<char>(value)}});
    return out;
  }
  void we_do(std::uint32_t first, std::uint32_t count) {
    ASSERT_TRUE(kernel_->apply({elements(first, count)}));
  }

  nft::Set set_{.name = "s", .key = {nft::Field::ip_saddr}};
  std::unique_ptr<Kernel> kernel_;
};

constexpr std::uint32_t many = 20'000;

TEST_F(ForeignChanges, OurOwnAreNone) {
  we_do(1, 1);
  EXPECT_FALSE(touched());
  we_do(100'000, many);
  EXPECT_FALSE(touched());
  we_do(2, 1);
  we_do(200'000, many);
  we_do(3, 1);
  EXPECT_FALSE(touched());
}

TEST_F(ForeignChanges, TheProgramIsNamed) {
  const auto readable = [&] {
    pollfd notices{.fd = kernel_->notices(), .events = POLLIN, .revents = 0};
    return ::poll(&notices, 1, 0) == 1;
  };
  we_do(1, 1);
  EXPECT_FALSE(readable());
  EXPECT_EQ(kernel_->toucher(), "");
  others_do("add table inet other");
  EXPECT_TRUE(readable());
  EXPECT_FALSE(touched());
  EXPECT_EQ(kernel_->toucher(), "");
  others_do("add rule inet fwctl c accept; add table ip other");
  EXPECT_TRUE(readable());
  EXPECT_TRUE(touched());
  EXPECT_FALSE(readable());
  EXPECT_TRUE(kernel_->toucher().starts_with("nft (process ")) << kernel_->toucher();
}

TEST_F(ForeignChanges, OtherTablesDoNotMatter) {
  others_do("add table inet other; add chain inet other c; add rule inet other c accept");
  others_do("add table ip fwctl; add chain ip fwctl c");
  EXPECT_FALSE(touched());
  we_do(1, many);
  others_do("delete table inet other; delete table ip fwctl");
  EXPECT_FALSE(touched());
}

TEST_F(ForeignChanges, EachOfOurTableDoes) {
  for (const auto* command :
       {"add element inet fwctl s { 192.0.2.1 }", "delete element inet fwctl s { 192.0.2.1 }",
        "add rule inet fwctl c accept", "flush chain inet fwctl c", "add chain inet fwctl d",
        "delete chain inet fwctl d", "add set inet fwctl t { type ipv4_addr; }",
        "delete table inet fwctl"}) {
    others_do(command);
    EXPECT_TRUE(touched()) << command;
    EXPECT_FALSE(touched()) << command;
  }
}

TEST_F(ForeignChanges, AreNotLostAmongOurs) {
  others_do("add element inet fwctl s { 192.0.2.1 }");
  we_do(1, 1);
  EXPECT_TRUE(touched());
  others_do("add element inet fwctl s { 192.0.2.2 }");
  we_do(100'000, many);
  EXPECT_TRUE(touched());
  we_do(200'000, many);
  others_do("add element inet fwctl s { 192.0.2.3 }");
  we_do(300'000, many);
  EXPECT_TRUE(touched());
  EXPECT_FALSE(touched());
}

TEST_F(ForeignChanges, MayBeAmongMessagesThatWereLost) {
  std::string much = "add table inet other; add set inet other s { type ipv4_addr; }\n";
  for (int round = 0; round < 2; ++round) {
    much += "add element inet other s { ";
    for (int value = 0; value < 40'000; ++value)
      much += "10." + std::to_string(round) + "." + std::to_string(value / 256) + "." +
              std::to_string(value % 256) + ", ";
    much += "}\n";
  }
  others_do(much);
  EXPECT_TRUE(touched());
  EXPECT_FALSE(touched());
}

}  // namespace
}  // namespace fwctl::testing
