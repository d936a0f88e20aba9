// The ways back: generations that are kept, and those that go again unless they are confirmed.
#include <gtest/gtest.h>

#include <functional>

#include "daemon/clock.h"
#include "daemon/firewall.h"
#include "rules/nft/plan.h"
#include "rules/nft/text.h"
#include "tests/kernel/fake_kernel.h"
#include "tests/unit/temporary_folder.h"

namespace fwctl {
namespace {

using namespace std::chrono_literals;
using Words = std::vector<std::string>;

const Author someone{.uid = 1000, .user = "alice", .from = "192.0.2.7"};

class HistoryTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::create_directories(folder_.path() / "etc/policy.d");
    folder_.write("etc/policy.yaml", "rules:\n  - allow: 22/tcp\n");
  }
  void start() {
    firewall_.emplace(
        Firewall::Places{.config = folder_.path() / "etc",
                         .state = folder_.path() / "state",
                         .services = {.services = folder_.path() / "services", .profiles = {}},
                         .surroundings = [this](const policy::Names&) { return host_; },
                         .clock = [this] { return clock_; }},
        kernel_);
    const auto started = firewall_->start();
    ASSERT_TRUE(started) << started.error().message();
  }
  // With a policy in force.
  void begin() {
    start();
    ASSERT_TRUE(firewall_->enable(asked("enable")));
    ASSERT_TRUE(allow("25/tcp"));
  }
  // A change on trial, and then a name of the policy means something else.
  void begin_trial_and_move_wan() {
    folder_.write("etc/policy.yaml", "rules: [{allow: 22/tcp, interface: wan}]\n");
    host_.wan = std::vector<std::string>{"eth0"};
    begin();
    ASSERT_TRUE(allow("26/tcp", 60s));
    host_.wan = std::vector<std::string>{"eth1"};
  }

  static Request asked(const std::string& what,
                       std::optional<std::chrono::seconds> confirm = std::nullopt) {
    return {.reason = what, .now = now(), .by = someone, .confirm = confirm};
  }
  Change allow(const std::string& what,
               std::optional<std::chrono::seconds> confirm = std::nullopt) {
    return firewall_->add({"allow", what}, {}, asked("allow " + what, confirm));
  }
  Change rollback(std::optional<std::uint64_t> number = {}) {
    return firewall_->rollback(number, asked("rollback"));
  }
  Change reload(std::optional<std::chrono::seconds> confirm = std::nullopt) {
    return firewall_->reload(asked("reload", confirm));
  }
  void pass(std::chrono::seconds time) {
    clock_.wall += time;
    clock_.uptime += time;
  }
  void boot() {
    ASSERT_TRUE(kernel_.apply({nft::DeleteTable{}}));
    clock_.wall += 30s;
    clock_.uptime = 5s;
  }

  // What there is to be brought back: policy and switch, in the kernel and in the files.
  struct State {
    std::string kernel;
    std::map<std::string, std::string> files;
    bool enabled;
    bool operator==(const State&) const = default;
  };
  State state() {
    const auto ruleset = kernel_.read().value();
    State out{.kernel = "nothing", .files = {}, .enabled = firewall_->enabled()};
    if (ruleset) {
      auto live = nft::live(*ruleset);
      std::erase_if(live.chains,
                    [](const nft::Chain& chain) { return chain.name == nft::marker_chain; });
      out.kernel = nft::text(live);
    }
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_.path() / "etc"))
      if (entry.is_regular_file())
        out.files[entry.path().string()] =
            folder_.read(std::filesystem::relative(entry.path(), folder_.path()));
    return out;
  }

  testing::TemporaryFolder folder_;
  testing::FakeKernel kernel_;
  policy::Surroundings host_;
  Instant clock_{.wall = now(), .uptime = 1000s};
  std::optional<Firewall> firewall_;
};

// --- history ---

TEST_F(HistoryTest, EachGenerationSaysWhoAskedForWhat) {
  begin();
  start();  // from disk: a file and a line of the log
  ASSERT_TRUE(allow("26/tcp"));
  const auto history = firewall_->history();
  ASSERT_EQ(history.size(), 4U);
  EXPECT_EQ(history[0].reason, "allow 26/tcp");
  EXPECT_EQ(history[1].reason, "allow 25/tcp");
  EXPECT_EQ(history[2].reason, "enable");
  EXPECT_EQ(history[3].reason, "first start");
  for (std::size_t index = 0; index < 3; ++index) EXPECT_EQ(history[index].by, someone);
  EXPECT_FALSE(history[3].by.uid);
  EXPECT_EQ(history[0].number, firewall_->generation());
  EXPECT_EQ(firewall_->what_changed(history[0].number).value(), Words{"+ allow 26/tcp"});
  EXPECT_EQ(firewall_->what_changed(history[2].number).value(), Words{"+ in force"});
  EXPECT_EQ(firewall_->what_changed(history[3].number).value(), Words{});
}

