// The state machine on a kernel in memory: what each change does, and that each step that fails
// leaves everything as it was.
#include "daemon/firewall.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <functional>

#include "rules/nft/plan.h"
#include "rules/nft/text.h"
#include "tests/kernel/fake_kernel.h"
#include "tests/unit/temporary_folder.h"

namespace fwctl {
namespace {

using Words = std::vector<std::string>;

class FirewallTest : public ::testing::Test {
 protected:
  void start() {
    firewall_.emplace(
        Firewall::Places{.config = folder_.path() / "etc",
                         .state = folder_.path() / "state",
                         .services = {.services = folder_.path() / "services",
                                      .profiles = {folder_.path() / "ufw",
                                                   folder_.path() / "etc/applications.d"}},
                         .surroundings =
                             [this](const policy::Names& wanted) {
                               looked_up_.push_back(wanted);
                               return host_;
                             },
                         .units = [this](const policy::UnitNames&) { return units_; },
                         .forwarding = [this] { return forwarding_; }},
        kernel_);
    const auto started = firewall_->start();
    ASSERT_TRUE(started) << started.error().message();
  }
  void SetUp() override { std::filesystem::create_directories(folder_.path() / "etc"); }

  Change allow(const std::string& what) {
    return firewall_->add({"allow", what}, {}, {.reason = "test"});
  }
  Change deny(const std::string& what) {
    return firewall_->add({"deny", what}, {}, {.reason = "test"});
  }
  Change enable() { return firewall_->enable({.reason = "test"}); }

  std::optional<nft::Ruleset> in_kernel() { return kernel_.read().value(); }
  std::string kernel_text() {
    const auto ruleset = in_kernel();
    return ruleset ? nft::text(nft::live(*ruleset)) : "nothing";
  }
  std::string marker() {
    const auto ruleset = in_kernel();
    const auto* chain = ruleset ? ruleset->find_chain(nft::marker_chain) : nullptr;
    return chain != nullptr ? chain->comment : "none";
  }

  // What is said of a change, or a problem, that needs a kernel which passes packets on.
  static Words of_forwarding(const Words& said) {
    Words out;
    for (const auto& sentence : said)
      if (sentence.find("packets on: set ") != std::string::npos) out.push_back(sentence);
    return out;
  }

  // All that a change may touch.
  struct Everything {
    std::string kernel;
    std::map<std::string, std::string> files;
    std::uint64_t generation;
    bool enabled;
    bool operator==(const Everything&) const = default;
  };
  Everything everything() {
    Everything out{.kernel = kernel_text(),
                   .files = {},
                   .generation = firewall_->generation(),
                   .enabled = firewall_->enabled()};
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_.path()))
      out.files[entry.path().string()] =
          entry.is_regular_file()
              ? folder_.read(std::filesystem::relative(entry.path(), folder_.path()))
              : "";
    return out;
  }

  testing::TemporaryFolder folder_;
  testing::FakeKernel kernel_;
  Forwarding forwarding_{.ipv4 = true, .ipv6 = true, .interfaces = {}};
  policy::Units units_;
  policy::Surroundings host_;  // what names mean on this host now
  std::vector<policy::Names> looked_up_;
  std::optional<Firewall> firewall_;
};

bool mentions(const std::vector<std::string>& lines, const std::string& what) {
  return std::any_of(lines.begin(), lines.end(),
                     [&](const std::string& line) { return line.find(what) != std::string::npos; });
}

TEST_F(FirewallTest, AFreshHostIsInert) {
  start();
  EXPECT_FALSE(firewall_->enabled());
  EXPECT_FALSE(in_kernel());
  EXPECT_EQ(firewall_->generation(), 1U);
  EXPECT_TRUE(firewall_->problems().empty());
}

TEST_F(FirewallTest, RulesAreStoredBeforeTheyAreEnforced) {
  start();
  const auto change = allow("22/tcp");
  ASSERT_TRUE(change) << message(change.error());
  EXPECT_TRUE(change->changed);
  EXPECT_EQ(change->difference, Words{"+ allow 22/tcp"});
  EXPECT_FALSE(in_kernel());
  EXPECT_NE(folder_.read("etc/rules.yaml").find("- allow: 22/tcp"), std::string::npos);
  EXPECT_NE(folder_.read("state/changes-1").find("allow: 22/tcp"), std::string::npos);
}

TEST_F(FirewallTest, EnablePutsThePolicyInForceAndRestartSendsNothing) {
  start();
  ASSERT_TRUE(allow("22/tcp"));
  ASSERT_TRUE(enable());
  EXPECT_NE(kernel_text().find("tcp . 22"), std::string::npos);
  const auto sent = kernel_.applied().size();
  const auto before = everything();
  start();
  EXPECT_EQ(kernel_.applied().size(), sent) << "a restart on an unchanged policy sends nothing";
  EXPECT_EQ(everything(), before);
  EXPECT_TRUE(firewall_->enabled());
}

// With a plain rule more, the others are not gone through again: what is sent is an element. A
// start that finds nothing to send has seen that it is what the whole policy comes to.
TEST_F(FirewallTest, APlainRuleMoreIsAnElementMore) {
  folder_.write("etc/policy.yaml", "rules:\n  - allow: 22/tcp\n  - deny: 100-200/tcp\n");
  start();
  ASSERT_TRUE(enable());
  ASSERT_TRUE(allow("80/tcp"));
  for (const auto* what : {"81/tcp", "82/tcp", "83/udp", "150-300/tcp"}) {
    const auto change = allow(what);
    ASSERT_TRUE(change) << message(change.error());
    EXPECT_TRUE(change->changed);
    EXPECT_EQ(change->generation, firewall_->generation());
    EXPECT_EQ(change->difference, Words{std::string("+ allow ") + what});
    const auto& sent = kernel_.applied().back();
    ASSERT_EQ(sent.size(), 3U) << nft::text(sent);
    EXPECT_TRUE(std::holds_alternative<nft::AddElements>(sent[0]));
    EXPECT_TRUE(marker().starts_with("generation " + std::to_string(change->generation) + " "));
    EXPECT_FALSE(firewall_->look()->drifted);
  }
  EXPECT_FALSE(allow("83/udp")->changed);
  const auto sent = kernel_.applied().size();
  const auto before = everything();
  const auto mark = marker();
  start();
  EXPECT_EQ(kernel_.applied().size(), sent);
  EXPECT_EQ(everything(), before);
  EXPECT_EQ(marker(), mark);
  const auto& rules = firewall_->policy().policy().rules;
  EXPECT_EQ(rules.size(), 7U);
  EXPECT_EQ(firewall_->sources().place_of(rules.back()),
            (folder_.path() / "etc/rules.yaml").string() + ":9");
  ASSERT_TRUE(firewall_->remove({"7"}, {}));
  EXPECT_EQ(kernel_text().find("300"), std::string::npos);
}

// Nothing is enforced, and nothing sent.
TEST_F(FirewallTest, APlainRuleMoreIsStoredWhileNothingIsInForce) {
  start();
  for (const auto* what : {"80/tcp", "81/tcp", "82/tcp"}) ASSERT_TRUE(allow(what));
  EXPECT_FALSE(in_kernel());
  const auto before = everything();
  start();
  EXPECT_EQ(everything(), before);
  ASSERT_TRUE(enable());
  EXPECT_NE(kernel_text().find("tcp . 82"), std::string::npos);
}

// What another program did to our table is mended by the same change.
TEST_F(FirewallTest, APlainRuleMoreMendsAForeignChange) {
  start();
  ASSERT_TRUE(enable());
  ASSERT_TRUE(allow("80/tcp"));
  ASSERT_TRUE(allow("81/tcp"));
  const auto good = kernel_text();
  ASSERT_TRUE(kernel_.apply({nft::AddRule{
      .chain = "incoming", .rule = {.statements = {nft::Verdict{nft::VerdictKind::accept, {}}}}}}));
  ASSERT_TRUE(allow("82/tcp"));
  EXPECT_NE(kernel_text().find("tcp . 82"), std::string::npos);
  EXPECT_FALSE(firewall_->look()->drifted);
  ASSERT_TRUE(firewall_->remove({"allow", "82/tcp"}, {}));
  EXPECT_EQ(kernel_text().substr(0, kernel_text().find("generation")),
            good.substr(0, good.find("generation")));
}

// The daemon's own memory is as it was as well.
TEST_F(FirewallTest, ARefusedPlainRuleLeavesNoTrace) {
  start();
  ASSERT_TRUE(enable());
  for (const auto* what : {"80/tcp", "81/tcp"}) ASSERT_TRUE(allow(what));
  kernel_.fail_next(EPERM);
  EXPECT_FALSE(allow("82/tcp"));
  EXPECT_EQ(firewall_->policy().policy().rules.size(), 2U);
  ASSERT_TRUE(allow("83/tcp"));
  EXPECT_EQ(kernel_text().find("tcp . 82"), std::string::npos);
  EXPECT_NE(kernel_text().find("tcp . 83"), std::string::npos);
  const auto sent = kernel_.applied().size();
  start();
  EXPECT_EQ(kernel_.applied().size(), sent);
  EXPECT_EQ(firewall_->policy().policy().rules.size(), 3U);
}

// As with a rule: new entries of a set are sent as elements, and a restart agrees.
// Of big sets it takes long to read what is there.
TEST_F(FirewallTest, WhatOthersDoElsewhereIsNoReasonToRead) {
  start();
  ASSERT_TRUE(enable());
  kernel_.keep_to_ourselves();
  const int before = kernel_.readings();
  EXPECT_FALSE(firewall_->look()->drifted);
  ASSERT_TRUE(kernel_.apply({nft::AddTable{}}));  // another revision
  EXPECT_FALSE(firewall_->look()->drifted);
  ASSERT_TRUE(kernel_.apply({nft::AddTable{}}));
  ASSERT_TRUE(allow("80"));
  ASSERT_TRUE(deny("81"));
  EXPECT_EQ(kernel_.readings(), before);
}

