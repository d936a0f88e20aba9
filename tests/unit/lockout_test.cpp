// Who could come back under another policy, and what is refused to whom because of it.
#include "daemon/lockout.h"

#include <gtest/gtest.h>

#include "daemon/firewall.h"
#include "tests/kernel/fake_kernel.h"
#include "tests/unit/temporary_folder.h"

namespace fwctl {
namespace {

using Words = std::vector<std::string>;

policy::CheckedPolicy policy_of(const std::string& text) {
  policy::Sources sources;
  sources.managed.push_back({.name = "policy.yaml", .text = text});
  Diagnostics diagnostics;
  auto policy = policy::load(sources, policy::ServiceTable(), diagnostics);
  EXPECT_TRUE(policy) << render(diagnostics);
  return *std::move(policy);
}

WayIn way(const std::string& from, const std::string& interface = "eth0") {
  return {.from = *Address::parse(from),
          .to = *Address::parse(from.find(':') == std::string::npos ? "192.0.2.1" : "2001:db8::1"),
          .port = 22,
          .interface = interface};
}

Share let_in(const std::string& rules, const WayIn& by) {
  return welcome(policy_of("version: 1\nrules:\n" + rules), by, Time()).let_in;
}

TEST(Welcome, IsWhatTheFirstRuleThatMatchesSays) {
  const auto here = way("192.0.2.7");
  EXPECT_EQ(let_in("  - allow: 80/tcp\n", here), Share::none);
  EXPECT_EQ(let_in("  - allow: 22/tcp\n", here), Share::all);
  EXPECT_EQ(let_in("  - limit: 22/tcp\n", here), Share::all);
  EXPECT_EQ(let_in("  - deny: 22/tcp\n  - allow: 22/tcp\n", here), Share::none);
  EXPECT_EQ(let_in("  - allow: 22/tcp\n  - deny: 22/tcp\n", here), Share::all);
  EXPECT_EQ(let_in("  - {deny: any, from: 192.0.2.8}\n  - allow: 22/tcp\n", here), Share::all);
  EXPECT_EQ(
      let_in("  - {deny: any, from: '2001:db8::/32'}\n  - allow: 22/tcp\n", way("2001:db8::7")),
      Share::none);
  EXPECT_EQ(let_in("  - {allow: 22/tcp, interface: eth1}\n", here), Share::none);
  EXPECT_EQ(let_in("  - deny: any\n", way("192.0.2.1", "lo")), Share::all);
}

TEST(Welcome, IsOfSomeOnlyWhereNobodyKnowsBeforehand) {
  const std::string mac = "  - {allow: 22/tcp, mac: '02:00:00:00:00:01'}\n";
  EXPECT_EQ(let_in(mac, way("192.0.2.7")), Share::some);
  EXPECT_EQ(let_in("  - {allow: 22/tcp, interface: eth1}\n", way("192.0.2.7", "")), Share::some);
  EXPECT_EQ(
      let_in("  - \"allow from any port 1024:65535 to any port 22 proto tcp\"\n", way("192.0.2.7")),
      Share::all);
}

TEST(Welcome, IsNotHereWhereAForwardSendsItElsewhere) {
  const auto policy =
      policy_of("version: 1\nrules: [allow 22/tcp]\nforward:\n  - {port: 22/tcp, to: 10.0.0.5}\n");
  const auto found = welcome(policy, way("192.0.2.7"), Time());
  EXPECT_EQ(found.let_in, Share::none);
  EXPECT_EQ(found.forward, &policy.forwards().front());
}

// A firewall that lets in SSH, and somebody who sits at 192.0.2.7.
class LockoutTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_.write("etc/policy.yaml", "version: 1\nrules:\n  - allow: 22/tcp\n  - allow: 25/tcp\n");
    restart();
    ASSERT_TRUE(firewall_->enable({.reason = "test"}));
  }
  void restart() {
    firewall_.emplace(
        Firewall::Places{.config = folder_.path() / "etc",
                         .state = folder_.path() / "state",
                         .services = {.services = folder_.path() / "services", .profiles = {}},
                         .interface_of =
                             [this](const TcpConnection&) {
                               ++looked_up_;
                               return std::string("eth0");
                             }},
        kernel_);
    ASSERT_TRUE(firewall_->start());
  }

