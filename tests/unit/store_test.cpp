#include "daemon/store.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <tuple>

#include "tests/unit/temporary_folder.h"

namespace fwctl {
namespace {

Generation generation(std::uint64_t number) {
  return {.number = number,
          .enabled = true,
          .sources = {.managed = {{.name = "/etc/fwctl/policy.yaml", .text = "rules: []\n"}},
                      .added = {.name = "/etc/fwctl/rules.yaml", .text = "version: 1\n"},
                      .definitions = {{.name = "/etc/fwctl/services.d/a.yaml", .text = "a: {}\n"}},
                      .set_files = {{.name = "/etc/fwctl/sets/a.txt", .text = "::1\n"}},
                      .services = "ssh 22/tcp\n"},
          .created = "2026-11-22T10:00:00Z",
          .reason = "test",
          .by = {.uid = 0, .user = "root", .from = {}}};
}

class StoreTest : public ::testing::Test {
 protected:
  // A generation with a file of its own.
  void keep(std::uint64_t number) {
    ASSERT_TRUE(store_.append(generation(number), {}));
    newest_ = generation(number);
  }
  // One that differs from the newest in rules.yaml.
  void change(const std::string& rules) {
    Generation next = newest_;
    ++next.number;
    next.reason = "change";
    next.sources.added.text = rules;
    const auto done = store_.append(next, newest_);
    ASSERT_TRUE(done) << done.error().message();
    newest_ = next;
  }
  std::vector<Generation> kept_anew() {
    Store store(folder_.path() / "state");
    return store.kept().value();
  }
  std::vector<std::uint64_t> kept_numbers() {
    std::vector<std::uint64_t> numbers;
    for (const auto& one : kept_anew()) numbers.push_back(one.number);
    return numbers;
  }
  // Of generation 1, what a start makes of its log: two generations, and `log` is left of it.
  void expect_two_kept(const std::string& log) {
    Store store(folder_.path() / "state");
    EXPECT_EQ(store.kept().value().size(), 2U);
    EXPECT_TRUE(store.damaged().empty());
    EXPECT_EQ(folder_.lines("state/changes-1"), log) << "cut off for good";
  }