TEST_F(FirewallTest, EntriesMoreAreElementsMore) {
  start();
  ASSERT_TRUE(enable());
  const auto put = [&](const Words& entries) {
    return firewall_->edit_set(policy::SetAction::add, "black", entries, {});
  };
  ASSERT_TRUE(put({"10.0.0.1", "10.0.0.9", "2001:db8::/32"}));
  ASSERT_TRUE(firewall_->add({"deny", "from", "@black"}, {}, {}));
  for (const Words& entries :
       {Words{"10.0.0.3"}, Words{"192.0.2.0/24", "2001:dba::/32"}, Words{"10.0.0.5-10.0.0.7"}}) {
    const auto change = put(entries);
    ASSERT_TRUE(change) << message(change.error());
    EXPECT_TRUE(change->changed);
    Words told;
    for (const auto& entry : entries) told.push_back("+ set black " + entry);
    EXPECT_EQ(change->difference, told);
    const auto& sent = kernel_.applied().back();
    ASSERT_EQ(sent.size(), entries.size() + 2) << nft::text(sent);
    EXPECT_TRUE(std::holds_alternative<nft::AddElements>(sent[0]));
    EXPECT_TRUE(marker().starts_with("generation " + std::to_string(change->generation) + " "));
    EXPECT_FALSE(firewall_->look()->drifted);
  }
  EXPECT_FALSE(put({"10.0.0.3"})->changed);
  const auto sent = kernel_.applied().size();
  const auto before = everything();
  start();
  EXPECT_EQ(kernel_.applied().size(), sent);
  EXPECT_EQ(everything(), before);
  EXPECT_EQ(firewall_->policy().policy().sets.front().size(), 7U);
  ASSERT_TRUE(put({"10.0.0.4"})) << "between two: they become one";
  EXPECT_NE(kernel_text().find("10.0.0.3-10.0.0.7"), std::string::npos);
}

TEST_F(FirewallTest, RefusedEntriesLeaveNoTrace) {
  start();
  ASSERT_TRUE(enable());
  const auto put = [&](const std::string& entry) {
    return firewall_->edit_set(policy::SetAction::add, "black", {entry}, {});
  };
  for (const auto* entry : {"10.0.0.1", "10.0.0.3"}) ASSERT_TRUE(put(entry));
  ASSERT_TRUE(firewall_->add({"deny", "from", "@black"}, {}, {}));
  const auto before = everything();
  kernel_.fail_next(EPERM);
  EXPECT_FALSE(put("10.0.0.5"));
  EXPECT_EQ(everything(), before);
  ASSERT_TRUE(put("10.0.0.7"));
  EXPECT_EQ(kernel_text().find("10.0.0.5"), std::string::npos);
  const auto sent = kernel_.applied().size();
  start();
  EXPECT_EQ(kernel_.applied().size(), sent);
  EXPECT_EQ(firewall_->policy().policy().sets.front().size(), 3U);
}

TEST_F(FirewallTest, DisableRemovesTheTableAndSurvivesARestart) {
  start();
  ASSERT_TRUE(enable());
  ASSERT_TRUE(firewall_->disable({.reason = "test"}));
  EXPECT_FALSE(in_kernel());
  start();
  EXPECT_FALSE(firewall_->enabled());
  EXPECT_FALSE(in_kernel());
}

TEST_F(FirewallTest, SayingItTwiceChangesNothing) {
  start();
  ASSERT_TRUE(allow("22/tcp"));
  ASSERT_TRUE(enable());
  const auto before = everything();
  for (const auto& change : {allow("22/tcp"), enable()}) {
    ASSERT_TRUE(change);
    EXPECT_FALSE(change->changed);
    EXPECT_FALSE(change->notes.empty());
  }
  EXPECT_EQ(everything(), before);
}

// What was added without a look at the others is among those that the next is compared with.
TEST_F(FirewallTest, ARuleMoreIsKnownToTheNext) {
  start();
  ASSERT_TRUE(enable());
  for (const auto* ports :
       {"22/tcp", "23/tcp", "24/tcp", "100:200/tcp", "300:400/tcp", "500:600/tcp"})
    ASSERT_TRUE(allow(ports));
  const auto before = everything();
  const auto again = allow("24/tcp");
  ASSERT_TRUE(again);
  EXPECT_FALSE(again->changed);
  EXPECT_EQ(everything(), before);
  const auto other = deny("23/tcp");
  ASSERT_TRUE(other);
  EXPECT_EQ(other->difference, (std::vector<std::string>{"- allow 23/tcp", "+ deny 23/tcp"}));
  ASSERT_TRUE(allow("25/tcp"));
  ASSERT_TRUE(allow("700:800/tcp"));
  const auto hidden = deny("750/tcp");
  ASSERT_TRUE(hidden);
  ASSERT_EQ(hidden->warnings.size(), 1U);
  EXPECT_NE(hidden->warnings.front().message.find("never matches"), std::string::npos);
}

TEST_F(FirewallTest, ADryRunChangesNothingAndSaysWhatItWould) {
  start();
  ASSERT_TRUE(enable());
  const auto before = everything();
  const auto change = firewall_->add({"allow", "22/tcp"}, {}, {.reason = "test", .dry_run = true});
  ASSERT_TRUE(change);
  EXPECT_TRUE(change->changed);
  EXPECT_EQ(change->difference, Words{"+ allow 22/tcp"});
  EXPECT_EQ(everything(), before);
}

TEST_F(FirewallTest, ADryRunAsksTheKernel) {
  start();
  ASSERT_TRUE(enable());
  kernel_.refuse_next(0, EINVAL);
  EXPECT_FALSE(firewall_->add({"allow", "22/tcp"}, {}, {.reason = "test", .dry_run = true}));
}

TEST_F(FirewallTest, WrongWordsPointIntoTheCommand) {
  start();
  const auto before = everything();
  const auto unknown = allow("nosuch");
  ASSERT_FALSE(unknown);
  EXPECT_EQ(message(unknown.error()),
            "command:1:7: error: no service is called 'nosuch'\n  allow nosuch\n        ^~~~~~\n");
  const auto undefined = firewall_->add({"deny", "from", "@nowhere"}, {}, {});
  ASSERT_FALSE(undefined);
  EXPECT_NE(message(undefined.error()).find("command:1:11"), std::string::npos)
      << message(undefined.error());
  EXPECT_EQ(everything(), before);
}

TEST_F(FirewallTest, WarnsOfTheNewRuleOnly) {
  start();
  ASSERT_TRUE(allow("1000-2000/tcp"));
  const auto hidden = deny("1500/tcp");
  ASSERT_TRUE(hidden);
  ASSERT_EQ(hidden->warnings.size(), 1U);
  EXPECT_NE(hidden->warnings[0].message.find("rule 1, 'allow 1000-2000/tcp'"), std::string::npos);
  const auto next = allow("22/tcp");
  ASSERT_TRUE(next);
  EXPECT_TRUE(next->warnings.empty());
}

TEST_F(FirewallTest, ReloadTakesFilesInAndABrokenOneIsRefusedWhole) {
  start();
  ASSERT_TRUE(enable());
  folder_.write("etc/policy.d/10-web.yaml", "rules:\n  - allow: 80/tcp\n");
  EXPECT_TRUE(mentions(firewall_->problems(), "10-web.yaml is new"));
  ASSERT_TRUE(firewall_->reload({}));
  EXPECT_NE(kernel_text().find("tcp . 80"), std::string::npos);
  folder_.write("etc/policy.d/20-bad.yaml", "rules:\n  - allow: 99999/tcp\n  - dney: 22\n");
  const auto before = everything();
  const auto refused = firewall_->reload({});
  ASSERT_FALSE(refused);
  const std::string text = message(refused.error());
  EXPECT_NE(text.find("20-bad.yaml:2:12: error"), std::string::npos) << text;
  EXPECT_NE(text.find("20-bad.yaml:3:5: error"), std::string::npos) << text;
  EXPECT_EQ(everything(), before);
}

TEST_F(FirewallTest, ApplyReplacesThePolicyFile) {
  folder_.write("etc/policy.yaml", "rules:\n  - allow: 80/tcp\n");
  start();
  ASSERT_TRUE(enable());
  const auto change = firewall_->apply("rules:\n  - allow: 443/tcp\n", "new.yaml", {});
  ASSERT_TRUE(change);
  EXPECT_EQ(change->difference, (Words{"- allow 80/tcp", "+ allow 443/tcp"}));
  EXPECT_EQ(folder_.read("etc/policy.yaml"), "rules:\n  - allow: 443/tcp\n");
  const auto wrong = firewall_->apply("rules:\n  - allow: x y\n", "new.yaml", {});
  ASSERT_FALSE(wrong);
  EXPECT_TRUE(message(wrong.error()).starts_with("new.yaml:2:12: error")) << message(wrong.error());
}

TEST_F(FirewallTest, RulesEditedByHandAreNotOverwritten) {
  start();
  ASSERT_TRUE(allow("22/tcp"));
  folder_.write("etc/rules.yaml", "rules:\n  - allow: 2222/tcp\n");
  const auto before = everything();
  const auto change = allow("80/tcp");
  ASSERT_FALSE(change);
  EXPECT_NE(message(change.error()).find("fwctl reload"), std::string::npos);
  EXPECT_EQ(everything(), before);
  ASSERT_TRUE(firewall_->reload({}));
  EXPECT_TRUE(allow("80/tcp"));
}

TEST_F(FirewallTest, ManagedRulesAreNotDeletedButPointedAt) {
  folder_.write("etc/policy.yaml", "rules:\n  - allow: 80/tcp\n");
  start();
  const auto change = firewall_->remove({"1"}, {});
  ASSERT_FALSE(change);
  EXPECT_NE(message(change.error()).find("policy.yaml:2"), std::string::npos);
}

TEST_F(FirewallTest, ResetDisablesAndKeepsACopy) {
  start();
  ASSERT_TRUE(allow("22/tcp"));
  ASSERT_TRUE(enable());
  const std::string rules = folder_.read("etc/rules.yaml");
  const auto done = firewall_->reset({});
  ASSERT_TRUE(done);
  EXPECT_FALSE(in_kernel());
  EXPECT_EQ(folder_.read(std::filesystem::relative(done->kept, folder_.path())), rules);
  const auto again = firewall_->reset({});
  ASSERT_TRUE(again);
  EXPECT_TRUE(again->kept.empty());
  EXPECT_FALSE(again->outcome.changed);
}

// Each way a step of a change can fail; afterwards everything is as it was, and the next change
// succeeds once the cause is gone.
struct Fault {
  std::string name;
  std::function<void(const testing::TemporaryFolder&, testing::FakeKernel&)> cause;
  std::function<void(const testing::TemporaryFolder&)> mend;
  // A service changes more of a generation than rules.yaml, so that it is a file.
  std::string rule = "80/tcp";
};

void PrintTo(const Fault& fault, std::ostream* out) {
  *out << fault.name;
}

class FaultTest : public FirewallTest, public ::testing::WithParamInterface<Fault> {};

TEST_P(FaultTest, LeavesEverythingAsItWas) {
  folder_.write("services", "web 80/tcp\n");
  start();
  ASSERT_TRUE(allow("22/tcp"));
  ASSERT_TRUE(enable());
  GetParam().cause(folder_, kernel_);
  const auto before = everything();
  const auto change = allow(GetParam().rule);
  EXPECT_FALSE(change);
  EXPECT_EQ(everything(), before);
  GetParam().mend(folder_);
  const auto retry = allow(GetParam().rule);
  ASSERT_TRUE(retry) << message(retry.error());
  EXPECT_NE(kernel_text().find("tcp . 80"), std::string::npos);
  const auto generation = firewall_->generation();
  start();
  EXPECT_EQ(firewall_->generation(), generation);
  EXPECT_NE(kernel_text().find("tcp . 80"), std::string::npos);
}

