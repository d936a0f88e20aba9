// Who is banned: what is kept of it, what the kernel is sent, and what stays when a step fails.
#include "daemon/bans.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <functional>

#include "daemon/firewall.h"
#include "rules/nft/text.h"
#include "tests/kernel/fake_kernel.h"
#include "tests/unit/temporary_folder.h"

namespace fwctl {
namespace {

using std::chrono::hours;
using std::chrono::seconds;
using Words = std::vector<std::string>;
using nft::Bytes;

Prefix prefix_of(const std::string& text) {
  const auto slash = text.find('/');
  const auto address = Address::parse(text.substr(0, slash)).value();
  const int whole = address.family() == Family::ipv4 ? 32 : 128;
  const int length = slash == std::string::npos ? whole : std::stoi(text.substr(slash + 1));
  return {.address = prefix(address, length).first, .length = static_cast<std::uint8_t>(length)};
}

AddressRange range_of(const std::string& text) {
  return prefix_of(text).range();
}

class BansTest : public ::testing::Test {
 protected:
  void start() {
    firewall_.reset();
    firewall_.emplace(
        Firewall::Places{.config = folder_.path() / "etc",
                         .state = folder_.path() / "state",
                         .services = {.services = folder_.path() / "services", .profiles = {}},
                         .clock = [this] { return clock_; },
                         .own_addresses =
                             [] {
                               return std::vector{*Address::parse("192.0.2.1"),
                                                  *Address::parse("2001:db8:1::1")};
                             }},
        kernel_);
    const auto started = firewall_->start();
    ASSERT_TRUE(started) << started.error().message();
  }
  void SetUp() override {
    std::filesystem::create_directories(folder_.path() / "etc");
    start();
    ASSERT_TRUE(firewall_->enable({.reason = "test"}));
  }

  Request request() { return {.reason = "test", .now = clock_.wall, .by = {.uid = 0}}; }
  Change ban(const Words& words) { return firewall_->ban(words, request()); }
  Change unban(const Words& words) { return firewall_->unban(words, request()); }

  void pass(seconds time) {
    clock_.wall += time;
    clock_.uptime += time;
  }

  // The addresses that are banned, as the daemon has it.
  Words banned() {
    Words out;
    for (const auto& [prefix, ban] : firewall_->bans().all())
      if (!ban.over(clock_)) out.push_back(prefix.text());
    std::ranges::sort(out);
    return out;
  }
  // The same as the kernel has it, whatever sets it is in.
  Words in_kernel() {
    Words out;
    const auto ruleset = kernel_.read().value();
    if (!ruleset) return out;
    for (const auto& set : ruleset->sets) {
      if (!nft::holds_bans(set.name)) continue;
      const auto length = set.name.find('/') == set.name.rfind('/')
                              ? std::string()
                              : set.name.substr(set.name.rfind('/'));
      for (const auto& element : kernel_.elements(set.name)) {
        std::array<std::uint8_t, 16> bytes{};
        std::ranges::copy(element.key, bytes.begin());
        out.push_back(Address(element.key.size() == 4 ? Family::ipv4 : Family::ipv6, bytes).text() +
                      length);
      }
    }
    std::ranges::sort(out);
    return out;
  }
  seconds left(const std::string& what) {
    const auto* found = firewall_->bans().find(prefix_of(what), clock_);
    return found == nullptr ? seconds(0) : found->left(clock_).value_or(seconds::max());
  }
  std::string last_sent() { return nft::text(kernel_.applied().back()); }
  std::string file() { return folder_.lines("state/bans"); }

