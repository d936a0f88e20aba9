#include "daemon/store.h"

#include <gtest/gtest.h>

#include "tests/unit/temporary_folder.h"

namespace fwctl {
namespace {

Generation generation(std::uint64_t number) {
  return {.number = number,
          .enabled = true,
          .sources = {.managed = {{.name = "/etc/fwctl/policy.yaml", .text = "rules: []\n\"\xff"}},
                      .added = {.name = "/etc/fwctl/rules.yaml", .text = "version: 1\n"},
                      .definitions = {{.name = "/etc/fwctl/services.d/a.yaml", .text = "a: {}\n"}},
                      .set_files = {{.name = "/etc/fwctl/sets/a.txt", .text = "::1\n"}},
                      .services = "ssh 22/tcp\n"},
          .created = "2026-11-22T10:00:00Z",
          .reason = "uid 0: test"};
}

class StoreTest : public ::testing::Test {
 protected:
  void keep(std::uint64_t number) {
    ASSERT_TRUE(store_.prepare(generation(number)));
    ASSERT_TRUE(store_.promote(generation(number)));
  }
  std::vector<std::uint64_t> kept_numbers() {
    std::vector<std::uint64_t> numbers;
    const auto kept = store_.kept();
    EXPECT_TRUE(kept);
    for (const auto& one : *kept) numbers.push_back(one.number);
    return numbers;
  }

  testing::TemporaryFolder folder_;
  Store store_{folder_.path() / "state"};
};

TEST_F(StoreTest, IsEmptyBeforeAnythingIsKept) {
  EXPECT_TRUE(kept_numbers().empty());
  EXPECT_EQ(store_.highest().value(), 0U);
  EXPECT_FALSE(store_.pending().value().has_value());
}

TEST_F(StoreTest, PreparedIsPendingAndNotKept) {
  ASSERT_TRUE(store_.prepare(generation(1)));
  EXPECT_TRUE(kept_numbers().empty());
  ASSERT_TRUE(store_.pending().value().has_value());
  EXPECT_EQ(store_.pending().value()->number, 1U);
}

TEST_F(StoreTest, PromotedIsKeptAsWritten) {
  auto written = generation(7);
  written.sources.managed[0].text = "rules: []\n";
  ASSERT_TRUE(store_.prepare(written));
  ASSERT_TRUE(store_.promote(written));
  EXPECT_FALSE(store_.pending().value().has_value());
  const auto kept = store_.kept().value();
  ASSERT_EQ(kept.size(), 1U);
  EXPECT_EQ(kept[0].number, 7U);
  EXPECT_TRUE(kept[0].enabled);
  EXPECT_EQ(kept[0].sources, written.sources);
  EXPECT_EQ(kept[0].created, written.created);
  EXPECT_EQ(kept[0].reason, written.reason);
  EXPECT_EQ(kept[0].marker(), written.marker());
}

TEST_F(StoreTest, NewestComesFirstByNumberNotByName) {
  for (const std::uint64_t number : {9U, 10U, 2U}) keep(number);
  EXPECT_EQ(kept_numbers(), (std::vector<std::uint64_t>{10, 9, 2}));
}

TEST_F(StoreTest, DiscardForgetsThePendingOne) {
  ASSERT_TRUE(store_.prepare(generation(1)));
  ASSERT_TRUE(store_.discard());
  EXPECT_FALSE(store_.pending().value().has_value());
  EXPECT_TRUE(store_.discard());
}

TEST_F(StoreTest, DemoteTakesBackAPromotion) {
  keep(1);
  keep(2);
  ASSERT_TRUE(store_.demote(generation(2)));
  EXPECT_EQ(kept_numbers(), (std::vector<std::uint64_t>{1}));
}

TEST_F(StoreTest, KeepsABoundedNumber) {
  for (std::uint64_t number = 1; number <= Store::most_kept + 5; ++number) keep(number);
  const auto numbers = kept_numbers();
  EXPECT_EQ(numbers.size(), Store::most_kept);
  EXPECT_EQ(numbers.front(), Store::most_kept + 5);
}

TEST_F(StoreTest, EveryDamageIsNoticed) {
  keep(1);
  keep(2);
  const std::string name = "state/generation-2";
  const std::string whole = folder_.read(name);
  for (std::size_t at = 0; at < whole.size(); at += 7) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 1);
    folder_.write(name, damaged);
    Store store(folder_.path() / "state");
    EXPECT_EQ(store.kept().value().size(), 1U) << "byte " << at;
    EXPECT_EQ(store.damaged().size(), 1U);
  }
  for (const std::size_t length :
       {std::size_t{0}, std::size_t{10}, whole.size() / 2, whole.size() - 1}) {
    folder_.write(name, whole.substr(0, length));
    Store store(folder_.path() / "state");
    EXPECT_EQ(store.kept().value().size(), 1U) << "cut at " << length;
  }
}

TEST_F(StoreTest, ATornPendingFileCountsAsNone) {
  ASSERT_TRUE(store_.prepare(generation(3)));
  folder_.write("state/pending", folder_.read("state/pending").substr(0, 50));
  EXPECT_FALSE(store_.pending().value().has_value());
}

TEST_F(StoreTest, AFileUnderAnotherNumberIsNotTaken) {
  keep(1);
  std::filesystem::copy(folder_.path() / "state/generation-1",
                        folder_.path() / "state/generation-5");
  EXPECT_EQ(kept_numbers(), (std::vector<std::uint64_t>{1}));
}

TEST_F(StoreTest, TheExampleInTheDocumentationIsReadAsItSays) {
  std::ifstream file(FWCTL_DOCS "/storage.md");
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  const auto begin = text.find("fwctl-generation 1 ");
  ASSERT_NE(begin, std::string::npos);
  folder_.write("state/generation-2", text.substr(begin, text.find("```", begin) - begin));
  const auto kept = store_.kept().value();
  ASSERT_EQ(kept.size(), 1U);
  EXPECT_NE(text.find("`" + kept[0].marker() + "`"), std::string::npos) << kept[0].marker();
}

TEST_F(StoreTest, MarkersTellContentsApart) {
  auto other = generation(1);
  EXPECT_EQ(other.marker(), generation(1).marker());
  other.sources.added.text += " ";
  EXPECT_NE(other.marker(), generation(1).marker());
  EXPECT_NE(generation(1).marker(), generation(2).marker());
  other = generation(1);
  other.enabled = false;
  EXPECT_NE(other.marker(), generation(1).marker());
  EXPECT_LE(generation(UINT64_MAX).marker().size(), 127U);
}

TEST(StoreInABadPlace, SaysWhatIsWrong) {
  const testing::TemporaryFolder folder;
  folder.write("state", "a file");
  Store store(folder.path() / "state");
  const auto prepared = store.prepare(generation(1));
  ASSERT_FALSE(prepared);
  EXPECT_NE(prepared.error().message().find("state"), std::string::npos);
  EXPECT_FALSE(store.kept());
}

}  // namespace
}  // namespace fwctl