const auto nothing_to_mend = [](const testing::TemporaryFolder&) {};

INSTANTIATE_TEST_SUITE_P(
    Step, FaultTest,
    ::testing::Values(
        Fault{"GenerationCannotBeWritten",
              [](const auto& folder, auto&) { folder.write("state/pending/in-the-way", ""); },
              [](const auto& folder) {
                std::filesystem::remove_all(folder.path() / "state/pending");
              },
              "web"},
        Fault{"RulesFileCannotBeStaged",
              [](const auto& folder, auto&) {
                // Where it has another name, it is not changed in place.
                std::filesystem::create_hard_link(folder.path() / "etc/rules.yaml",
                                                  folder.path() / "backup");
                folder.write("etc/rules.yaml.new/in-the-way", "");
              },
              [](const auto& folder) {
                std::filesystem::remove_all(folder.path() / "etc/rules.yaml.new");
              }},
        Fault{"KernelRefusesOneObject",
              [](const auto&, auto& kernel) { kernel.refuse_next(1, EINVAL); }, nothing_to_mend},
        Fault{"KernelRefusesTheBatch", [](const auto&, auto& kernel) { kernel.fail_next(EPERM); },
              nothing_to_mend},
        Fault{"KernelRefusesWhatIsAFile",
              [](const auto&, auto& kernel) { kernel.fail_next(EPERM); }, nothing_to_mend, "web"},
        Fault{"GenerationCannotTakeItsPlace",
              [](const auto& folder, auto&) { folder.write("state/generation-4/in-the-way", ""); },
              [](const auto& folder) {
                std::filesystem::remove_all(folder.path() / "state/generation-4");
              },
              "web"}),
    [](const auto& instance) { return instance.param.name; });

// What fwctl wrote, were it a moment ago, is changed where it is.
TEST_F(FirewallTest, ARefusedRuleLeavesAFileThatIsChangedInPlace) {
  start();
  ASSERT_TRUE(allow("22/tcp"));
  ASSERT_TRUE(enable());
  const auto inode = [&] {
    struct stat status{};
    EXPECT_EQ(::stat((folder_.path() / "etc/rules.yaml").c_str(), &status), 0);
    return status.st_ino;
  };
  const auto file = inode();
  ASSERT_TRUE(allow("80/tcp"));
  EXPECT_EQ(inode(), file);
  const auto before = everything();
  kernel_.fail_next(EPERM);
  EXPECT_FALSE(allow("81/tcp"));
  EXPECT_EQ(everything(), before);
  EXPECT_EQ(inode(), file);
  ASSERT_TRUE(allow("82/tcp"));
  EXPECT_EQ(inode(), file);
  EXPECT_EQ(folder_.read("etc/rules.yaml"), firewall_->sources().added.text);
}

TEST_F(FirewallTest, AFileThatCannotTakeItsPlaceIsUndoneInTheKernelToo) {
  folder_.write("etc/policy.yaml", "rules:\n  - allow: 22/tcp\n");
  start();
  ASSERT_TRUE(enable());
  const auto kernel = kernel_text();
  // A folder where the staged file is to go: renaming onto it fails, behind the commit point.
  std::filesystem::remove(folder_.path() / "etc/policy.yaml");
  folder_.write("etc/policy.yaml/in-the-way", "");
  const auto change = firewall_->apply("rules:\n  - allow: 80/tcp\n", "new", {});
  EXPECT_FALSE(change);
  EXPECT_EQ(kernel_text(), kernel);
}

TEST_F(FirewallTest, AKernelRefusalPointsAtThePolicyLine) {
  start();
  ASSERT_TRUE(enable());
  folder_.write("etc/policy.yaml", "rules:\n  - allow: 22/tcp\n    from: 192.0.2.1\n");
  for (std::size_t change = 0; change < 100; ++change) kernel_.refuse_next(change, ENOMEM);
  const auto refused = firewall_->reload({});
  ASSERT_FALSE(refused);
  const auto* kernel = std::get_if<KernelRefused>(&refused.error());
  ASSERT_NE(kernel, nullptr);
  ASSERT_FALSE(kernel->diagnostics.empty());
  EXPECT_TRUE(kernel->diagnostics[0].file.ends_with("policy.yaml"));
  EXPECT_EQ(kernel->diagnostics[0].at.line, 2U);
}

TEST_F(FirewallTest, AFlushedTableIsRestoredByTheNextChangeAndByReload) {
  start();
  ASSERT_TRUE(allow("22/tcp"));
  ASSERT_TRUE(enable());
  ASSERT_TRUE(kernel_.apply({nft::DeleteTable{}}));
  EXPECT_TRUE(firewall_->look()->drifted);
  const auto mended = firewall_->reload({});
  ASSERT_TRUE(mended);
  EXPECT_TRUE(mended->changed);
  EXPECT_NE(kernel_text().find("tcp . 22"), std::string::npos);
  ASSERT_TRUE(kernel_.apply({nft::DeleteTable{}}));
  ASSERT_TRUE(allow("80/tcp"));
  EXPECT_NE(kernel_text().find("tcp . 22"), std::string::npos);
  EXPECT_NE(kernel_text().find("tcp . 80"), std::string::npos);
}

// Who did what, where the kernel says who.
TEST_F(FirewallTest, WhatAnotherProgramChangedIsPutBackAndNamed) {
  start();
  ASSERT_TRUE(allow("22/tcp"));
  ASSERT_TRUE(enable());
  EXPECT_FALSE(firewall_->mend().value());
  EXPECT_EQ(firewall_->last_drift(), "");
  const auto before = in_kernel();
  kernel_.name_toucher("nft (process 4711)");
  ASSERT_TRUE(kernel_.apply({nft::FlushChain{"incoming"}}));
  EXPECT_TRUE(firewall_->mend().value());
  EXPECT_EQ(nft::text(nft::live(*in_kernel())), nft::text(nft::live(*before)));
  EXPECT_TRUE(firewall_->last_drift().starts_with(
      "nft (process 4711) had changed table inet fwctl (chain incoming was changed); it was "
      "restored at "))
      << firewall_->last_drift();
  EXPECT_TRUE(mentions(firewall_->problems(), "nft (process 4711)"));
  kernel_.name_toucher("");
  ASSERT_TRUE(kernel_.apply({nft::DeleteTable{}}));
  EXPECT_TRUE(firewall_->mend().value());
  EXPECT_TRUE(firewall_->last_drift().starts_with(
      "another program had changed table inet fwctl (it is gone)"));
  EXPECT_FALSE(mentions(firewall_->problems(), "4711")) << "the latest is enough";
  EXPECT_FALSE(firewall_->mend().value());
}

// New sets of intervals go in a transaction before the one that counts.
TEST_F(FirewallTest, WhatWasPreparedIsTakenBackWhenTheChangeIsRefused) {
  start();
  ASSERT_TRUE(allow("22/tcp"));
  ASSERT_TRUE(enable());
  const auto before = in_kernel();
  const auto sent = kernel_.applied().size();
  kernel_.fail_after(1, EINVAL);
  ASSERT_FALSE(allow("1000-2000/udp"));
  EXPECT_EQ(in_kernel(), before);
  EXPECT_EQ(kernel_.applied().size(), sent + 2) << "prepared, and taken back";
  ASSERT_TRUE(allow("1000-2000/udp"));
  EXPECT_FALSE(firewall_->look()->drifted);
}

// What is much goes there while the disk writes.
TEST_F(FirewallTest, WhatWasPreparedIsTakenBackWhenItCannotBeStored) {
  std::string pairs;
  for (int number = 0; number < 5000; ++number)
    pairs +=
        "10.1." + std::to_string(number / 250) + "." + std::to_string(number % 250) + " 22/tcp\n";
  folder_.write("etc/sets/many.txt", "10.9.9.9 22/tcp\n");
  folder_.write("etc/policy.yaml",
                "sets: {many: {file: sets/many.txt}}\nrules: [{allow: any, from: '@many'}]\n");
  start();
  ASSERT_TRUE(enable());
  ASSERT_TRUE(firewall_->collect());
  const auto before = in_kernel();
  const auto generation = firewall_->generation();
  const auto sent = kernel_.applied().size();
  folder_.write("etc/sets/many.txt", pairs);
  folder_.write("state/pending/in-the-way", "");
  ASSERT_FALSE(firewall_->reload({}));
  EXPECT_EQ(in_kernel(), before);
  EXPECT_EQ(kernel_.applied().size(), sent + 2) << "prepared, and taken back";
  EXPECT_EQ(firewall_->generation(), generation);
  std::filesystem::remove_all(folder_.path() / "state/pending");
  ASSERT_TRUE(firewall_->reload({}));
  EXPECT_EQ(kernel_.elements("many-ipv4." + std::to_string(firewall_->generation())).size(), 5000U);
  EXPECT_FALSE(firewall_->look()->drifted);
}

TEST_F(FirewallTest, ABaseChainThatAnotherProgramHungIntoOurTableIsRemoved) {
  start();
  ASSERT_TRUE(enable());
  nft::Chain stranger{.name = "strangers", .hook = nft::Hook{.priority = -10}};
  ASSERT_TRUE(kernel_.apply({nft::AddChain{stranger}}));
  ASSERT_TRUE(allow("80/tcp"));
  EXPECT_EQ(nft::live(*in_kernel()).find_chain("strangers"), nullptr);
}

TEST_F(FirewallTest, ARuleThatAnotherProgramAddedDoesNotOutliveTheNextChange) {
  start();
  ASSERT_TRUE(enable());
  nft::Rule open{.statements = {nft::Verdict{nft::VerdictKind::accept, {}}}, .comment = "foreign"};
  ASSERT_TRUE(kernel_.apply({nft::AddRule{.chain = "incoming", .rule = open}}));
  ASSERT_TRUE(allow("80/tcp"));
  EXPECT_EQ(kernel_text().find("foreign"), std::string::npos);
  EXPECT_TRUE(mentions(firewall_->problems(), "another program had changed table inet fwctl"));
  EXPECT_FALSE(firewall_->look()->drifted);
}

// A daemon killed right behind the commit point: kernel and store have the new generation, and
// rules.yaml not.
TEST_F(FirewallTest, AChangeCutShortBehindTheCommitPointIsFinished) {
  start();
  ASSERT_TRUE(enable());
  ASSERT_TRUE(allow("22/tcp"));
  const auto after = everything();
  std::filesystem::rename(folder_.path() / "etc/rules.yaml", folder_.path() / "etc/rules.yaml.new");
  start();
  EXPECT_EQ(everything(), after);
}