  static Request from_here() {
    return {.reason = "test",
            .callers = {{.peer = *Address::parse("192.0.2.7"),
                         .peer_port = 50000,
                         .own = *Address::parse("192.0.2.1"),
                         .own_port = 22}}};
  }
  Change prepend(const Words& rule, const Request& request = from_here()) {
    return firewall_->add(rule, {.number = 0}, request);
  }
  Change add(const Words& rule, const Request& request = from_here()) {
    return firewall_->add(rule, {}, request);
  }
  // Refused, and nothing has changed.
  void refuses(const std::function<Change()>& change) {
    const auto generation = firewall_->generation();
    const auto applied = kernel_.applied().size();
    const auto done = change();
    ASSERT_FALSE(done);
    EXPECT_TRUE(std::holds_alternative<WouldLockOut>(done.error())) << message(done.error());
    EXPECT_EQ(firewall_->generation(), generation);
    EXPECT_EQ(kernel_.applied().size(), applied);
  }

  testing::TemporaryFolder folder_;
  testing::FakeKernel kernel_;
  int looked_up_ = 0;
  std::optional<Firewall> firewall_;
};

TEST_F(LockoutTest, NamesTheRuleAndItsLine) {
  const auto change = prepend({"deny", "22/tcp"});
  ASSERT_FALSE(change);
  const auto& lockout = std::get<WouldLockOut>(change.error());
  const auto path = (folder_.path() / "etc/rules.yaml").string();
  EXPECT_EQ(
      lockout.message,
      "this would shut you out: a new connection from 192.0.2.7 to 192.0.2.1 port 22, as the one "
      "over which you are here, would be kept out by 'deny 22/tcp' (" +
          lockout.rule + ", " + path +
          ":5); nothing changed. With '--confirm 60s' it is done and undone again unless you "
          "confirm, with '--allow-lockout' it is done all the same");
  ASSERT_EQ(lockout.diagnostics.size(), 1U);
  EXPECT_EQ(lockout.diagnostics.front().file, path);
  EXPECT_EQ(lockout.connection->peer_port, 50000);
}

TEST_F(LockoutTest, EachKindOfChangeIsGuarded) {
  refuses([&] { return prepend({"deny", "22/tcp"}); });
  refuses([&] { return prepend({"reject", "from", "192.0.2.0/24"}); });
  refuses([&] { return add({"forward", "22/tcp", "to", "10.0.0.5"}); });
  refuses([&] {
    return firewall_->apply("version: 1\nrules: [allow 80/tcp]\n", "new.yaml", from_here());
  });
  folder_.write("etc/policy.yaml", "version: 1\n");
  refuses([&] { return firewall_->reload(from_here()); });
  folder_.write("etc/policy.yaml", "version: 1\ndefaults: {incoming: allow}\n");
  ASSERT_TRUE(firewall_->reload(from_here()));
  refuses([&] {
    return firewall_->set_default(policy::Traffic::incoming, policy::Verdict::deny, from_here());
  });
  ASSERT_TRUE(firewall_->disable(from_here()));
  ASSERT_TRUE(add({"deny", "22/tcp"})) << "nothing is in force";
  refuses([&] { return firewall_->enable(from_here()); });
}

// The short ways, which do not look at the whole policy.
TEST_F(LockoutTest, RulesAtTheEndAndEntriesOfSetsAreGuarded) {
  const Request nobody{.reason = "test"};
  folder_.write("etc/policy.yaml", "version: 1\ndefaults: {incoming: allow}\n");
  ASSERT_TRUE(firewall_->reload(nobody));
  const auto edit = [&](const Words& addresses, const Request& request) {
    return firewall_->edit_set(policy::SetAction::add, "black", addresses, request);
  };
  ASSERT_TRUE(edit({"203.0.113.1"}, nobody));
  ASSERT_TRUE(add({"deny", "from", "@black"}, nobody));
  ASSERT_TRUE(add({"deny", "80/tcp"}, nobody));
  ASSERT_TRUE(add({"deny", "81/tcp"}));
  refuses([&] { return add({"deny", "22/tcp"}); });
  ASSERT_TRUE(add({"deny", "from", "192.0.2.8"}));
  refuses([&] { return add({"deny", "from", "192.0.2.7"}); });
  ASSERT_TRUE(edit({"203.0.113.2"}, from_here()));
  refuses([&] { return edit({"192.0.2.0/28"}, from_here()); });
  ASSERT_TRUE(edit({"192.0.2.0/28"}, nobody));
}