TEST_F(HistoryTest, AGenerationThatIsNotKeptIsRefusedWithThoseThatAre) {
  begin();
  for (const auto number : {0U, 99U}) {
    const auto change = rollback(number);
    ASSERT_FALSE(change);
    const auto& unknown = std::get<UnknownGeneration>(change.error());
    EXPECT_EQ(unknown.known, (std::vector<std::uint64_t>{3, 2, 1}));
    EXPECT_EQ(unknown.message,
              "generation " + std::to_string(number) + " is not kept; there are 3-1");
    EXPECT_FALSE(firewall_->what_changed(number));
  }
}

TEST_F(HistoryTest, ARefusedChangeIsNoHistory) {
  begin();
  const auto before = firewall_->history().size();
  kernel_.fail_next(EINVAL);
  ASSERT_FALSE(allow("26/tcp"));
  EXPECT_EQ(firewall_->history().size(), before);
}

// --- rollback ---

TEST_F(HistoryTest, RollbackUndoesTheLastChangeAndThenTheRollback) {
  begin();
  const auto before = state();
  ASSERT_TRUE(allow("26/tcp"));
  const auto after = state();
  const auto change = rollback();
  ASSERT_TRUE(change) << message(change.error());
  EXPECT_TRUE(change->changed);
  EXPECT_EQ(change->difference, Words{"- allow 26/tcp"});
  EXPECT_EQ(change->generation, 5U);
  EXPECT_EQ(state(), before);
  ASSERT_TRUE(rollback());
  EXPECT_EQ(state(), after);
}

TEST_F(HistoryTest, RollbackPutsBackAllFilesAndSurvivesReloadAndRestart) {
  begin();
  folder_.write("etc/policy.d/gone.yaml", "rules: [allow 5000/tcp]\n");
  ASSERT_TRUE(reload());
  const auto good = firewall_->generation();
  const auto before = state();
  folder_.write("etc/policy.yaml", "rules: [deny 22/tcp]\n");
  folder_.write("etc/policy.d/new.yaml", "rules: [deny 80/tcp]\n");
  std::filesystem::remove(folder_.path() / "etc/policy.d/gone.yaml");
  ASSERT_TRUE(reload());
  ASSERT_TRUE(allow("81/tcp"));
  ASSERT_TRUE(rollback(good));
  EXPECT_EQ(state(), before);
  EXPECT_FALSE(reload()->changed);
  EXPECT_EQ(state(), before);
  EXPECT_TRUE(firewall_->problems().empty());
  const auto sent = kernel_.applied().size();
  start();
  EXPECT_EQ(kernel_.applied().size(), sent);
  EXPECT_EQ(state(), before);
}

TEST_F(HistoryTest, RollbackToWhatIsSoChangesNothing) {
  begin();
  const auto change = rollback(firewall_->generation());
  ASSERT_TRUE(change);
  EXPECT_FALSE(change->changed);
  EXPECT_EQ(change->notes, Words{"what generation 3 says is so already"});
  EXPECT_EQ(firewall_->generation(), 3U);
}

TEST_F(HistoryTest, RollbackSaysThatTheFirewallGoesOutOfForce) {
  begin();
  const auto change = rollback(1);
  ASSERT_TRUE(change);
  EXPECT_FALSE(change->enabled);
  EXPECT_EQ(change->notes, Words{"generation 1 was not in force: the firewall is not any more"});
  EXPECT_EQ(state().kernel, "nothing");
}

// What was typed into a file and never loaded is in no generation.
TEST_F(HistoryTest, WhatWasWrittenSinceIsKeptBesideIt) {
  begin();
  ASSERT_TRUE(allow("26/tcp"));
  folder_.write("etc/policy.yaml", "rules: [ # half\n");
  const auto change = rollback();
  ASSERT_TRUE(change) << message(change.error());
  ASSERT_EQ(change->notes.size(), 1U);
  const auto copy = change->notes[0].substr(change->notes[0].rfind(' ') + 1);
  EXPECT_EQ(folder_.read(std::filesystem::relative(copy, folder_.path())), "rules: [ # half\n");
  EXPECT_EQ(folder_.read("etc/policy.yaml"), "rules:\n  - allow: 22/tcp\n");
  EXPECT_TRUE(firewall_->problems().empty());
}