// A daemon killed when the generation was stored, before the kernel got it: what is stored is
// decided.
TEST_F(FirewallTest, AChangeCutShortBeforeTheCommitPointIsFinished) {
  start();
  ASSERT_TRUE(enable());
  ASSERT_TRUE(allow("22/tcp"));
  const auto after = everything();
  std::filesystem::remove(folder_.path() / "etc/rules.yaml");
  ASSERT_TRUE(kernel_.apply({nft::DeleteTable{}}));
  start();
  EXPECT_EQ(everything(), after);
}

// Killed before anything was stored.
TEST_F(FirewallTest, AChangeThatWasNotStoredNeverHappened) {
  start();
  ASSERT_TRUE(enable());
  const auto before = everything();
  folder_.write("etc/rules.yaml.new", "rules:\n  - allow: 22/tcp\n");
  folder_.write("state/pending", "fwctl-generation 1 ");
  start();
  EXPECT_EQ(everything(), before);
}

// rules.yaml is not synced with a change. What a power loss may leave of it is mended.
TEST_F(FirewallTest, WhatAPowerLossLeavesOfRulesYamlIsMended) {
  start();
  ASSERT_TRUE(enable());
  ASSERT_TRUE(allow("22/tcp"));
  const auto older = folder_.read("etc/rules.yaml");
  ASSERT_TRUE(allow("80/tcp"));
  const auto wanted = folder_.read("etc/rules.yaml");
  for (const std::string& left : {std::string(), older, wanted.substr(0, wanted.size() / 2),
                                  std::string(wanted.size(), '\0')}) {
    folder_.write("etc/rules.yaml", left);
    start();
    EXPECT_EQ(folder_.read("etc/rules.yaml"), wanted);
    EXPECT_TRUE(firewall_->problems().empty());
  }
}

// Several changes may be waiting for the disk: it may have got any of them, or a part.
TEST_F(FirewallTest, WhatAPowerLossLeavesOfSeveralChangesIsMended) {
  start();
  ASSERT_TRUE(enable());
  std::vector<std::string> before;
  for (const char* port : {"22/tcp", "80/tcp", "443/tcp"}) {
    ASSERT_TRUE(allow(port));
    before.push_back(folder_.read("etc/rules.yaml"));
  }
  ASSERT_TRUE(firewall_->remove({"allow", "80/tcp"}, {}));
  const auto wanted = folder_.read("etc/rules.yaml");
  for (const auto& text : before)
    for (std::size_t at = 0; at <= text.size(); ++at) {
      folder_.write("etc/rules.yaml", text.substr(0, at));
      start();
      ASSERT_EQ(folder_.read("etc/rules.yaml"), wanted) << text.substr(0, at);
      ASSERT_TRUE(firewall_->problems().empty());
    }
}

// Entries of a set stand in the middle: what comes behind them moves. Pages of the file may get to
// the disk in any order.
TEST_F(FirewallTest, AWriteInPlaceThatWasCutOffIsFinished) {
  start();
  const auto extend = [&](const std::string& entry) {
    return firewall_->edit_set(policy::SetAction::add, "a", {entry}, {});
  };
  ASSERT_TRUE(extend("192.0.2.1"));
  ASSERT_TRUE(extend("192.0.2.3"));
  ASSERT_TRUE(allow("22/tcp"));
  const auto older = folder_.read("etc/rules.yaml");
  ASSERT_TRUE(extend("192.0.2.5"));
  const auto wanted = folder_.read("etc/rules.yaml");
  for (std::size_t at = 0; at <= older.size(); ++at)
    for (const auto& left :
         {wanted.substr(0, at) + older.substr(at), older.substr(0, at) + wanted.substr(at)}) {
      folder_.write("etc/rules.yaml", left);
      start();
      ASSERT_EQ(folder_.read("etc/rules.yaml"), wanted) << left;
    }
}

// What people did afterwards is theirs, also when it is what once was there.
TEST_F(FirewallTest, ASettledRulesYamlIsNotTouchedAtAStart) {
  start();
  ASSERT_TRUE(enable());
  ASSERT_TRUE(allow("22/tcp"));
  const auto older = folder_.read("etc/rules.yaml");
  ASSERT_TRUE(allow("80/tcp"));
  ASSERT_TRUE(firewall_->collect());
  folder_.write("etc/rules.yaml", older);
  start();
  EXPECT_EQ(folder_.read("etc/rules.yaml"), older);
  EXPECT_TRUE(mentions(firewall_->problems(), "has changed since it was loaded"));
}

TEST_F(FirewallTest, AnUnsettledRulesYamlThatPeopleEditedIsNotTouchedEither) {
  start();
  ASSERT_TRUE(allow("22/tcp"));
  folder_.write("etc/rules.yaml", "rules:\n  - allow: 2222/tcp\n");
  start();
  EXPECT_EQ(folder_.read("etc/rules.yaml"), "rules:\n  - allow: 2222/tcp\n");
}

TEST_F(FirewallTest, ADamagedGenerationFallsBackToTheOneBefore) {
  start();
  ASSERT_TRUE(allow("22/tcp"));
  ASSERT_TRUE(enable());
  ASSERT_TRUE(firewall_->set_default(policy::Traffic::outgoing, policy::Verdict::reject, {}));
  ASSERT_TRUE(firewall_->reload({}));
  ASSERT_TRUE(firewall_->apply("rules: []\n", "new", {}));
  ASSERT_EQ(firewall_->generation(), 5U);
  folder_.write("state/generation-5", "damaged");
  start();
  EXPECT_EQ(firewall_->generation(), 4U);
  EXPECT_TRUE(firewall_->enabled());
  EXPECT_TRUE(mentions(firewall_->problems(), "generation-5 is damaged"));
  const auto change = firewall_->reload({});
  ASSERT_TRUE(change) << message(change.error());
  EXPECT_EQ(firewall_->generation(), 6U);
}

TEST_F(FirewallTest, WithNothingThatLoadsTheBuiltInPolicyIsInForce) {
  start();
  ASSERT_TRUE(enable());
  for (const auto& entry : std::filesystem::directory_iterator(folder_.path() / "state"))
    folder_.write(std::filesystem::relative(entry.path(), folder_.path()), "damaged");
  folder_.write("etc/policy.yaml", "not a policy");
  start();
  EXPECT_TRUE(firewall_->fallback());
  EXPECT_TRUE(firewall_->enabled());
  EXPECT_NE(kernel_text().find("tcp . 22"), std::string::npos);
  EXPECT_TRUE(mentions(firewall_->problems(), "NO STORED POLICY"));
  EXPECT_FALSE(allow("80/tcp")) << "edits wait until a policy of this host is loaded";
  folder_.write("etc/policy.yaml", "rules:\n  - allow: 443/tcp\n");
  ASSERT_TRUE(firewall_->reload({}));
  EXPECT_FALSE(firewall_->fallback());
  EXPECT_TRUE(firewall_->problems().empty());
  start();
  EXPECT_NE(kernel_text().find("tcp . 443"), std::string::npos);
}

TEST_F(FirewallTest, AStoreThatIsGoneLeavesAFirewallInForce) {
  start();
  ASSERT_TRUE(allow("22/tcp"));
  ASSERT_TRUE(enable());
  std::filesystem::remove_all(folder_.path() / "state");
  start();
  EXPECT_TRUE(firewall_->enabled());
  EXPECT_NE(kernel_text().find("tcp . 22"), std::string::npos);
}

// As where /var was lost, and the host is booted.
TEST_F(FirewallTest, ABootWithoutAStoreDoesNotOpenAHost) {
  const auto lose_all = [&] {
    std::filesystem::remove_all(folder_.path() / "state");
    if (in_kernel()) {
      ASSERT_TRUE(kernel_.apply({nft::DeleteTable{}}));
    }
    start();
  };
  start();
  ASSERT_TRUE(allow("22/tcp"));
  EXPECT_FALSE(folder_.has("etc/enabled"));
  ASSERT_TRUE(enable());
  const auto before = kernel_text();
  lose_all();
  EXPECT_TRUE(firewall_->enabled());
  EXPECT_NE(kernel_text().find("tcp . 22"), std::string::npos);
  EXPECT_TRUE(mentions({firewall_->history().front().reason}, "etc/enabled is there"));

  folder_.write("etc/policy.yaml", "rules: 5");
  lose_all();
  EXPECT_TRUE(firewall_->enabled()) << "by the built-in policy";
  EXPECT_TRUE(mentions(firewall_->problems(), "NO STORED POLICY COULD BE LOADED"));
  EXPECT_TRUE(folder_.has("etc/enabled"));
  std::filesystem::remove(folder_.path() / "etc/policy.yaml");
  ASSERT_TRUE(firewall_->reload({}));
  ASSERT_TRUE(firewall_->disable({}));
  EXPECT_FALSE(folder_.has("etc/enabled"));
  lose_all();
  EXPECT_FALSE(firewall_->enabled());
  EXPECT_FALSE(in_kernel());
}

// So a host is enabled that has not yet been started.
TEST_F(FirewallTest, AFreshHostIsEnabledByTheFile) {
  folder_.write("etc/rules.yaml", "version: 1\nrules:\n  - allow: 22/tcp\n");
  folder_.write("etc/enabled", "");
  start();
  EXPECT_TRUE(firewall_->enabled());
  EXPECT_NE(kernel_text().find("tcp . 22"), std::string::npos);
}

// The store says whether the firewall is on; the file is put right.
TEST_F(FirewallTest, TheFileFollowsTheStore) {
  start();
  ASSERT_TRUE(enable());
  std::filesystem::remove(folder_.path() / "etc/enabled");
  start();
  EXPECT_TRUE(firewall_->enabled());
  EXPECT_TRUE(folder_.has("etc/enabled"));
  ASSERT_TRUE(firewall_->disable({}));
  folder_.write("etc/enabled", "");
  start();
  EXPECT_FALSE(firewall_->enabled());
  EXPECT_FALSE(folder_.has("etc/enabled"));

  folder_.write("etc/enabled.new/in-the-way", "");
  ASSERT_TRUE(enable()) << "it is in the store and in the kernel";
  EXPECT_TRUE(mentions(firewall_->problems(), "would not know whether the firewall is on"));
  std::filesystem::remove_all(folder_.path() / "etc/enabled.new");
  ASSERT_TRUE(firewall_->set_default(policy::Traffic::incoming, policy::Verdict::reject, {}));
  EXPECT_TRUE(firewall_->problems().empty());
}