TEST_F(LockoutTest, NobodyIsKeptFromWhatHeWants) {
  auto allowed = from_here();
  allowed.allow_lockout = true;
  ASSERT_TRUE(prepend({"deny", "from", "192.0.2.8"}));
  auto on_trial = from_here();
  on_trial.confirm = std::chrono::seconds(60);
  ASSERT_TRUE(prepend({"deny", "22/tcp"}, on_trial));
  ASSERT_TRUE(firewall_->rollback({}, from_here()));
  ASSERT_TRUE(prepend({"deny", "22/tcp"}, allowed));
  EXPECT_TRUE(prepend({"deny", "from", "192.0.2.7"})) << "could not come back anyway";
  EXPECT_TRUE(firewall_->disable(from_here()));
}

TEST_F(LockoutTest, ADryRunSaysItToo) {
  auto rehearsal = from_here();
  rehearsal.dry_run = true;
  refuses([&] { return prepend({"deny", "22/tcp"}, rehearsal); });
}

TEST_F(LockoutTest, ARuleThatLetsInCostsNoLook) {
  ASSERT_TRUE(add({"allow", "80/tcp"}));
  looked_up_ = 0;
  ASSERT_TRUE(add({"allow", "81/tcp"}));
  EXPECT_EQ(looked_up_, 0);
}

TEST_F(LockoutTest, PanicAsksForMoreThanItSpares) {
  refuses([&] { return firewall_->set_panic(true, from_here()); });
  refuses([&] { return firewall_->set_panic(true, {.reason = "nobody is known"}); });
  auto allowed = from_here();
  allowed.allow_lockout = true;
  const auto change = firewall_->set_panic(true, allowed);
  ASSERT_TRUE(change);
  EXPECT_EQ(
      change->difference,
      Words{"+ panic: nothing passes but on loopback, and the connection from 192.0.2.7 port 50000 "
            "to 192.0.2.1 port 22"});
  refuses([&] { return prepend({"deny", "22/tcp"}); });
  EXPECT_TRUE(firewall_->set_panic(false, {.reason = "anybody"}));
  EXPECT_FALSE(firewall_->panic());
}

// What holds back everything is not lost with the policy that it holds back.
TEST_F(LockoutTest, PanicStaysWhateverPolicyLoads) {
  auto allowed = from_here();
  allowed.allow_lockout = true;
  ASSERT_TRUE(firewall_->set_panic(true, allowed));
  const auto number = firewall_->generation();
  firewall_.reset();
  folder_.write("state/generation-" + std::to_string(number), "damaged");
  restart();
  EXPECT_FALSE(firewall_->panic()) << "nothing that is left says so";
  ASSERT_TRUE(firewall_->set_panic(true, allowed));
  ASSERT_TRUE(add({"deny", "25/tcp"})) << "a change of rules alone, behind it";
  restart();
  EXPECT_TRUE(firewall_->panic());
}

TEST_F(LockoutTest, ABanOfWhereOneIsIsRefused) {
  const std::vector<Seat> seats{{.connection = from_here().callers.front(), .interface = "eth0"}};
  const auto range = [](const char* text) { return prefix(*Address::parse(text), 24); };
  EXPECT_FALSE(lockout({range("203.0.113.0")}, seats));
  const auto refused = lockout({range("203.0.113.0"), range("192.0.2.0")}, seats);
  ASSERT_TRUE(refused);
  EXPECT_NE(refused->message.find("192.0.2.0/24 is where you are"), std::string::npos);
}

}  // namespace
}  // namespace fwctl