  testing::TemporaryFolder folder_;
  Store store_{folder_.path() / "state"};
  Generation newest_;
};

TEST_F(StoreTest, IsEmptyBeforeAnythingIsKept) {
  EXPECT_TRUE(kept_numbers().empty());
  EXPECT_EQ(store_.highest(), 0U);
}

TEST_F(StoreTest, IsKeptAsWritten) {
  const auto written = generation(7);
  ASSERT_TRUE(store_.append(written, {}));
  EXPECT_FALSE(folder_.has("state/pending"));
  const auto kept = kept_anew();
  ASSERT_EQ(kept.size(), 1U);
  EXPECT_EQ(kept[0].number, 7U);
  EXPECT_TRUE(kept[0].enabled);
  EXPECT_EQ(kept[0].sources, written.sources);
  EXPECT_EQ(kept[0].created, written.created);
  EXPECT_EQ(kept[0].reason, written.reason);
  EXPECT_EQ(kept[0].by, written.by);
  EXPECT_EQ(kept[0].marker(), written.marker());
}

TEST_F(StoreTest, FilesOfSetsAreKeptWhateverIsInThem) {
  auto written = generation(1);
  auto& files = written.sources.set_files;
  files[0].text = "10.0.0.1 80/tcp\n\n# \"quoted\" \\ back\r\n\t\x01\x1f\x7f~\n";
  files.push_back({.name = "/etc/fwctl/sets/\"ü\".txt", .text = "# Größe, 日本\n\"\"\n\\\\\nü"});
  files.push_back({.name = "/etc/fwctl/sets/empty", .text = ""});
  files.push_back({.name = "/etc/fwctl/sets/nul", .text = std::string("\0\n\0", 3)});
  ASSERT_TRUE(store_.append(written, {}));
  const auto kept = kept_anew();
  ASSERT_EQ(kept.size(), 1U);
  EXPECT_EQ(kept[0].sources.set_files, files);
}

TEST_F(StoreTest, FilesOfSetsThatAreNoTextAreNoObstacle) {
  auto written = generation(1);
  written.sources.set_files[0].text = "1\n\xc3\n\xff\xfe 2\n\xe6\x97";
  ASSERT_TRUE(store_.append(written, {}));
  const auto kept = kept_anew();
  ASSERT_EQ(kept.size(), 1U);
  EXPECT_EQ(kept[0].sources.set_files[0].text, "1\n\ufffd\n\ufffd\ufffd 2\n\ufffd");
}

// In a file and in a line.
TEST_F(StoreTest, WhoAskedAndTheTrialAreKept) {
  const Author by{.uid = 1000, .user = "alice", .from = "2001:db8::7"};
  const Trial trial{.before = 1,
                    .deadline = std::chrono::milliseconds(12345),
                    .until = parse_time("2026-11-22T10:01:00Z").value(),
                    .booted = parse_time("2026-11-20T08:00:00Z").value()};
  newest_ = generation(1);
  newest_.by = by;
  newest_.trial = trial;
  ASSERT_TRUE(store_.append(newest_, {}));
  EXPECT_EQ(kept_anew()[0].by, by);
  EXPECT_EQ(kept_anew()[0].trial, trial);
  change("# a\n");
  EXPECT_EQ(kept_anew()[0].by, by);
  EXPECT_EQ(kept_anew()[0].trial, trial);
  newest_.by = {};
  newest_.trial.reset();
  change("# b\n");
  EXPECT_EQ(kept_anew()[0].by, Author());
  EXPECT_FALSE(kept_anew()[0].trial);
  EXPECT_EQ(kept_anew()[1].by, by) << "a line says all of it anew";
  EXPECT_EQ(store_.entries()[1].by, by);
}

TEST_F(StoreTest, AConfirmationIsKept) {
  keep(1);
  newest_.trial = Trial{.before = 1, .deadline = {}, .until = {}, .booted = {}};
  change("# a\n");
  ASSERT_TRUE(store_.confirm());
  store_.settle();
  EXPECT_FALSE(kept_anew()[0].trial);
  newest_.trial = Trial{.before = 2, .deadline = {}, .until = {}, .booted = {}};
  change("# b\n");
  EXPECT_TRUE(kept_anew()[0].trial) << "another is on trial";
}

// As they were before the uid had a place of its own.
TEST_F(StoreTest, WhoAskedIsReadFromReasonsOfOld) {
  for (const auto& [old, uid, reason] :
       std::vector<std::tuple<std::string, std::optional<std::uint32_t>, std::string>>{
           {"uid 1000: allow 22/tcp", 1000, "allow 22/tcp"},
           {"uid x: y", {}, "uid x: y"},
           {"first start", {}, "first start"}}) {
    auto written = generation(newest_.number + 1);
    written.by = {};
    written.reason = old;
    ASSERT_TRUE(store_.append(written, {}));
    newest_ = written;
    EXPECT_EQ(kept_anew()[0].by.uid, uid);
    EXPECT_EQ(kept_anew()[0].reason, reason);
  }
}

TEST_F(StoreTest, OneThatIsKeptIsFound) {
  keep(1);
  change("# a\n");
  change("# b\n");
  EXPECT_EQ(store_.find(2).value()->sources.added.text, "# a\n");
  EXPECT_FALSE(store_.find(4).value());
  ASSERT_TRUE(store_.take_back());
  EXPECT_FALSE(store_.find(3).value());
  EXPECT_EQ(store_.entries().size(), 2U);
  folder_.write("state/generation-1", "torn");
  EXPECT_FALSE(store_.find(2).value());
}

TEST_F(StoreTest, KeepsABoundedNumberOfBytes) {
  Store small(folder_.path() / "state", 10000);
  const auto large = [](std::uint64_t number, std::size_t size) {
    auto out = generation(number);
    out.sources.set_files[0].text.assign(size, '1');
    return out;
  };
  for (const std::uint64_t number : {1U, 2U, 3U})
    ASSERT_TRUE(small.append(large(number, 2000), {}));
  EXPECT_EQ(kept_numbers(), (std::vector<std::uint64_t>{3, 2, 1}));
  for (const std::uint64_t number : {4U, 5U}) ASSERT_TRUE(small.append(large(number, 20000), {}));
  EXPECT_EQ(kept_numbers(), (std::vector<std::uint64_t>{5, 4})) << "the newest two in any case";
  EXPECT_EQ(small.entries().size(), 2U);
  auto on_trial = large(6, 20000);
  on_trial.trial = Trial{.before = 4, .deadline = {}, .until = {}, .booted = {}};
  ASSERT_TRUE(small.append(on_trial, {}));
  EXPECT_EQ(kept_numbers(), (std::vector<std::uint64_t>{6, 5, 4})) << "and what may come back";
}

TEST_F(StoreTest, BytesThatAreNoTextAreNoObstacle) {
  auto written = generation(1);
  written.sources.managed[0].text = "\"\xff";
  ASSERT_TRUE(store_.append(written, {}));
  EXPECT_EQ(kept_anew().size(), 1U);
}

TEST_F(StoreTest, NewestComesFirstByNumberNotByName) {
  for (const std::uint64_t number : {9U, 10U, 12U}) keep(number);
  EXPECT_EQ(kept_numbers(), (std::vector<std::uint64_t>{12, 10, 9}));
}

TEST_F(StoreTest, WhatWasCutShortIsForgotten) {
  keep(1);
  folder_.write("state/pending", "fwctl-generation 1 ");
  EXPECT_EQ(kept_numbers(), (std::vector<std::uint64_t>{1}));
  EXPECT_FALSE(folder_.has("state/pending"));
}

TEST_F(StoreTest, AnAppendedFileIsTakenBack) {
  keep(1);
  keep(2);
  ASSERT_TRUE(store_.take_back());
  EXPECT_EQ(kept_numbers(), (std::vector<std::uint64_t>{1}));
}

TEST_F(StoreTest, KeepsABoundedNumber) {
  for (std::uint64_t number = 1; number <= Store::most_kept + 5; ++number) keep(number);
  const auto numbers = kept_numbers();
  EXPECT_EQ(numbers.size(), Store::most_kept);
  EXPECT_EQ(numbers.front(), Store::most_kept + 5);
  EXPECT_FALSE(folder_.has("state/generation-5"));
  EXPECT_FALSE(folder_.has("state/changes-5"));
}

// Its size does not depend on that of rules.yaml.
TEST_F(StoreTest, AChangedRuleIsALine) {
  keep(1);
  std::string rules = "# \xc3\xa4\xc3\xb6\n";
  for (int line = 0; line < 1000; ++line) rules += "  - allow: 22/tcp\n";
  change(rules);
  const auto before = folder_.read("state/changes-1").size();
  for (const std::string& next :
       {rules + "  - deny: 80/tcp\n", rules, "  - reject: 1/tcp\n" + rules,
        std::string("# \xc3\xa4\xc3\xa4\n"), std::string("# \xc3\x84\xc3\xa4\n"), std::string()}) {
    const auto size = folder_.read("state/changes-1").size();
    change(next);
    const auto kept = kept_anew();
    ASSERT_FALSE(kept.empty());
    EXPECT_EQ(kept[0].sources, newest_.sources);
    EXPECT_EQ(kept[0].number, newest_.number);
    EXPECT_EQ(kept[0].reason, newest_.reason);
    EXPECT_EQ(kept[0].marker(), newest_.marker());
    if (next.size() >= rules.size()) {
      EXPECT_LT(folder_.read("state/changes-1").size() - size, 4097U);
    }
  }
  EXPECT_GT(before, rules.size());
  EXPECT_EQ(kept_numbers(), (std::vector<std::uint64_t>{8, 7, 6, 5, 4, 3, 2, 1}));
}

TEST_F(StoreTest, AnythingElseThatChangesIsAFile) {
  keep(1);
  change("version: 1\n# a\n");
  keep(3);
  EXPECT_TRUE(folder_.has("state/generation-3"));
  for (const auto& differ : std::initializer_list<void (*)(Generation&)>{
           [](Generation& one) { one.enabled = false; },
           [](Generation& one) { one.sources.managed[0].text += "#\n"; },
           [](Generation& one) { one.sources.definitions.clear(); },
           [](Generation& one) { one.sources.set_files[0].text += "::2\n"; },
           [](Generation& one) { one.sources.services.clear(); },
           [](Generation& one) { one.sources.surroundings.users["a"] = 1; },
           [](Generation& one) { one.restored = true; },
           [](Generation& one) { one.refreshed = true; }}) {
    Generation next = newest_;
    ++next.number;
    differ(next);
    ASSERT_TRUE(store_.append(next, newest_));
    EXPECT_TRUE(folder_.has("state/generation-" + std::to_string(next.number)));
    newest_ = next;
  }
}

TEST_F(StoreTest, ALogDoesNotGrowWithoutEnd) {
  keep(1);
  for (int count = 0; count < 600; ++count) change("# " + std::to_string(count) + "\n");
  const auto kept = kept_anew();
  ASSERT_EQ(kept.size(), Store::most_kept);
  for (std::size_t age = 0; age < kept.size(); ++age) {
    EXPECT_EQ(kept[age].number, 601 - age);
    EXPECT_EQ(kept[age].sources.added.text, "# " + std::to_string(599 - age) + "\n");
  }
  EXPECT_TRUE(folder_.has("state/generation-515"));
  EXPECT_FALSE(folder_.has("state/generation-1"));
  EXPECT_FALSE(folder_.has("state/changes-1"));
}

TEST_F(StoreTest, OneThatIsOpenedAgainGoesOn) {
  keep(1);
  change("# a\n");
  Store again(folder_.path() / "state");
  ASSERT_EQ(again.kept().value().size(), 2U);
  EXPECT_EQ(again.highest(), 2U);
  Generation next = newest_;
  next.number = 3;
  next.sources.added.text = "# b\n";
  ASSERT_TRUE(again.append(next, newest_));
  EXPECT_FALSE(folder_.has("state/generation-3"));
  EXPECT_EQ(kept_anew()[0].sources.added.text, "# b\n");
}

TEST_F(StoreTest, AnAppendedLineIsTakenBack) {
  keep(1);
  change("# a\n");
  const auto log = folder_.read("state/changes-1");
  const auto before = newest_;
  change("# b\n");
  ASSERT_TRUE(store_.take_back());
  EXPECT_EQ(folder_.read("state/changes-1"), log);
  newest_ = before;
  change("# c\n");
  EXPECT_EQ(kept_anew()[0].sources.added.text, "# c\n");
  EXPECT_EQ(kept_numbers(), (std::vector<std::uint64_t>{3, 2, 1}));
}

TEST_F(StoreTest, WhatIsSettledIsOfTheNewestOnly) {
  const auto settled = [this] {
    Store store(folder_.path() / "state");
    EXPECT_TRUE(store.kept());
    return store.settled();
  };
  keep(1);
  EXPECT_FALSE(settled());
  store_.settle();
  EXPECT_TRUE(store_.settled());
  EXPECT_TRUE(settled());
  change("# a\n");
  EXPECT_FALSE(settled());
  store_.settle();
  EXPECT_TRUE(settled());
  change("# b\n");
  ASSERT_TRUE(store_.take_back());
  EXPECT_TRUE(settled());
  EXPECT_EQ(kept_numbers(), (std::vector<std::uint64_t>{2, 1}));
}

// What a power loss leaves of a line that was being written.
TEST_F(StoreTest, ATornLineNeverWas) {
  keep(1);
  change("# a\n");
  const auto log = folder_.lines("state/changes-1");
  change("# b\n");
  const auto whole = folder_.lines("state/changes-1");
  for (std::size_t size = log.size() + 1; size < whole.size(); ++size)
    for (const std::size_t zeros : {0U, 300U}) {
      folder_.write("state/changes-1", whole.substr(0, size) + std::string(zeros, '\0'));
      expect_two_kept(log);
    }
}

// Sectors arrive in any order, and where one did not there are the zeros it was to replace: the
// line, and one before it that was not synced, may lack any of theirs.
TEST_F(StoreTest, ALineThatLacksASectorNeverWas) {
  constexpr std::size_t sector = 512;
  keep(1);
  const auto first = newest_;
  change("# " + std::string(100, 'a') + "\n");
  const std::size_t over = folder_.lines("state/changes-1").size() % sector;
  ASSERT_TRUE(store_.take_back());
  newest_ = first;
  change("# " + std::string(100 + 2 * sector - 20 - over, 'a') + "\n");
  const auto log = folder_.lines("state/changes-1");
  ASSERT_EQ(log.size() % sector, sector - 20) << "the next line is in two sectors";
  store_.settle();
  const auto settled = folder_.lines("state/changes-1");
  change("# " + std::string(2000, 'b') + "\n");
  const auto whole = folder_.lines("state/changes-1");
  const std::size_t count = whole.size() / sector + 1;
  ASSERT_GT(count, 4U);
  for (std::size_t missing = 1; missing < std::size_t{1} << count; ++missing) {
    std::string torn = whole;
    for (std::size_t at = log.size(); at < whole.size(); ++at)
      if ((missing >> at / sector & 1U) != 0) torn[at] = '\0';
    if (torn == whole) continue;
    folder_.write("state/changes-1", torn + std::string(100, '\0'));
    SCOPED_TRACE(missing);
    expect_two_kept(torn.starts_with(settled) ? settled : log);
  }
}

// Most lines are written where zeros were before.
TEST_F(StoreTest, TheLogGrowsByWholeBlocks) {
  keep(1);
  std::set<std::size_t> sizes;
  for (int line = 0; line < 100; ++line) {
    change("# " + std::to_string(line) + "\n");
    sizes.insert(folder_.read("state/changes-1").size());
  }
  EXPECT_LT(sizes.size(), 6U);
  for (const auto size : sizes) EXPECT_EQ(size % 4096, 0U);
  EXPECT_EQ(kept_anew()[0].sources.added.text, "# 99\n");
}

// Zeros in the place of lines that were stored are no trace of a power loss.
TEST_F(StoreTest, ALogWithAHoleIsDamaged) {
  keep(1);
  for (const auto* rules : {"# a\n", "# b\n", "# c\n", "# d\n"}) change(rules);
  std::string log = folder_.read("state/changes-1");
  const std::size_t second = log.find('\n') + 1;
  std::fill_n(log.begin() + static_cast<std::ptrdiff_t>(second), 20, '\0');
  folder_.write("state/changes-1", log);
  Store store(folder_.path() / "state");
  EXPECT_EQ(store.kept().value().size(), 2U);
  EXPECT_EQ(store.damaged().size(), 1U);
}

TEST_F(StoreTest, EveryDamageOfALogIsNoticed) {
  keep(1);
  for (const auto* rules : {"# a\n", "# b\n", "# c\n"}) change(rules);
  const auto whole = folder_.lines("state/changes-1");
  for (std::size_t at = 0; at + 1 < whole.size(); ++at) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 1);
    folder_.write("state/changes-1", damaged);
    Store store(folder_.path() / "state");
    const auto kept = store.kept().value();
    ASSERT_LT(kept.size(), 4U) << "byte " << at;
    EXPECT_EQ(store.damaged().size(), 1U);
    EXPECT_GE(store.highest(), kept[0].number);
    Generation next = kept[0];
    next.number = store.highest() + 1;
    ASSERT_TRUE(store.append(next, kept[0]));
    EXPECT_TRUE(folder_.has("state/generation-" + std::to_string(next.number)))
        << "nothing is appended behind damage";
    std::filesystem::remove(folder_.path() / ("state/generation-" + std::to_string(next.number)));
    std::filesystem::remove(folder_.path() / ("state/changes-" + std::to_string(next.number)));
  }
}