TEST_F(FirewallTest, ABrokenPolicyOnAFreshHostStaysInertUntilMended) {
  folder_.write("etc/policy.yaml", "rules: 5");
  start();
  EXPECT_FALSE(firewall_->enabled());
  EXPECT_FALSE(in_kernel());
  EXPECT_FALSE(firewall_->problems().empty());
  EXPECT_FALSE(enable());
  folder_.write("etc/policy.yaml", "rules:\n  - allow: 22/tcp\n");
  ASSERT_TRUE(firewall_->reload({}));
  EXPECT_TRUE(enable());
}

TEST_F(FirewallTest, AFilePutBackByHandIsNotTakenForAChangeCutShort) {
  folder_.write("etc/policy.yaml", "rules:\n  - allow: 1/tcp\n");
  start();
  folder_.write("etc/policy.yaml", "rules:\n  - allow: 2/tcp\n");
  ASSERT_TRUE(firewall_->reload({}));
  folder_.write("etc/policy.yaml", "rules:\n  - allow: 1/tcp\n");
  start();
  EXPECT_EQ(folder_.read("etc/policy.yaml"), "rules:\n  - allow: 1/tcp\n");
}

TEST_F(FirewallTest, AStagedFileOfAChangeThatNeverWasIsRemoved) {
  start();
  ASSERT_TRUE(allow("22/tcp"));
  folder_.write("etc/rules.yaml.new", "rules: []\n");
  const auto rules = folder_.read("etc/rules.yaml");
  start();
  EXPECT_FALSE(folder_.has("etc/rules.yaml.new"));
  EXPECT_EQ(folder_.read("etc/rules.yaml"), rules);
}

TEST_F(FirewallTest, ADamagedStoreNeverOpensAHostThatMayHaveBeenEnforcing) {
  start();
  ASSERT_TRUE(enable());
  for (const auto* name : {"state/generation-1", "state/generation-2"})
    folder_.write(name, "damaged");
  ASSERT_TRUE(kernel_.apply({nft::DeleteTable{}}));  // a reboot
  start();
  EXPECT_TRUE(firewall_->enabled());
  EXPECT_TRUE(in_kernel());
}

TEST_F(FirewallTest, EditingEtcServicesChangesNothingUntilReload) {
  folder_.write("services", "web 80/tcp\n");
  start();
  ASSERT_TRUE(allow("web"));
  ASSERT_TRUE(enable());
  folder_.write("services", "web 8080/tcp\nother 99/tcp\n");
  start();
  ASSERT_TRUE(allow("other"));
  EXPECT_NE(kernel_text().find("tcp . 80 "), std::string::npos);
  EXPECT_EQ(kernel_text().find("tcp . 8080"), std::string::npos);
  ASSERT_TRUE(firewall_->reload({}));
  EXPECT_NE(kernel_text().find("tcp . 8080"), std::string::npos);
}

std::string profile(const std::string& name, const std::string& ports) {
  return "[" + name + "]\ntitle=t\ndescription=d\nports=" + ports + "\n";
}

TEST_F(FirewallTest, EditingAProfileChangesNothingUntilReload) {
  folder_.write("ufw/web", profile("Web Server", "80/tcp|9000:9010/udp"));
  start();
  ASSERT_TRUE(allow("web server"));
  ASSERT_TRUE(enable());
  EXPECT_NE(kernel_text().find("udp . 9000-9010"), std::string::npos);
  EXPECT_TRUE(firewall_->problems().empty());
  const auto before = kernel_text();

  folder_.write("ufw/web", profile("Web Server", "8080/tcp"));
  start();
  ASSERT_TRUE(firewall_->set_default(policy::Traffic::routed, policy::Verdict::allow, {}));
  ASSERT_TRUE(firewall_->set_default(policy::Traffic::routed, policy::Verdict::deny, {}));
  EXPECT_NE(kernel_text().find("tcp . 80 "), std::string::npos);
  EXPECT_NE(kernel_text().find("udp . 9000-9010"), std::string::npos);
  EXPECT_EQ(kernel_text().find("8080"), std::string::npos);
  EXPECT_TRUE(mentions(firewall_->problems(), "+ service web server 8080/tcp"));

  const auto reloaded = firewall_->reload({});
  ASSERT_TRUE(reloaded);
  EXPECT_EQ(reloaded->difference,
            (Words{"- service web server 80/tcp", "- service web server 9000-9010/udp",
                   "+ service web server 8080/tcp"}));
  EXPECT_NE(kernel_text().find("tcp . 8080"), std::string::npos);
  EXPECT_EQ(kernel_text().find("9000"), std::string::npos);
  EXPECT_TRUE(firewall_->problems().empty());
}

TEST_F(FirewallTest, AProfileThatIsGoneIsKeptUntilReload) {
  folder_.write("ufw/web", profile("Web Server", "80/tcp"));
  start();
  ASSERT_TRUE(allow("Web Server"));
  ASSERT_TRUE(enable());
  const auto before = kernel_text();
  std::filesystem::remove(folder_.path() / "ufw/web");
  ASSERT_TRUE(kernel_.apply({nft::DeleteTable{}}));  // a reboot
  start();
  EXPECT_EQ(kernel_text(), before);
  EXPECT_EQ(firewall_->generation(), 3U);
  EXPECT_EQ(firewall_->services_in_force().find("Web Server")->origin, policy::Origin::kept);
  ASSERT_TRUE(firewall_->remove({"allow", "Web Server"}, {}))
      << "a rule can be deleted all the same";
  const auto again = allow("Web Server");
  ASSERT_FALSE(again);
  EXPECT_NE(message(again.error()).find("no service is called 'Web Server'"), std::string::npos);
}

TEST_F(FirewallTest, OwnProfilesOutrankThoseOfUfw) {
  folder_.write("ufw/web", profile("Web Server", "80/tcp"));
  folder_.write("etc/applications.d/web", profile("Web Server", "8080/tcp"));
  start();
  ASSERT_TRUE(allow("Web Server"));
  ASSERT_TRUE(enable());
  EXPECT_NE(kernel_text().find("tcp . 8080"), std::string::npos);
  EXPECT_EQ(kernel_text().find("tcp . 80 "), std::string::npos);
}

TEST_F(FirewallTest, ABadProfileIsWarnedOfAndNothingMore) {
  folder_.write("ufw/bad", profile("Bad", "80,443"));
  std::filesystem::create_directories(folder_.path() / "ufw/a folder");
  folder_.write("ufw/web", profile("Web Server", "80/tcp"));
  start();
  const auto added = allow("Web Server");
  ASSERT_TRUE(added) << message(added.error());
  EXPECT_TRUE(added->warnings.empty()) << "who adds a rule hears of that rule";
  for (const bool dry_run : {true, false}) {
    const auto reloaded = firewall_->reload({.reason = {}, .dry_run = dry_run});
    ASSERT_TRUE(reloaded) << message(reloaded.error());
    ASSERT_EQ(reloaded->warnings.size(), 1U);
    EXPECT_EQ(reloaded->warnings[0].file, (folder_.path() / "ufw/bad").string());
    EXPECT_EQ(reloaded->warnings[0].at.line, 4U);
  }
}

TEST_F(FirewallTest, UpdateServicesTakesOneServiceAndNoFile) {
  folder_.write("ufw/a", profile("A", "1/tcp"));
  folder_.write("ufw/b", profile("B", "2/tcp"));
  start();
  ASSERT_TRUE(allow("A"));
  ASSERT_TRUE(allow("b"));
  ASSERT_TRUE(enable());
  folder_.write("ufw/a", profile("A", "11/tcp"));
  folder_.write("ufw/b", profile("B", "12/tcp"));
  folder_.write("etc/policy.yaml", "rules:\n  - allow: 99/tcp\n");

  const auto rehearsed = firewall_->update_services("B", {.reason = {}, .dry_run = true});
  ASSERT_TRUE(rehearsed);
  EXPECT_EQ(rehearsed->difference, (Words{"- service b 2/tcp", "+ service b 12/tcp"}));
  EXPECT_NE(kernel_text().find("tcp . 2 "), std::string::npos);

  ASSERT_TRUE(firewall_->update_services("B", {}));
  EXPECT_NE(kernel_text().find("tcp . 12 "), std::string::npos);
  EXPECT_NE(kernel_text().find("tcp . 1 "), std::string::npos) << "A was not meant";
  EXPECT_EQ(kernel_text().find("tcp . 99 "), std::string::npos);

  const auto all = firewall_->update_services("", {});
  ASSERT_TRUE(all);
  EXPECT_EQ(all->difference, (Words{"- service A 1/tcp", "+ service A 11/tcp"}));
  const auto before = everything();
  const auto again = firewall_->update_services("A", {});
  ASSERT_TRUE(again);
  EXPECT_FALSE(again->changed);
  EXPECT_TRUE(mentions(again->notes, "means what it meant already"));
  const auto unused = firewall_->update_services("ssh", {});
  ASSERT_TRUE(unused);
  EXPECT_TRUE(mentions(unused->notes, "no rule takes what 'ssh' means from this host"));
  const auto unknown = firewall_->update_services("shh", {});
  ASSERT_FALSE(unknown);
  EXPECT_EQ(message(unknown.error()), "no service is called 'shh', did you mean 'ssh'?");
  EXPECT_EQ(everything(), before);
}

TEST_F(FirewallTest, ServicesDIsReadByReloadAndKept) {
  folder_.write("etc/services.d/20-b.yaml", "shop: {ports: 8443/tcp, protocols: esp}\n");
  folder_.write("etc/services.d/10-a.yaml", "# nothing yet\n");
  folder_.write("etc/services.d/.hidden.yaml", "shop: {ports: 1/tcp}\n");
  folder_.write("etc/services.d/README", "not YAML: [\n");
  start();
  ASSERT_EQ(firewall_->sources().definitions.size(), 2U);
  EXPECT_TRUE(firewall_->sources().definitions[0].name.ends_with("services.d/10-a.yaml"));
  ASSERT_TRUE(allow("shop"));
  ASSERT_TRUE(enable());
  EXPECT_NE(kernel_text().find("tcp . 8443 "), std::string::npos);
  EXPECT_NE(kernel_text().find("meta l4proto esp"), std::string::npos);
  const auto before = everything();

  folder_.write("etc/services.d/20-b.yaml", "shop: {ports: 0/tcp}\n");
  EXPECT_TRUE(mentions(firewall_->problems(), "20-b.yaml has changed since it was loaded"));
  const auto refused = firewall_->reload({});
  ASSERT_FALSE(refused);
  EXPECT_NE(message(refused.error()).find("services.d/20-b.yaml:1:15: error: '0' is not a port"),
            std::string::npos)
      << message(refused.error());
  EXPECT_EQ(kernel_text(), before.kernel);
  ASSERT_TRUE(kernel_.apply({nft::DeleteTable{}}));  // a reboot
  start();
  EXPECT_EQ(kernel_text(), before.kernel);
  EXPECT_EQ(firewall_->generation(), before.generation);

  folder_.write("etc/services.d/20-b.yaml", "shop: {ports: 9443/tcp}\n");
  folder_.write("etc/services.d/30-c.yaml", "till: {ports: 5/tcp}\n");
  EXPECT_TRUE(mentions(firewall_->problems(), "30-c.yaml is new"));
  const auto reloaded = firewall_->reload({});
  ASSERT_TRUE(reloaded) << message(reloaded.error());
  EXPECT_NE(kernel_text().find("tcp . 9443"), std::string::npos);
}

