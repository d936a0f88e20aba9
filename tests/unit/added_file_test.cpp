// rules.yaml, known without being read and changed where it is.
#include "daemon/added_file.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <filesystem>
#include <string>
#include <thread>

#include "tests/unit/temporary_folder.h"

namespace fwctl {
namespace {

using policy::Insertion;

class AddedFileTest : public ::testing::Test {
 protected:
  static void let_the_clock_tick() { std::this_thread::sleep_for(std::chrono::milliseconds(25)); }
  // There with that text, and known.
  void know(const std::string& text) {
    folder_.write("rules.yaml", text);
    let_the_clock_tick();
    ASSERT_TRUE(file_.holds(text).value());
  }
  std::string text() const { return folder_.read("rules.yaml"); }
  ino_t inode() const {
    struct stat status{};
    EXPECT_EQ(::stat(path().c_str(), &status), 0);
    return status.st_ino;
  }
  std::filesystem::path path() const { return folder_.path() / "rules.yaml"; }

  testing::TemporaryFolder folder_;
  AddedFile file_{folder_.path() / "rules.yaml"};
};

TEST_F(AddedFileTest, OneThatIsNotThereIsEmpty) {
  EXPECT_TRUE(file_.holds("").value());
  EXPECT_FALSE(file_.holds("a").value());
  EXPECT_FALSE(file_.takes({.at = 0, .text = "a"}, "a"));
}

TEST_F(AddedFileTest, IsChangedWhereItIsAndBack) {
  know("one three\n");
  const auto before = inode();
  const Insertion insertion{.at = 4, .text = "two "};
  const std::string longer = "one two three\n";
  ASSERT_TRUE(file_.takes(insertion, longer));
  ASSERT_TRUE(file_.insert(insertion, longer));
  EXPECT_EQ(text(), longer);
  EXPECT_TRUE(file_.holds(longer).value());
  const Insertion more{.at = longer.size(), .text = "four\n"};
  ASSERT_TRUE(file_.takes(more, longer + more.text));
  ASSERT_TRUE(file_.insert(more, longer + more.text));
  EXPECT_EQ(text(), longer + more.text);
  ASSERT_TRUE(file_.take_out(more, longer + more.text));
  ASSERT_TRUE(file_.take_out(insertion, longer));
  EXPECT_EQ(text(), "one three\n");
  EXPECT_TRUE(file_.holds("one three\n").value());
  EXPECT_EQ(inode(), before);
}

// Of the same length, by the same name.
TEST_F(AddedFileTest, NoticesWhatOthersWrite) {
  know("one\n");
  folder_.write("rules.yaml", "two\n");
  EXPECT_FALSE(file_.holds("one\n").value());
  know("one\n");
  folder_.write("other", "two\n");
  std::filesystem::rename(folder_.path() / "other", path());
  EXPECT_FALSE(file_.holds("one\n").value());
  know("one\n");
  std::filesystem::remove(path());
  EXPECT_FALSE(file_.holds("one\n").value());
}

TEST_F(AddedFileTest, IsNotChangedUnderThoseWhoWroteIt) {
  know("one\n");
  folder_.write("rules.yaml", "two\n");
  EXPECT_FALSE(file_.insert({.at = 4, .text = "more\n"}, "one\nmore\n"));
  EXPECT_EQ(text(), "two\n");
}

// What was written this very moment may be written again without a trace.
TEST_F(AddedFileTest, IsNotKnownBeforeTheClockHasTicked) {
  std::string now = "one\n";
  for (int round = 0; round < 20; ++round) {
    now += "more\n";
    folder_.write("rules.yaml", now);
    EXPECT_TRUE(file_.holds(now).value());
    struct stat status{};
    timespec later{};
    ASSERT_EQ(::stat(path().c_str(), &status), 0);
    ::clock_gettime(CLOCK_REALTIME, &later);
    const auto age = (later.tv_sec - status.st_ctim.tv_sec) * 1'000'000'000L + later.tv_nsec -
                     status.st_ctim.tv_nsec;
    if (age < 5'000'000) {
      EXPECT_FALSE(file_.takes({.at = now.size(), .text = {}}, now));
    }
  }
}

TEST_F(AddedFileTest, AnotherNameOfItIsLeftAlone) {
  folder_.write("rules.yaml", "one\n");
  std::filesystem::create_hard_link(path(), folder_.path() / "backup");
  know("one\n");
  EXPECT_FALSE(file_.takes({.at = 4, .text = "two\n"}, "one\ntwo\n"));
  std::filesystem::rename(path(), folder_.path() / "real");
  std::filesystem::create_symlink("real", path());
  std::filesystem::remove(folder_.path() / "backup");
  let_the_clock_tick();
  EXPECT_TRUE(file_.holds("one\n").value());
  EXPECT_FALSE(file_.takes({.at = 4, .text = "two\n"}, "one\ntwo\n"));
}

TEST_F(AddedFileTest, MuchBehindThePlaceIsNotMoved) {
  const std::string much(AddedFile::most_moved + 100, 'x');
  know(much);
  EXPECT_TRUE(file_.takes({.at = 110, .text = "a"}, std::string(much).insert(110, "a")));
  EXPECT_FALSE(file_.takes({.at = 90, .text = "a"}, std::string(much).insert(90, "a")));
}

// A full disk: after two bytes more there is no room.
TEST_F(AddedFileTest, AWriteThatFailsHalfWayLeavesItAsItWas) {
  know("one three\n");
  const Insertion insertion{.at = 4, .text = "two "};
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit little{.rlim_cur = 12, .rlim_max = before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &little), 0);
  const auto done = file_.insert(insertion, "one two three\n");
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, handler);
  EXPECT_FALSE(done);
  EXPECT_EQ(text(), "one three\n");
  EXPECT_TRUE(file_.holds("one three\n").value());
}

}  // namespace
}  // namespace fwctl