// As where another file system was mounted over the folder.
TEST_F(StoreTest, ALogThatIsNotAsItWasLeftIsNotAppendedTo) {
  for (const auto* left : {"", "other\n"}) {
    keep(newest_.number + 1);
    const auto log = "state/changes-" + std::to_string(newest_.number);
    folder_.write(log, left);
    if (*left == '\0') std::filesystem::remove(folder_.path() / log);
    change("# a\n");
    EXPECT_TRUE(folder_.has("state/generation-" + std::to_string(newest_.number)));
    EXPECT_EQ(kept_anew()[0].sources.added.text, "# a\n");
  }
}

// Copies of another day mostly have its size.
TEST_F(StoreTest, AnotherCopyOfALogIsNotAppendedTo) {
  const std::string log = "state/changes-1";
  for (const bool older : {true, false}) {
    SCOPED_TRACE(older ? "older" : "younger");
    std::filesystem::remove_all(folder_.path() / "state");
    store_ = Store(folder_.path() / "state");
    keep(1);
    change("# a\n");
    const auto short_log = folder_.read(log);
    const auto before = newest_;
    change("# b\n");
    const auto long_log = folder_.read(log);
    if (!older) {
      ASSERT_TRUE(store_.take_back());
      newest_ = before;
    }
    ASSERT_EQ(short_log.size(), long_log.size());
    folder_.write(log, older ? short_log : long_log);
    change("# c\n");
    EXPECT_TRUE(folder_.has("state/generation-" + std::to_string(newest_.number)));
    EXPECT_EQ(kept_anew()[0].sources.added.text, "# c\n");
  }
}

// A log belongs to its generation.
TEST_F(StoreTest, ALogOfAnotherGenerationIsNotTaken) {
  keep(1);
  change("# a\n");
  const auto log = folder_.read("state/changes-1");
  auto other = generation(1);
  other.reason = "another";
  Store store(folder_.path() / "state");
  ASSERT_TRUE(store.append(other, {}));
  folder_.write("state/changes-1", log);
  EXPECT_EQ(kept_numbers(), (std::vector<std::uint64_t>{1}));
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
  const auto kept = kept_anew();
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
  const auto appended = store.append(generation(1), {});
  ASSERT_FALSE(appended);
  EXPECT_NE(appended.error().message().find("state"), std::string::npos);
  EXPECT_FALSE(store.kept());
}

}  // namespace
}  // namespace fwctl