TEST_F(FirewallTest, FilesOfSetsAreReadByReloadAndKept) {
  folder_.write("etc/sets/drop.txt", "198.51.100.7\n");
  folder_.write("etc/policy.yaml",
                "sets: {drop: {file: sets/drop.txt}}\nrules: [\"deny from @drop\"]\n");
  start();
  ASSERT_TRUE(enable());
  EXPECT_NE(kernel_text().find("198.51.100.7"), std::string::npos);
  EXPECT_FALSE(mentions(firewall_->problems(), "drop.txt"));
  const auto before = everything();

  folder_.write("etc/sets/drop.txt", "198.51.100.8\n  198.51.100.900\n");
  EXPECT_TRUE(mentions(firewall_->problems(), "sets/drop.txt has changed since it was loaded"));
  const auto refused = firewall_->reload({});
  ASSERT_FALSE(refused);
  EXPECT_NE(message(refused.error()).find("sets/drop.txt:2:3: error: '198.51.100.900' is not"),
            std::string::npos)
      << message(refused.error());
  EXPECT_EQ(kernel_text(), before.kernel);
  ASSERT_TRUE(kernel_.apply({nft::DeleteTable{}}));  // a reboot
  start();
  EXPECT_EQ(kernel_text(), before.kernel);
  EXPECT_EQ(firewall_->generation(), before.generation);

  // What is not reloaded stays as it was under other changes.
  ASSERT_TRUE(allow("22/tcp"));
  EXPECT_NE(kernel_text().find("198.51.100.7"), std::string::npos);
  std::filesystem::remove(folder_.path() / "etc/sets/drop.txt");
  EXPECT_TRUE(mentions(firewall_->problems(), "sets/drop.txt is gone but still in force"));
  const auto gone = firewall_->reload({});
  ASSERT_FALSE(gone);
  EXPECT_NE(message(gone.error()).find("policy.yaml:1:21: error: there is no file"),
            std::string::npos)
      << message(gone.error());

  folder_.write("etc/sets/drop.txt", "198.51.100.9\n");
  const auto reloaded = firewall_->reload({});
  ASSERT_TRUE(reloaded) << message(reloaded.error());
  EXPECT_EQ(reloaded->difference, (Words{"- set drop 198.51.100.7", "+ set drop 198.51.100.9"}));
  EXPECT_NE(kernel_text().find("198.51.100.9"), std::string::npos);
}

TEST_F(FirewallTest, WhatAnAccountMeansIsKeptUntilReload) {
  host_ = {.users = {{"mailer", 113}, {"backup", 34}}, .groups = {{"mailer", 8}}};
  start();
  ASSERT_TRUE(firewall_->add({"deny", "out", "user", "mailer"}, {}, {}));
  ASSERT_TRUE(enable());
  EXPECT_NE(kernel_text().find("meta skuid 113"), std::string::npos);
  const auto before = everything();
  const auto unknown = firewall_->add({"deny", "out", "user", "bakcup"}, {}, {});
  ASSERT_FALSE(unknown);
  EXPECT_NE(message(unknown.error())
                .find("no user of this host is called 'bakcup', did you mean "
                      "'backup'?"),
            std::string::npos)
      << message(unknown.error());
  EXPECT_EQ(everything(), before);

  // What another rule newly names is looked up, and nothing else.
  host_ = {.users = {{"mailer", 120}, {"backup", 35}}};
  looked_up_.clear();
  ASSERT_TRUE(firewall_->add({"deny", "out", "user", "backup"}, {}, {}));
  for (const auto& wanted : looked_up_) EXPECT_FALSE(wanted.users.contains("mailer"));
  EXPECT_NE(kernel_text().find("meta skuid 113"), std::string::npos);
  EXPECT_NE(kernel_text().find("meta skuid 35"), std::string::npos);
  EXPECT_TRUE(mentions(firewall_->problems(), "this host changed + user mailer 120"));
  EXPECT_FALSE(mentions(firewall_->problems(), "backup"));

  const auto in_force = kernel_text();
  const auto generation = firewall_->generation();
  ASSERT_TRUE(kernel_.apply({nft::DeleteTable{}}));  // a reboot
  host_ = {};
  looked_up_.clear();
  start();
  EXPECT_TRUE(looked_up_.empty()) << "a start needs no name service";
  EXPECT_EQ(kernel_text(), in_force);
  EXPECT_EQ(firewall_->generation(), generation);
  EXPECT_FALSE(firewall_->reload({})) << "a user who is gone must not loosen a rule";
  EXPECT_EQ(kernel_text(), in_force);

  host_ = {.users = {{"mailer", 120}, {"backup", 35}}};
  const auto reloaded = firewall_->reload({});
  ASSERT_TRUE(reloaded) << message(reloaded.error());
  EXPECT_EQ(reloaded->difference, (Words{"- user mailer 113", "+ user mailer 120"}));
  EXPECT_NE(kernel_text().find("meta skuid 120"), std::string::npos);
}

TEST_F(FirewallTest, UnitsAreFollowedWithoutAnotherGeneration) {
  start();
  ASSERT_TRUE(enable());
  const auto idle = firewall_->add({"deny", "out", "unit", "cron"}, {}, {});
  ASSERT_TRUE(idle) << message(idle.error());
  EXPECT_EQ(idle->notes, (Words{"cron.service does not run: no packet matches 'unit cron.service' "
                                "until it does"}));
  EXPECT_NE(kernel_text().find("socket cgroupv2 level 2 @unit/cron/service"), std::string::npos);
  const auto generation = firewall_->generation();
  ASSERT_TRUE(firewall_->collect());
  const auto chains = in_kernel()->chains;
  const auto element = [&] {
    const auto ruleset = in_kernel();
    const auto* set = ruleset->find_set("unit/cron/service");
    return set == nullptr || set->elements.empty() ? nft::Bytes() : set->elements.front().key;
  };
  EXPECT_TRUE(element().empty());
  for (const std::uint64_t id : {7U, 9U}) {
    units_ = {{"cron.service", {.id = id, .level = 2, .slices = {"system.slice"}}}};
    ASSERT_TRUE(firewall_->follow_units());
    ASSERT_FALSE(element().empty());
    EXPECT_EQ(static_cast<std::uint64_t>(element().front()), id);
    EXPECT_EQ(in_kernel()->chains, chains) << "an element is all that changes";
  }
  EXPECT_EQ(firewall_->generation(), generation);

  // In another slice it is looked for elsewhere.
  units_ = {{"cron.service", {.id = 11, .level = 3, .slices = {"a.slice", "a-b.slice"}}}};
  ASSERT_TRUE(firewall_->follow_units());
  EXPECT_NE(kernel_text().find("socket cgroupv2 level 3 @unit/cron/service"), std::string::npos);

  // After a boot no id means what it meant.
  ASSERT_TRUE(kernel_.apply({nft::DeleteTable{}}));
  units_ = {};
  start();
  EXPECT_TRUE(element().empty());
  EXPECT_EQ(firewall_->generation(), generation);
  const auto again =
      firewall_->add({"deny", "out", "unit", "cron", "to", "any", "port", "22"}, {}, {});
  ASSERT_TRUE(again);
  EXPECT_TRUE(again->notes.empty()) << "that has been said";
}

TEST_F(FirewallTest, RefreshPutsInForceWhatNamesMeanNow) {
  host_.wan = {"eth0"};
  folder_.write("etc/policy.yaml", "rules: [deny in on wan 22/tcp]\n");
  start();
  const auto inactive = firewall_->refresh();
  ASSERT_TRUE(inactive);
  EXPECT_FALSE(inactive->changed) << "nothing is in force";
  ASSERT_TRUE(enable());
  EXPECT_NE(kernel_text().find("iifname \"eth0\" tcp dport 22"), std::string::npos);
  const auto before = everything();
  const auto same = firewall_->refresh();
  ASSERT_TRUE(same);
  EXPECT_FALSE(same->changed);
  EXPECT_EQ(everything(), before);

  host_.wan = {"ppp0", "wg0"};
  kernel_.fail_next(EPERM);
  EXPECT_FALSE(firewall_->refresh());
  EXPECT_EQ(kernel_text(), before.kernel);
  const auto moved = firewall_->refresh();
  ASSERT_TRUE(moved) << message(moved.error());
  EXPECT_EQ(moved->difference, (Words{"- wan eth0", "+ wan ppp0 wg0"}));
  EXPECT_EQ(kernel_text().find("eth0"), std::string::npos);
  EXPECT_NE(kernel_text().find("iifname \"wg0\" tcp dport 22"), std::string::npos);

  host_.wan.emplace();
  ASSERT_TRUE(firewall_->refresh());
  EXPECT_EQ(kernel_text().find("dport 22"), std::string::npos)
      << "no interface is not any interface";
  EXPECT_TRUE(mentions(firewall_->problems(), "there is no default route"));
  EXPECT_TRUE(folder_.has("state/generation-" + std::to_string(before.generation)));
  EXPECT_FALSE(folder_.has("state/generation-" + std::to_string(moved->generation)))
      << "what nobody asked for pushes nothing out";
  host_.wan.reset();
  const auto unknown = firewall_->refresh();
  ASSERT_TRUE(unknown);
  EXPECT_FALSE(unknown->changed) << "what cannot be found out stays as it was";
}