  testing::TemporaryFolder folder_;
  testing::FakeKernel kernel_;
  Instant clock_{.wall = *parse_time("2026-11-22T10:00:00Z"), .uptime = hours(1)};
  std::optional<Firewall> firewall_;
};

bool mentions(const Words& lines, const std::string& what) {
  return std::ranges::any_of(
      lines, [&](const std::string& line) { return line.find(what) != std::string::npos; });
}

TEST_F(BansTest, OneMoreIsOneElementMore) {
  ASSERT_TRUE(ban({"203.0.113.9"}));
  const auto generation = firewall_->generation();
  const auto sent = kernel_.applied().size();
  const auto change = ban({"203.0.113.10", "for", "1h"});
  ASSERT_TRUE(change) << message(change.error());
  EXPECT_TRUE(change->changed);
  EXPECT_EQ(change->difference, Words{"+ ban 203.0.113.10 until 2026-11-22T11:00:00Z"});
  EXPECT_EQ(kernel_.applied().size(), sent + 1);
  EXPECT_EQ(last_sent(),
            "add element inet fwctl banned/ipv4 { 203.0.113.10 comment \"until "
            "2026-11-22T11:00:00Z\" }\n");
  EXPECT_EQ(firewall_->generation(), generation) << "bans are no generations";
  EXPECT_EQ(in_kernel(), (Words{"203.0.113.10", "203.0.113.9"}));
}

TEST_F(BansTest, WithoutBansThereIsNothingInTheKernel) {
  const auto nothing = nft::text(*kernel_.read().value());
  ASSERT_TRUE(ban({"203.0.113.9", "2001:db9::/32"}));
  EXPECT_NE(nft::text(*kernel_.read().value()), nothing);
  ASSERT_TRUE(unban({"all"}));
  EXPECT_TRUE(firewall_->collectable());
  ASSERT_TRUE(firewall_->collect());
  EXPECT_EQ(nft::text(*kernel_.read().value()), nothing);
}

TEST_F(BansTest, ALongerTimeReplacesAShorterOneStays) {
  ASSERT_TRUE(ban({"203.0.113.9", "for", "1h"}));
  const auto before = file();
  for (const Words& words :
       {Words{"203.0.113.9", "for", "1h"}, Words{"203.0.113.9", "for", "1s"}}) {
    const auto again = ban(words);
    ASSERT_TRUE(again);
    EXPECT_FALSE(again->changed);
    EXPECT_TRUE(mentions(again->notes, "banned already, for as long or longer: 203.0.113.9"));
  }
  EXPECT_EQ(file(), before);
  pass(seconds(60));
  const auto longer = ban({"203.0.113.9", "for", "2h", "comment", "worse"});
  ASSERT_TRUE(longer);
  EXPECT_TRUE(mentions(longer->notes, "now for longer: 203.0.113.9"));
  EXPECT_EQ(left("203.0.113.9"), hours(2));
  EXPECT_EQ(last_sent(),
            "delete element inet fwctl banned/ipv4 { 203.0.113.9 }\n"
            "add element inet fwctl banned/ipv4 { 203.0.113.9 comment \"until "
            "2026-11-22T12:01:00Z\" }\n");
  ASSERT_TRUE(ban({"203.0.113.9"}));
  EXPECT_EQ(left("203.0.113.9"), seconds::max());
  EXPECT_FALSE(ban({"203.0.113.9", "for", "99d"})->changed);
}

TEST_F(BansTest, OnlyThoseWithTheCommentAreLifted) {
  ASSERT_TRUE(ban({"203.0.113.1", "203.0.113.2", "comment", "jail"}));
  ASSERT_TRUE(ban({"203.0.113.3", "comment", "another"}));
  const auto left = unban({"203.0.113.3", "comment", "jail"});
  EXPECT_FALSE(left->changed);
  EXPECT_TRUE(mentions(left->notes, "another comment"));
  ASSERT_TRUE(unban({"comment", "jail"}));
  EXPECT_EQ(banned(), Words{"203.0.113.3"});
  EXPECT_EQ(in_kernel(), Words{"203.0.113.3"});
}

TEST_F(BansTest, AStartBringsAllWithTheTimeLeft) {
  ASSERT_TRUE(ban({"203.0.113.9", "198.18.0.0/15", "for", "1h", "comment", "why not"}));
  ASSERT_TRUE(ban({"203.0.113.10", "for", "10m"}));
  ASSERT_TRUE(ban({"2001:db8:7::/64"}));
  pass(seconds(1200));
  start();
  const Words expected{"198.18.0.0/15", "2001:db8:7::/64", "203.0.113.9"};
  EXPECT_EQ(banned(), expected);
  EXPECT_EQ(in_kernel(), expected);
  EXPECT_EQ(left("203.0.113.9"), seconds(2400));
  EXPECT_EQ(firewall_->bans().find(prefix_of("203.0.113.9"), clock_)->origin->comment, "why not");
  // Also where the kernel has nothing any more, and the uptime begins anew.
  ASSERT_TRUE(kernel_.apply({nft::DeleteTable{}}));
  clock_.uptime = seconds(5);
  clock_.wall += seconds(60);
  start();
  EXPECT_EQ(in_kernel(), expected);
  EXPECT_EQ(left("203.0.113.9"), seconds(2340));
  EXPECT_TRUE(firewall_->problems().empty());
}

TEST_F(BansTest, WithoutBansAStartSendsNothing) {
  const auto sent = kernel_.applied().size();
  start();
  EXPECT_EQ(kernel_.applied().size(), sent);
}

TEST_F(BansTest, NoClockMakesABanLastForEver) {
  ASSERT_TRUE(ban({"203.0.113.9", "for", "1h"}));
  pass(seconds(1800));
  clock_.wall -= hours(24 * 365);  // set back, while it runs
  EXPECT_EQ(left("203.0.113.9"), seconds(1800)) << "the kernel counts by another clock";
  start();
  EXPECT_EQ(left("203.0.113.9"), hours(1)) << "no more than it began with";
  clock_.wall += hours(24 * 365);
  EXPECT_EQ(left("203.0.113.9"), hours(1));
  pass(hours(1));
  EXPECT_EQ(banned(), Words());
}

TEST_F(BansTest, WhatTheKernelHasTakenOutIsNoError) {
  for (const bool lifted : {true, false}) {
    ASSERT_TRUE(ban({"203.0.113.9", "for", "1h"}));
    ASSERT_TRUE(ban({"203.0.113.10"}));
    kernel_.take_out("banned/ipv4", Bytes("\xcb\x00\x71\x09", 4));
    const auto change = lifted ? unban({"203.0.113.9"}) : ban({"203.0.113.9", "for", "2h"});
    ASSERT_TRUE(change) << message(change.error());
    EXPECT_TRUE(change->changed);
    EXPECT_EQ(in_kernel(), banned());
  }
}

TEST_F(BansTest, WhatTheKernelRefusesIsNotKept) {
  ASSERT_TRUE(ban({"203.0.113.9"}));
  const auto before = file();
  for (const auto& change : std::vector<std::function<Change()>>{
           [&] { return ban({"203.0.113.10"}); }, [&] { return unban({"203.0.113.9"}); },
           [&] { return ban({"198.18.0.0/15"}); }}) {
    kernel_.fail_next(ENOMEM, 2);  // and what is tried then
    const auto failed = change();
    ASSERT_FALSE(failed);
    EXPECT_EQ(file(), before);
    EXPECT_EQ(banned(), Words{"203.0.113.9"});
    EXPECT_EQ(in_kernel(), Words{"203.0.113.9"});
  }
  ASSERT_TRUE(ban({"203.0.113.10"}));
  EXPECT_EQ(in_kernel(), (Words{"203.0.113.10", "203.0.113.9"}));
}

TEST_F(BansTest, AfterAnotherProgramAllAreSentAgain) {
  ASSERT_TRUE(ban({"203.0.113.9", "for", "1h"}));
  ASSERT_TRUE(kernel_.apply({nft::FlushSet{"banned/ipv4"}}));
  ASSERT_TRUE(firewall_->reload({.reason = "test"}));
  EXPECT_EQ(in_kernel(), Words{"203.0.113.9"});
  ASSERT_TRUE(kernel_.apply({nft::FlushChain{"banned/prerouting"}}));
  ASSERT_TRUE(ban({"203.0.113.10"}));
  EXPECT_EQ(in_kernel(), (Words{"203.0.113.10", "203.0.113.9"}));
  const auto ruleset = kernel_.read().value();
  ASSERT_TRUE(ruleset);
  const auto* chain = ruleset->find_chain("banned/prerouting");
  ASSERT_NE(chain, nullptr);
  EXPECT_EQ(chain->rules.size(), 2U);
  ASSERT_TRUE(kernel_.apply({nft::DeleteTable{}}));
  ASSERT_TRUE(unban({"203.0.113.10"}));
  EXPECT_EQ(in_kernel(), Words{"203.0.113.9"});
}

TEST_F(BansTest, APolicyMoreLeavesThemAlone) {
  kernel_.keep_to_ourselves();
  ASSERT_TRUE(ban({"203.0.113.9"}));
  ASSERT_TRUE(firewall_->add({"limit", "22/tcp"}, {}, request()));
  EXPECT_EQ(last_sent().find("banned"), std::string::npos);
  EXPECT_EQ(in_kernel(), Words{"203.0.113.9"});
  ASSERT_TRUE(firewall_->rollback({}, request()));
  EXPECT_EQ(last_sent().find("banned"), std::string::npos);
  ASSERT_TRUE(firewall_->disable(request()));
  EXPECT_EQ(in_kernel(), Words());
  ASSERT_TRUE(ban({"203.0.113.10"}));
  ASSERT_TRUE(firewall_->enable(request()));
  EXPECT_EQ(in_kernel(), (Words{"203.0.113.10", "203.0.113.9"}));
}

TEST_F(BansTest, ALineThatAPowerLossCutWasNeverThere) {
  ASSERT_TRUE(ban({"203.0.113.9"}));
  const auto whole = file();
  ASSERT_TRUE(ban({"203.0.113.10"}));
  const auto more = file();
  for (auto size = whole.size(); size < more.size(); size += 7) {
    folder_.write("state/bans", more.substr(0, size));
    start();
    EXPECT_EQ(banned(), Words{"203.0.113.9"}) << size;
    EXPECT_TRUE(firewall_->problems().empty());
    EXPECT_EQ(file(), whole);
  }
}

TEST_F(BansTest, ADamagedFileIsToldOfAndKept) {
  ASSERT_TRUE(ban({"203.0.113.9"}));
  const auto whole = file();
  ASSERT_TRUE(ban({"203.0.113.10"}));
  ASSERT_TRUE(ban({"203.0.113.11"}));
  auto damaged = file();
  damaged[whole.size() + 30] ^= 1;
  folder_.write("state/bans", damaged);
  start();
  EXPECT_EQ(banned(), Words{"203.0.113.9"});
  EXPECT_TRUE(mentions(firewall_->problems(), "bans is damaged: 2 commands"));
  EXPECT_EQ(folder_.read("state/bans.damaged"), damaged);
  ASSERT_TRUE(ban({"203.0.113.12"}));
  start();
  EXPECT_EQ(banned(), (Words{"203.0.113.12", "203.0.113.9"}));
  EXPECT_TRUE(firewall_->problems().empty());
}

TEST_F(BansTest, TheExampleInTheManualIsRead) {
  std::ifstream file(FWCTL_DOCS "/storage.md");
  const std::string manual((std::istreambuf_iterator<char>(file)), {});
  std::string lines;
  std::size_t count = 0;
  for (std::size_t begin = 0; begin < manual.size();) {
    const auto end = std::min(manual.find('\n', begin), manual.size());
    const auto line = manual.substr(begin, end - begin);
    begin = end + 1;
    if (line.find(" {\"ban\"") != 16 && line.find(" {\"unban\"") != 16) continue;
    lines += line + "\n";
    ++count;
  }
  ASSERT_EQ(count, 2U);
  folder_.write("state/bans", lines);
  clock_.wall = *parse_time("2026-11-22T18:10:39Z");
  start();
  EXPECT_TRUE(firewall_->problems().empty());
  EXPECT_EQ(banned(), Words{"2001:db8::/64"});
  EXPECT_EQ(left("2001:db8::/64"), seconds(3000));
}

TEST_F(BansTest, WhatCannotBeReadIsNotWrittenOver) {
  std::filesystem::create_directories(folder_.path() / "state/bans");
  start();
  EXPECT_TRUE(mentions(firewall_->problems(), "nobody is banned, and nobody can be"));
  EXPECT_FALSE(ban({"203.0.113.9"}));
  EXPECT_EQ(in_kernel(), Words());
}

TEST_F(BansTest, LinesThatSayNothingAnyMoreGo) {
  ASSERT_TRUE(ban({"203.0.113.9", "for", "1h", "comment", "stays"}));
  for (int round = 0; round < 1200; ++round) {
    ASSERT_TRUE(ban({"203.0.113.10", "for", "1h"}));
    ASSERT_TRUE(unban({"203.0.113.10"}));
  }
  EXPECT_LT(std::ranges::count(file(), '\n'), 1100);
  pass(seconds(600));
  start();
  EXPECT_EQ(banned(), Words{"203.0.113.9"});
  EXPECT_EQ(left("203.0.113.9"), seconds(3000));
}

TEST_F(BansTest, OwnAddressesAndThoseOfNobody) {
  for (const auto* what : {"127.0.0.1", "0.0.0.0/0", "::/0", "::1", "224.0.0.1", "ff00::/8",
                           "0.0.0.0/8", "192.0.2.1", "192.0.2.0/24", "2001:db8:1::/48"}) {
    const auto refused = ban({"203.0.113.9", what});
    ASSERT_FALSE(refused) << what;
    EXPECT_TRUE(std::holds_alternative<Refused>(refused.error())) << what;
  }
  EXPECT_EQ(banned(), Words());
  EXPECT_TRUE(ban({"192.0.2.2/31", "2001:db8:2::/48"}));
}

TEST_F(BansTest, TheOneThatEndsLastCounts) {
  ASSERT_TRUE(ban({"203.0.113.9", "for", "1h"}));
  ASSERT_TRUE(ban({"203.0.113.0/24", "for", "2h"}));
  ASSERT_TRUE(ban({"203.0.112.0/23", "for", "30m"}));
  const auto& bans = firewall_->bans();
  EXPECT_EQ(bans.covering(range_of("203.0.113.9"), clock_)->first.text(), "203.0.113.0/24");
  EXPECT_EQ(bans.covering(range_of("203.0.112.9"), clock_)->first.text(), "203.0.112.0/23");
  EXPECT_FALSE(bans.covering(range_of("203.0.0.0/16"), clock_));
  EXPECT_EQ(bans.meeting(range_of("203.0.0.0/16"), clock_), 3U);
  ASSERT_TRUE(ban({"203.0.113.9"}));
  EXPECT_EQ(bans.covering(range_of("203.0.113.9"), clock_)->first.text(), "203.0.113.9");
  pass(hours(3));
  EXPECT_EQ(bans.count(clock_), 1U);
  EXPECT_FALSE(bans.covering(range_of("203.0.113.10"), clock_));
}

}  // namespace
}  // namespace fwctl
