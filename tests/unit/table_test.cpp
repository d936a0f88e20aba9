// Whose our table is, and what becomes of it between two processes.
#include "daemon/table.h"

#include <gtest/gtest.h>

#include <memory>
#include <utility>

#include "rules/nft/text.h"
#include "tests/kernel/fake_kernel.h"

namespace fwctl {
namespace {

nft::Ruleset wanted(const std::string& comment) {
  const nft::Rule drop{.statements = {nft::Verdict{nft::VerdictKind::drop, {}}}};
  return {.sets = {},
          .chains = {{.name = std::string(nft::marker_chain), .comment = comment},
                     {.name = "input", .hook = nft::Hook{}, .rules = {drop}}}};
}

class TableTest : public ::testing::Test {
 protected:
  // As another process that begins with what the one before left, if it did.
  void start(Protection protection = Protection::kernel) {
    table_.reset();
    kernel_ = std::exchange(kernel_, nullptr)->another();
    table_ = std::make_unique<Table>(*kernel_, protection, [] { return nft::Ruleset(); });
    taken_ = table_->take_over();
  }

  void load(const std::optional<nft::Ruleset>& ruleset = wanted("one")) {
    ASSERT_TRUE(table_->load(ruleset, 1));
  }

  bool first_is_owned(std::size_t transaction) const {
    return std::get<nft::AddTable>(kernel_->applied().at(transaction).at(0)).owned;
  }

  std::unique_ptr<testing::FakeKernel> kernel_ = std::make_unique<testing::FakeKernel>();
  std::unique_ptr<Table> table_;
  Result<void> taken_;
};

TEST_F(TableTest, IsMadeOwnedWhereTheKernelCan) {
  start();
  EXPECT_TRUE(kernel_->applied().empty()) << "there is nothing to claim";
  EXPECT_EQ(table_->look()->protection, std::nullopt);
  load();
  EXPECT_TRUE(first_is_owned(0));
  EXPECT_EQ(table_->look()->protection, Protection::kernel);
  EXPECT_FALSE(kernel_->another()->apply({nft::DeleteTable{}}));
  load(std::nullopt);
  EXPECT_EQ(table_->look()->protection, std::nullopt);
}

TEST_F(TableTest, WhatAnEarlierProcessLeftIsClaimedAndNothingElseIsSent) {
  start();
  load();
  start();
  ASSERT_TRUE(taken_);
  load();
  ASSERT_EQ(kernel_->applied().size(), 1U);
  ASSERT_EQ(kernel_->applied().front().size(), 1U) << nft::text(kernel_->applied().front());
  EXPECT_TRUE(first_is_owned(0));
  EXPECT_EQ(table_->look()->protection, Protection::kernel);
}

TEST_F(TableTest, WhatOthersMadeOfAnOrphanIsPutBack) {
  start();
  load();
  table_.reset();
  kernel_ = kernel_->another();  // the owner is gone
  ASSERT_TRUE(kernel_->apply({nft::FlushChain{"input"}}));
  start();
  EXPECT_FALSE(table_->drifted()) << "who begins knows nothing of before";
  load();
  EXPECT_EQ(nft::live(**kernel_->read()), wanted("one"));
  EXPECT_EQ(table_->look()->protection, Protection::kernel);
}

TEST_F(TableTest, OneWithoutAnOwnerStaysSoUntilItIsMadeAnew) {
  start(Protection::watching);
  load();
  EXPECT_FALSE(first_is_owned(0));
  EXPECT_EQ(table_->look()->protection, Protection::watching);
  start();
  ASSERT_TRUE(taken_) << taken_.error().message();
  load();
  EXPECT_TRUE(kernel_->applied().empty());
  EXPECT_EQ(table_->look()->protection, Protection::watching);
  load(wanted("two"));
  EXPECT_EQ(table_->look()->protection, Protection::watching);
  ASSERT_TRUE(kernel_->another()->apply({nft::DeleteTable{}}));
  load(wanted("two"));
  EXPECT_EQ(table_->look()->protection, Protection::kernel);
}

TEST_F(TableTest, TheSettingLeavesAnOrphanToAll) {
  start();
  load();
  start(Protection::watching);
  load();
  EXPECT_TRUE(kernel_->applied().empty());
  EXPECT_EQ(table_->look()->protection, Protection::watching);
  EXPECT_TRUE(kernel_->another()->apply({nft::DeleteTable{}}));
}

TEST_F(TableTest, AnOldKernelIsAskedForNothingItHasNot) {
  kernel_ = testing::FakeKernel::that_cannot_own();
  start();
  load();
  EXPECT_FALSE(first_is_owned(0));
  EXPECT_EQ(table_->look()->protection, Protection::watching);
  EXPECT_FALSE(table_->owning());
  start();
  ASSERT_TRUE(taken_);
  load();
  EXPECT_TRUE(kernel_->applied().empty());
}

TEST_F(TableTest, OneThatAnotherProgramOwnsIsNotTakenOver) {
  start();
  load();
  const auto before = *kernel_->read();
  for (const auto protection : {Protection::kernel, Protection::watching}) {
    const auto second = kernel_->another();
    Table another(*second, protection, [] { return nft::Ruleset(); });
    const auto taken = another.take_over();
    ASSERT_FALSE(taken);
    EXPECT_NE(taken.error().message().find("another fwctld"), std::string::npos);
    EXPECT_TRUE(second->applied().empty());
  }
  EXPECT_EQ(*kernel_->read(), before);
  EXPECT_EQ(table_->look()->protection, Protection::kernel);
}

}  // namespace
}  // namespace fwctl