TEST_F(FirewallTest, AHostIsASetThatRefreshEdits) {
  start();
  ASSERT_TRUE(enable());
  const auto added = firewall_->add({"allow", "from", "host:home.example.org"}, {}, {});
  ASSERT_TRUE(added) << message(added.error());
  EXPECT_NE(render(added->warnings).find("no packet matches it until it is resolved"),
            std::string::npos);
  EXPECT_TRUE(mentions(firewall_->problems(), "host:home.example.org has not been resolved yet"));
  EXPECT_EQ(kernel_text().find("host/"), std::string::npos);

  host_.hosts = {{"home.example.org", {*Address::parse("192.0.2.7")}}};
  const auto found = firewall_->refresh();
  ASSERT_TRUE(found) << message(found.error());
  EXPECT_EQ(found->difference, Words{"+ host home.example.org 192.0.2.7"});
  EXPECT_FALSE(mentions(firewall_->problems(), "resolved"));
  const auto text = kernel_text();
  EXPECT_NE(text.find("set host/home_example_org-ipv4"), std::string::npos) << text;
  EXPECT_NE(text.find("ip saddr @host/home_example_org-ipv4"), std::string::npos) << text;
  ASSERT_TRUE(firewall_->collect());

  // By its elements alone.
  host_.hosts = {{"home.example.org", {*Address::parse("192.0.2.8")}}};
  const auto moved = firewall_->refresh();
  ASSERT_TRUE(moved);
  EXPECT_EQ(moved->difference,
            (Words{"- host home.example.org 192.0.2.7", "+ host home.example.org 192.0.2.8"}));
  for (const auto& change : kernel_.applied().back()) {
    EXPECT_FALSE(std::holds_alternative<nft::AddSet>(change));
    EXPECT_FALSE(std::holds_alternative<nft::AddRule>(change));
  }
  EXPECT_NE(kernel_text().find("192.0.2.8"), std::string::npos);

  // No answer: the old one holds, also over a reboot and a reload.
  host_.hosts.clear();
  const auto none = firewall_->refresh();
  ASSERT_TRUE(none);
  EXPECT_FALSE(none->changed);
  ASSERT_TRUE(kernel_.apply({nft::DeleteTable{}}));
  start();
  EXPECT_NE(kernel_text().find("192.0.2.8"), std::string::npos);
  ASSERT_TRUE(firewall_->reload({}));
  EXPECT_NE(kernel_text().find("192.0.2.8"), std::string::npos);
}

TEST_F(FirewallTest, ApplyReadsTheFilesThatAreNew) {
  folder_.write("etc/sets/drop.txt", "198.51.100.7\n");
  start();
  const std::string policy = "sets: {drop: {file: sets/drop.txt}}\nrules: [\"deny from @drop\"]\n";
  ASSERT_TRUE(firewall_->apply(policy, "new", {}));
  ASSERT_TRUE(enable());
  EXPECT_NE(kernel_text().find("198.51.100.7"), std::string::npos);
  folder_.write("etc/sets/drop.txt", "198.51.100.8\n");
  ASSERT_TRUE(firewall_->apply(policy + "logging: off\n", "new", {}));
  EXPECT_NE(kernel_text().find("198.51.100.7"), std::string::npos);
  ASSERT_TRUE(firewall_->apply("rules: []\n", "new", {}));
  EXPECT_TRUE(firewall_->sources().set_files.empty());
}

TEST_F(FirewallTest, SetsAreEditedInRulesYaml) {
  start();
  ASSERT_TRUE(enable());
  using policy::SetAction;
  const auto made = firewall_->edit_set(SetAction::add, "black", {"198.51.100.7"}, {});
  ASSERT_TRUE(made) << message(made.error());
  EXPECT_EQ(made->difference, Words{"+ set black 198.51.100.7"});
  ASSERT_TRUE(firewall_->add({"deny", "from", "@black"}, {}, {}));
  EXPECT_NE(kernel_text().find("198.51.100.7"), std::string::npos);

  auto before = everything();
  const auto again = firewall_->edit_set(SetAction::add, "black", {"198.51.100.7"}, {});
  ASSERT_TRUE(again);
  EXPECT_FALSE(again->changed);
  EXPECT_TRUE(mentions(again->notes, "already in set 'black'"));
  ASSERT_TRUE(firewall_->edit_set(SetAction::add, "black", {"::1"}, {.dry_run = true}));
  EXPECT_FALSE(firewall_->edit_set(SetAction::add, "black", {"nonsense"}, {}));
  const auto in_use = firewall_->edit_set(SetAction::destroy, "black", {}, {});
  ASSERT_FALSE(in_use);
  EXPECT_NE(message(in_use.error()).find("no set is called 'black'"), std::string::npos);
  EXPECT_EQ(everything(), before);

  ASSERT_TRUE(firewall_->edit_set(SetAction::replace, "black", {"198.51.100.8"}, {}));
  EXPECT_NE(kernel_text().find("198.51.100.8"), std::string::npos);
  EXPECT_EQ(kernel_text().find("198.51.100.7"), std::string::npos);
  EXPECT_NE(folder_.read("etc/rules.yaml").find("black: 198.51.100.8"), std::string::npos);
  const auto kept = kernel_text();
  start();
  EXPECT_EQ(kernel_text(), kept);
}

TEST_F(FirewallTest, ApplyKeepsTheModeOfThePolicyFile) {
  folder_.write("etc/policy.yaml", "rules: []\n");
  const auto path = folder_.path() / "etc/policy.yaml";
  const auto mode = std::filesystem::perms::owner_read | std::filesystem::perms::owner_write |
                    std::filesystem::perms::group_read;
  std::filesystem::permissions(path, mode);
  start();
  ASSERT_TRUE(firewall_->apply("rules:\n  - allow: 22/tcp\n", "new", {}));
  EXPECT_EQ(std::filesystem::status(path).permissions(), mode);
}

TEST_F(FirewallTest, ApplyWritesThroughASymbolicLink) {
  folder_.write("elsewhere/policy.yaml", "rules: []\n");
  std::filesystem::create_symlink(folder_.path() / "elsewhere/policy.yaml",
                                  folder_.path() / "etc/policy.yaml");
  start();
  ASSERT_TRUE(firewall_->apply("rules:\n  - allow: 22/tcp\n", "new", {}));
  EXPECT_TRUE(std::filesystem::is_symlink(folder_.path() / "etc/policy.yaml"));
  EXPECT_EQ(folder_.read("elsewhere/policy.yaml"), "rules:\n  - allow: 22/tcp\n");
}

TEST_F(FirewallTest, CountsAreByRule) {
  start();
  ASSERT_TRUE(allow("22/tcp"));
  ASSERT_TRUE(enable());
  const auto look = firewall_->look();
  ASSERT_TRUE(look);
  EXPECT_FALSE(look->drifted);
  EXPECT_TRUE(look->hits.contains(firewall_->policy().ids().front()));
}

TEST_F(FirewallTest, LeftOversAreCollected) {
  start();
  ASSERT_TRUE(enable());
  ASSERT_TRUE(firewall_->add({"allow", "from", "192.0.2.1"}, {}, {}));
  const auto before = kernel_text();
  ASSERT_TRUE(firewall_->collect());
  EXPECT_EQ(kernel_text(), before);
  EXPECT_FALSE(firewall_->look()->drifted);
}

TEST_F(FirewallTest, ATemporaryRuleEndsInAGenerationOfItsOwn) {
  start();
  ASSERT_TRUE(enable());
  const Time now = *parse_time("2026-11-22T16:00:00Z");
  EXPECT_EQ(firewall_->next_end(), std::nullopt);
  ASSERT_TRUE(allow("80/tcp"));
  const auto added = firewall_->add({"allow", "22/tcp", "for", "2h"}, {}, {.now = now});
  ASSERT_TRUE(added) << message(added.error());
  EXPECT_EQ(added->difference, Words{"+ allow 22/tcp until 2026-11-22T18:00:00Z"});
  EXPECT_NE(folder_.read("etc/rules.yaml").find("until: \"2026-11-22T18:00:00Z\""),
            std::string::npos);
  EXPECT_NE(kernel_text().find("meta time < \"2026-11-22 18:00:00\""), std::string::npos);
  EXPECT_EQ(firewall_->next_end(), now + std::chrono::hours(2));
  start();
  EXPECT_EQ(firewall_->next_end(), now + std::chrono::hours(2));

  const auto early = firewall_->remove_ended({.now = now + std::chrono::minutes(119)});
  ASSERT_TRUE(early);
  EXPECT_FALSE(early->changed);
  const auto ended = firewall_->remove_ended({.now = now + std::chrono::hours(2)});
  ASSERT_TRUE(ended) << message(ended.error());
  EXPECT_TRUE(ended->changed);
  EXPECT_EQ(ended->generation, added->generation + 1);
  EXPECT_EQ(ended->difference, Words{"- allow 22/tcp until 2026-11-22T18:00:00Z"});
  EXPECT_EQ(folder_.read("etc/rules.yaml").find("until"), std::string::npos);
  EXPECT_EQ(kernel_text().find("meta time"), std::string::npos);
  EXPECT_EQ(firewall_->next_end(), std::nullopt);
}

TEST_F(FirewallTest, WhatWasChangedByHandKeepsItsEndedRules) {
  start();
  const Time now = *parse_time("2026-11-22T16:00:00Z");
  ASSERT_TRUE(firewall_->add({"allow", "22/tcp", "for", "1s"}, {}, {.now = now}));
  folder_.write("etc/rules.yaml", folder_.read("etc/rules.yaml") + "# mine\n");
  const auto before = everything();
  const auto ended = firewall_->remove_ended({.now = now + std::chrono::hours(1)});
  ASSERT_FALSE(ended);
  EXPECT_NE(message(ended.error()).find("was changed by hand"), std::string::npos);
  EXPECT_EQ(everything(), before);
}

TEST_F(FirewallTest, AReloadTellsOfRulesThatHaveEnded) {
  folder_.write("etc/policy.yaml", "rules: [\"allow 22 until 2026-11-22T18:00:00Z\"]\n");
  start();
  folder_.write("etc/policy.yaml", "rules: [\"allow 23 until 2026-11-22T18:00:00Z\"]\n");
  const auto change = firewall_->reload({.now = *parse_time("2026-11-22T18:00:00Z")});
  ASSERT_TRUE(change);
  EXPECT_NE(render(change->warnings).find("this rule has ended"), std::string::npos);
  EXPECT_EQ(firewall_->next_end(), std::nullopt) << "the daemon takes nothing out of such files";
}