TEST_F(HistoryTest, ARefusedRollbackLeavesEverythingAsItWas) {
  begin();
  folder_.write("etc/policy.d/new.yaml", "rules: [deny 80/tcp]\n");
  ASSERT_TRUE(reload());
  folder_.write("etc/policy.yaml", "rules: [allow 23/tcp]\n");
  const auto before = state();
  kernel_.fail_next(EINVAL);
  ASSERT_FALSE(rollback());
  EXPECT_EQ(state(), before);
}

TEST_F(HistoryTest, ADryRunOfRollbackSaysWhatItWouldDo) {
  begin();
  ASSERT_TRUE(allow("26/tcp"));
  folder_.write("etc/policy.yaml", "rules: [ # half\n");
  const auto before = state();
  auto request = asked("rollback");
  request.dry_run = true;
  const auto change = firewall_->rollback({}, request);
  ASSERT_TRUE(change) << message(change.error());
  EXPECT_EQ(change->difference, Words{"- allow 26/tcp"});
  EXPECT_EQ(state(), before);
}

TEST_F(HistoryTest, NothingBeforeIsNothingToGoBackTo) {
  start();
  const auto change = rollback();
  ASSERT_FALSE(change);
  EXPECT_NE(message(change.error()).find("nothing to go back to"), std::string::npos);
}

// A crash after the generation was stored, before the files had their places.
TEST_F(HistoryTest, AStartFinishesTheFilesOfARollback) {
  begin();
  const auto before = state();
  folder_.write("etc/policy.yaml", "rules: [deny 22/tcp]\n");
  folder_.write("etc/policy.d/new.yaml", "rules: [deny 80/tcp]\n");
  ASSERT_TRUE(reload());
  ASSERT_TRUE(rollback());
  folder_.write("etc/policy.yaml", "rules: [deny 22/tcp]\n");
  folder_.write("etc/policy.d/new.yaml", "rules: [deny 80/tcp]\n");
  start();
  EXPECT_EQ(state(), before);
  // What somebody makes of them stays.
  folder_.write("etc/policy.d/new.yaml", "rules: [deny 8080/tcp]\n");
  start();
  EXPECT_TRUE(folder_.has("etc/policy.d/new.yaml"));
}

// --- on trial ---

TEST_F(HistoryTest, WhatNobodyConfirmsGoesAgain) {
  begin();
  const auto before = state();
  const auto change = allow("26/tcp", 60s);
  ASSERT_TRUE(change) << message(change.error());
  EXPECT_EQ(change->confirm, 60s);
  EXPECT_NE(state(), before);
  pass(59s);
  EXPECT_EQ(firewall_->trial_left(), 1s);
  EXPECT_FALSE(firewall_->end_trial()->changed);
  EXPECT_NE(state(), before);
  pass(1s);
  const auto undone = firewall_->end_trial();
  ASSERT_TRUE(undone) << message(undone.error());
  EXPECT_TRUE(undone->changed);
  EXPECT_EQ(state(), before);
  EXPECT_FALSE(firewall_->trial());
  EXPECT_EQ(firewall_->generation(), 5U);
  EXPECT_EQ(firewall_->history()[0].reason,
            "generation 4 was not confirmed in time: back to generation 3");
  EXPECT_FALSE(firewall_->history()[0].by.uid);
  ASSERT_EQ(firewall_->problems().size(), 1U);
  EXPECT_NE(firewall_->problems()[0].find("was not confirmed"), std::string::npos);
  ASSERT_TRUE(rollback(4));
  EXPECT_TRUE(firewall_->problems().empty());
}

TEST_F(HistoryTest, WhatIsConfirmedStays) {
  begin();
  ASSERT_TRUE(allow("26/tcp", 60s));
  const auto after = state();
  const auto confirmed = firewall_->confirm();
  ASSERT_TRUE(confirmed);
  EXPECT_TRUE(confirmed->changed);
  pass(3600s);
  EXPECT_FALSE(firewall_->end_trial()->changed);
  EXPECT_EQ(state(), after);
  start();
  EXPECT_FALSE(firewall_->trial());
  EXPECT_EQ(state(), after);
  EXPECT_FALSE(firewall_->confirm()->changed);
  ASSERT_TRUE(allow("27/tcp"));
}