TEST_F(FirewallTest, AnEntryOfASetEnds) {
  start();
  ASSERT_TRUE(enable());
  const Time now = *parse_time("2100-01-01T00:00:00Z");
  const auto edit = [&](const Words& words) {
    return firewall_->edit_set(policy::SetAction::add, "black", words, {.now = now});
  };
  ASSERT_TRUE(edit({"10.0.0.1", "10.0.0.2", "for", "2h"}));
  ASSERT_TRUE(firewall_->add({"deny", "from", "@black"}, {}, {.now = now}));
  EXPECT_NE(kernel_text().find("10.0.0.1-10.0.0.2 comment \"until 2100-01-01T02:00:00Z\""),
            std::string::npos)
      << kernel_text();
  const auto more = edit({"10.0.0.3", "for", "1h"});
  ASSERT_TRUE(more);
  EXPECT_EQ(more->difference, Words{"+ set black 10.0.0.3 until 2100-01-01T01:00:00Z"});
  EXPECT_FALSE(firewall_->look()->drifted);
  const auto next = firewall_->next_end();
  ASSERT_TRUE(next);
  EXPECT_GT(*next, now + std::chrono::hours(1)) << "when the kernel has certainly done it";
  EXPECT_LT(*next, now + std::chrono::hours(1) + std::chrono::seconds(5));
  start();
  EXPECT_EQ(firewall_->next_end(), next) << "kept";
  EXPECT_EQ(firewall_->look()->drifted, false);
  const auto early = firewall_->remove_ended({.now = now + std::chrono::minutes(59)});
  ASSERT_TRUE(early);
  EXPECT_FALSE(early->changed);
  const auto ended = firewall_->remove_ended({.now = *next});
  ASSERT_TRUE(ended) << message(ended.error());
  EXPECT_EQ(ended->notes, Words{"ended in set 'black': 10.0.0.3"});
  EXPECT_EQ(kernel_text().find("10.0.0.3"), std::string::npos);
  EXPECT_NE(kernel_text().find("10.0.0.2 "), std::string::npos);
}

// What the kernel has taken out by itself is no other program's work, and is not taken out again.
TEST_F(FirewallTest, WhatHasEndedInTheKernelIsNoDrift) {
  const Time now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  start();
  ASSERT_TRUE(enable());
  const auto add = [&](const std::string& address, Time until) {
    return firewall_->edit_set(policy::SetAction::add, "black",
                               {address, "until", time_text(until)},
                               {.now = now - std::chrono::hours(2)});
  };
  ASSERT_TRUE(add("10.0.0.1", now - std::chrono::hours(1)));
  ASSERT_TRUE(add("10.0.0.2", now + std::chrono::hours(1)));
  ASSERT_TRUE(add("10.0.0.3", now + std::chrono::seconds(1)));
  ASSERT_TRUE(firewall_->add({"deny", "from", "@black"}, {}, {.now = now}));
  EXPECT_EQ(kernel_text().find("10.0.0.1"), std::string::npos) << "it has ended";
  const auto take_out = [&](const std::string& address) {
    const auto loaded = in_kernel();
    for (const auto& set : loaded->sets)
      for (const auto& element : nft::all_elements(set))
        if (set.name.starts_with("black") &&
            element.key == Address::parse(address)->network_order()) {
          nft::Set one = set;
          one.intervals = {};
          one.elements = {element};
          ASSERT_TRUE(kernel_.apply({nft::DeleteElements{one}}));
        }
  };
  take_out("10.0.0.3");
  EXPECT_FALSE(firewall_->look()->drifted);
  take_out("10.0.0.2");
  EXPECT_TRUE(firewall_->look()->drifted);
  EXPECT_TRUE(firewall_->reload({.now = now})->changed) << "restored";
  EXPECT_NE(kernel_text().find("10.0.0.2 comment"), std::string::npos);
}

TEST_F(FirewallTest, WhatTheKernelDoesNotPassOnIsSaidOfWhatIsNew) {
  forwarding_ = {.ipv4 = false, .ipv6 = false, .interfaces = {"lo", "eth0"}};
  start();
  ASSERT_TRUE(enable());
  const auto add = [&](const Words& words) {
    const auto change = firewall_->add(words, {}, {.reason = "test"});
    EXPECT_TRUE(change);
    return change ? of_forwarding(change->notes) : Words{"refused"};
  };
  EXPECT_EQ(add({"allow", "22/tcp"}), Words{});
  EXPECT_EQ(add({"route", "deny", "from", "any"}), Words{});
  const std::string ipv4 =
      "there are rules that let routed packets pass, but the kernel passes no IPv4 packets on: set "
      "net.ipv4.ip_forward to 1";
  EXPECT_EQ(add({"route", "allow", "in", "on", "eth0"}), Words{ipv4});
  EXPECT_EQ(add({"route", "limit", "in", "on", "eth1"}), Words{}) << "said already";
  EXPECT_EQ(add({"allow", "23/tcp"}), Words{});
  const Words six = add({"route", "allow", "from", "2001:db8::/32"});
  ASSERT_EQ(six.size(), 1U);
  EXPECT_NE(six.front().find("set net.ipv6.conf.all.forwarding to 1"), std::string::npos);
  EXPECT_EQ(firewall_->forwarding_problems(), (Words{ipv4, six.front()}));
  EXPECT_EQ(add({"masquerade", "out", "on", "eth0"}).front().substr(0, 60),
            "there are masquerades and rules that let routed packets pass");
  forwarding_.ipv4 = true;
  EXPECT_EQ(firewall_->forwarding_problems(), six);
  const auto reloaded = firewall_->reload({.reason = "test"});
  ASSERT_TRUE(reloaded);
  EXPECT_EQ(of_forwarding(reloaded->notes), six) << "asked for, not what is new";
  ASSERT_TRUE(firewall_->disable({.reason = "test"}));
  EXPECT_EQ(firewall_->forwarding_problems(), Words{});
}

TEST_F(FirewallTest, ContainersNeedForwardingWhereTheyHaveANetwork) {
  forwarding_ = {.ipv4 = false, .ipv6 = true, .interfaces = {"eth0"}};
  start();
  ASSERT_TRUE(enable());
  EXPECT_EQ(firewall_->forwarding_problems(), Words{});
  forwarding_.interfaces.emplace_back("docker0");
  EXPECT_EQ(firewall_->forwarding_problems().size(), 1U);
  const auto dry = firewall_->apply("containers: deny\nforward: [{port: 80/tcp, to: 10.0.0.5}]\n",
                                    "", {.reason = "test", .dry_run = true});
  ASSERT_TRUE(dry);
  EXPECT_EQ(of_forwarding(dry->notes).front().substr(0, 27), "there are forwards, but the");
  ASSERT_TRUE(firewall_->apply("containers: deny\n", "", {.reason = "test"}));
  EXPECT_EQ(firewall_->forwarding_problems(), Words{});
}

// --- traces ---

nft::Chain trace_chain(const std::string& name) {
  return {
      .name = name,
      .hook =
          nft::Hook{.point = nft::HookPoint::prerouting, .priority = -350, .policy_drop = false},
      .comment = {},
      .rules = {{.statements = {nft::Trace{}}, .comment = {}}}};
}

TEST_F(FirewallTest, ATraceIsNoChangeOfWhatIsInForce) {
  start();
  ASSERT_TRUE(enable());
  const auto before = in_kernel();
  ASSERT_TRUE(firewall_->begin_trace(trace_chain("trace-1")));
  ASSERT_TRUE(firewall_->begin_trace(trace_chain("trace-2")));
  EXPECT_EQ(in_kernel()->chains.size(), before->chains.size() + 2);
  EXPECT_FALSE(firewall_->look()->drifted);
  kernel_.fail_next_read(EIO);
  ASSERT_TRUE(allow("22/tcp")) << "nobody else did anything: there is nothing to read";
  static_cast<void>(kernel_.read());
  EXPECT_FALSE(firewall_->look()->drifted);
  EXPECT_NE(in_kernel()->find_chain("trace-1"), nullptr);
  EXPECT_TRUE(firewall_->tracing("trace-1"));
  firewall_->end_trace("trace-1");
  firewall_->end_trace("trace-1");
  EXPECT_EQ(in_kernel()->find_chain("trace-1"), nullptr);
  EXPECT_NE(in_kernel()->find_chain("trace-2"), nullptr);
  EXPECT_FALSE(firewall_->tracing("trace-1"));
  EXPECT_FALSE(firewall_->look()->drifted);
  EXPECT_TRUE(firewall_->problems().empty());
}

TEST_F(FirewallTest, ATraceThatAKilledDaemonLeftGoesWithTheStart) {
  start();
  ASSERT_TRUE(enable());
  const auto before = in_kernel();
  ASSERT_TRUE(firewall_->begin_trace(trace_chain("trace-1")));
  const auto sent = kernel_.applied().size();
  start();
  EXPECT_EQ(in_kernel(), before);
  ASSERT_EQ(kernel_.applied().size(), sent + 1);
  EXPECT_EQ(nft::text(kernel_.applied().back()),
            "flush chain inet fwctl trace-1\ndelete chain inet fwctl trace-1\n");
  EXPECT_TRUE(firewall_->problems().empty());
}

TEST_F(FirewallTest, ATraceEndsWithTheTable) {
  start();
  EXPECT_FALSE(firewall_->begin_trace(trace_chain("trace-1"))) << "there is no table";
  ASSERT_TRUE(enable());
  ASSERT_TRUE(firewall_->begin_trace(trace_chain("trace-1")));
  ASSERT_TRUE(firewall_->disable({.reason = "test"}));
  EXPECT_FALSE(firewall_->tracing("trace-1"));
  EXPECT_FALSE(in_kernel());
  firewall_->end_trace("trace-1");
  ASSERT_TRUE(enable());
  EXPECT_FALSE(firewall_->look()->drifted);
}

TEST_F(FirewallTest, ATraceThatIsRefusedIsNotThere) {
  start();
  ASSERT_TRUE(enable());
  const auto before = in_kernel();
  kernel_.refuse_next(1, EOPNOTSUPP);
  const auto begun = firewall_->begin_trace(trace_chain("trace-1"));
  ASSERT_FALSE(begun);
  EXPECT_NE(message(begun.error()).find("a rule of chain trace-1"), std::string::npos);
  EXPECT_FALSE(firewall_->tracing("trace-1"));
  EXPECT_EQ(in_kernel(), before);
}

TEST_F(FirewallTest, WhatAnotherProgramDoesDuringATraceIsSeen) {
  start();
  ASSERT_TRUE(enable());
  const auto before = in_kernel();
  ASSERT_TRUE(firewall_->begin_trace(trace_chain("trace-1")));
  ASSERT_TRUE(kernel_.apply({nft::AddChain{{.name = "foreign"}}}));
  firewall_->end_trace("trace-1");
  EXPECT_TRUE(firewall_->look()->drifted);
  ASSERT_TRUE(firewall_->reload({.reason = "test"}));
  ASSERT_TRUE(firewall_->collect());
  EXPECT_EQ(in_kernel(), before);

  ASSERT_TRUE(firewall_->begin_trace(trace_chain("trace-2")));
  ASSERT_TRUE(kernel_.apply({nft::FlushChain{"trace-2"}}));
  EXPECT_TRUE(firewall_->look()->drifted) << "it is no longer as it was made";
  EXPECT_FALSE(firewall_->tracing("trace-2"));
  ASSERT_TRUE(firewall_->reload({.reason = "test"}));
  EXPECT_EQ(in_kernel(), before);
}

}  // namespace
}  // namespace fwctl