TEST_F(HistoryTest, WhatChangesNothingIsNotOnTrial) {
  begin();
  const auto change = allow("25/tcp", 60s);
  ASSERT_TRUE(change);
  EXPECT_FALSE(change->changed);
  EXPECT_FALSE(change->confirm);
  EXPECT_FALSE(firewall_->trial());
}

// Those that go the short way, those that do not, and those that touch the switch.
TEST_F(HistoryTest, EveryChangeCanBeOnTrial) {
  begin();
  const std::vector<std::pair<std::string, std::function<Change(const Request&)>>> changes{
      {"deny", [&](const auto& r) { return firewall_->add({"deny", "25/tcp"}, {}, r); }},
      {"delete", [&](const auto& r) { return firewall_->remove({"allow", "25/tcp"}, r); }},
      {"default",
       [&](const auto& r) {
         return firewall_->set_default(policy::Traffic::incoming, policy::Verdict::reject, r);
       }},
      {"logging", [&](const auto& r) { return firewall_->set_logging(policy::Logging::high, r); }},
      {"set",
       [&](const auto& r) {
         return firewall_->edit_set(policy::SetAction::add, "bad", {"192.0.2.1"}, r);
       }},
      {"disable", [&](const auto& r) { return firewall_->disable(r); }},
      {"reset",
       [&](const auto& r) -> Change {
         auto done = firewall_->reset(r);
         if (!done) return tl::unexpected(done.error());
         std::filesystem::remove(done->kept);
         return done->outcome;
       }},
      {"apply",
       [&](const auto& r) { return firewall_->apply("rules: [allow 80/tcp]\n", "new", r); }},
      {"rollback", [&](const auto& r) { return firewall_->rollback(1, r); }},
  };
  const auto before = state();
  for (const auto& [what, change] : changes) {
    const auto done = change(asked(what, 10s));
    ASSERT_TRUE(done) << what << ": " << message(done.error());
    EXPECT_TRUE(done->changed && done->confirm) << what;
    EXPECT_NE(state(), before) << what;
    pass(10s);
    ASSERT_TRUE(firewall_->end_trial()) << what;
    EXPECT_EQ(state(), before) << what;
  }
}

TEST_F(HistoryTest, OnTrialNothingElseChanges) {
  begin();
  ASSERT_TRUE(allow("26/tcp", 60s));
  pass(18s);
  const auto before = state();
  for (const auto& change :
       {allow("27/tcp"), allow("27/tcp", 60s), firewall_->disable(asked("disable")), rollback(1),
        firewall_->remove({"allow", "25/tcp"}, asked("delete")),
        firewall_->rollback({}, asked("rollback", 60s))}) {
    ASSERT_FALSE(change);
    const auto& waits = std::get<AwaitingConfirmation>(change.error());
    EXPECT_EQ(waits.generation, 4U);
    EXPECT_EQ(waits.left, 42s);
    EXPECT_EQ(waits.message,
              "generation 4 waits to be confirmed, for 42s more: 'fwctl confirm' keeps it, 'fwctl "
              "rollback' undoes it at once");
  }
  EXPECT_EQ(state(), before);
  EXPECT_EQ(firewall_->generation(), 4U);
  EXPECT_FALSE(allow("26/tcp")->changed) << "what is so already is no change";
}

TEST_F(HistoryTest, RollbackEndsATrialAtOnce) {
  begin();
  const auto before = state();
  ASSERT_TRUE(allow("26/tcp", 60s));
  ASSERT_TRUE(rollback());
  EXPECT_EQ(state(), before);
  EXPECT_FALSE(firewall_->trial());
  ASSERT_TRUE(allow("27/tcp"));
}

TEST_F(HistoryTest, TheTimeIsBounded) {
  begin();
  for (const auto time : {0s, -5s, 86401s}) EXPECT_FALSE(allow("26/tcp", time));
  EXPECT_EQ(firewall_->generation(), 3U);
}

// The clock on the wall may be set; the trial does not care.
TEST_F(HistoryTest, ARestartInTimeGoesOnCounting) {
  begin();
  const auto before = state();
  ASSERT_TRUE(allow("26/tcp", 60s));
  const auto after = state();
  pass(20s);
  start();
  EXPECT_EQ(state(), after);
  EXPECT_EQ(firewall_->trial_left(), 40s);
  pass(40s);
  ASSERT_TRUE(firewall_->end_trial());
  EXPECT_EQ(state(), before);
}

TEST_F(HistoryTest, ARestartTooLateUndoes) {
  begin();
  const auto before = state();
  ASSERT_TRUE(allow("26/tcp", 60s));
  pass(61s);
  start();
  EXPECT_EQ(state(), before);
  EXPECT_FALSE(firewall_->trial());
  EXPECT_EQ(firewall_->history()[0].reason,
            "generation 4 was not confirmed in time: back to generation 3");
  start();
  EXPECT_EQ(firewall_->generation(), 5U) << "once";
  EXPECT_EQ(state(), before);
}

TEST_F(HistoryTest, ARebootUndoesAtOnce) {
  begin();
  folder_.write("etc/policy.d/new.yaml", "rules: [deny 22/tcp]\n");
  const auto without = [&] {
    auto out = state();
    std::erase_if(out.files, [](const auto& file) { return file.first.ends_with("new.yaml"); });
    return out;
  };
  const auto before = without();
  ASSERT_TRUE(reload(600s));
  boot();
  start();
  EXPECT_EQ(state(), before) << "the new file is gone as well";
  EXPECT_EQ(firewall_->history()[0].reason,
            "generation 4 was not confirmed before the host was started again: back to "
            "generation 3");
}

// Nobody's table either: by the clocks alone.
TEST_F(HistoryTest, ARebootUndoesADisableAtOnce) {
  begin();
  const auto before = state();
  ASSERT_TRUE(firewall_->disable(asked("disable", 600s)));
  clock_.wall += 30s;
  clock_.uptime = 5s;
  start();
  EXPECT_EQ(state(), before);
  EXPECT_TRUE(firewall_->enabled());
}

// The daemon's own changes go on: names and ends do not wait for people.
TEST_F(HistoryTest, WhatNamesMeanMayChangeOnTrial) {
  begin_trial_and_move_wan();
  const auto refreshed = firewall_->refresh();
  ASSERT_TRUE(refreshed && refreshed->changed);
  EXPECT_EQ(firewall_->generation(), 5U);
  ASSERT_TRUE(firewall_->trial());
  EXPECT_EQ(firewall_->trial()->before, 3U);
  start();
  ASSERT_TRUE(firewall_->trial());
  pass(60s);
  ASSERT_TRUE(firewall_->end_trial());
  EXPECT_FALSE(firewall_->trial());
  EXPECT_EQ(firewall_->policy().policy().rules.size(), 2U);
  EXPECT_NE(state().kernel.find("eth1"), std::string::npos);
}

TEST_F(HistoryTest, AConfirmationHoldsForWhatFollowedByItself) {
  begin_trial_and_move_wan();
  ASSERT_TRUE(firewall_->refresh());
  ASSERT_TRUE(firewall_->confirm());
  const auto after = state();
  pass(3600s);
  start();
  EXPECT_FALSE(firewall_->trial());
  EXPECT_EQ(state(), after);
}

// The way in comes back, whatever the disk says to it.
TEST_F(HistoryTest, AFullDiskDoesNotKeepATrialInForce) {
  begin();
  const auto before = state();
  ASSERT_TRUE(firewall_->apply("rules: [deny 22/tcp]\n", "new", asked("apply", 60s)));
  pass(60s);
  folder_.write("state/changes-5/in_the_way", "");  // where the next generation's log would be
  const auto undone = firewall_->end_trial();
  ASSERT_TRUE(undone) << message(undone.error());
  EXPECT_EQ(state().kernel, before.kernel);
  EXPECT_NE(state(), before);
  EXPECT_FALSE(firewall_->problems().empty());
  start();
  EXPECT_EQ(state().kernel, before.kernel);
  std::filesystem::remove_all(folder_.path() / "state/changes-5");
  start();
  EXPECT_EQ(state(), before);
}

TEST_F(HistoryTest, AConfirmationThatCannotBeStoredIsNone) {
  begin();
  ASSERT_TRUE(allow("26/tcp", 60s));
  std::filesystem::rename(folder_.path() / "state", folder_.path() / "away");
  EXPECT_FALSE(firewall_->confirm());
  EXPECT_TRUE(firewall_->trial());
  std::filesystem::rename(folder_.path() / "away", folder_.path() / "state");
  EXPECT_TRUE(firewall_->confirm());
  EXPECT_FALSE(firewall_->trial());
}

}  // namespace
}  // namespace fwctl
