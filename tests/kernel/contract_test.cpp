// What daemon/kernel.h promises, held against the fake kernel and the real one alike.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <functional>
#include <memory>
#include <ostream>
#include <utility>

#include "daemon/netlink/kernel.h"
#include "rules/nft/plan.h"
#include "rules/nft/text.h"
#include "tests/kernel/fake_kernel.h"
#include "tests/kernel/own_namespace.h"
#include "tests/kernel/sample_rulesets.h"

namespace fwctl::nft {

// For the messages of googletest.
static std::ostream& operator<<(std::ostream& out, const Ruleset& ruleset) {
  return out << '\n' << text(ruleset);
}

}  // namespace fwctl::nft

namespace fwctl {

static std::ostream& operator<<(std::ostream& out, const Refusal& refusal) {
  return out << "change " << refusal.index << ": errno " << refusal.code;
}

static bool operator==(const Refusal& a, const Refusal& b) {
  return a.index == b.index && a.code == b.code;
}

namespace testing {
namespace {

using nft::Changes;
using nft::Field;
using nft::Ruleset;
using Refusals = std::vector<Refusal>;

struct Subject {
  std::string name;
  std::function<std::unique_ptr<Kernel>()> open;
  // Another program's way to the same kernel.
  std::function<std::unique_ptr<Kernel>(const Kernel&)> open_another;
};

std::ostream& operator<<(std::ostream& out, const Subject& subject) {
  return out << subject.name;
}

std::unique_ptr<Kernel> open_here() {
  auto kernel = open_kernel();
  if (!kernel) ADD_FAILURE() << kernel.error().message();
  return kernel ? std::move(*kernel) : nullptr;
}

std::unique_ptr<Kernel> open_real() {
  if (const auto refused = enter_new_network_namespace(); !refused.empty()) {
    ADD_FAILURE() << refused;
    return nullptr;
  }
  return open_here();
}

const Subject fake{
    "fake", [] { return std::make_unique<FakeKernel>(); },
    [](const Kernel& kernel) { return dynamic_cast<const FakeKernel&>(kernel).another(); }};
const Subject real{"real", open_real, [](const Kernel& /*kernel*/) { return open_here(); }};

class KernelContract : public ::testing::TestWithParam<Subject> {
 protected:
  void SetUp() override {
    kernel_ = GetParam().open();
    ASSERT_NE(kernel_, nullptr);
  }

  std::optional<Ruleset> read() {
    auto ruleset = kernel_->read();
    EXPECT_TRUE(ruleset) << ruleset.error().message();
    return ruleset ? *ruleset : std::nullopt;
  }

  void apply(const Changes& changes) {
    const auto done = kernel_->apply(changes);
    EXPECT_TRUE(done) << done.error().error.message() << '\n' << describe(changes, done.error());
  }

  // The same from check() and from apply(), and neither changes anything.
  void refuses(const Changes& changes, const Refusals& expected) {
    const auto before = read();
    const auto checked = kernel_->check(changes);
    const auto applied = kernel_->apply(changes);
    ASSERT_FALSE(checked);
    ASSERT_FALSE(applied);
    EXPECT_EQ(checked.error().refusals, expected);
    EXPECT_EQ(applied.error().refusals, expected);
    if (!expected.empty()) {
      EXPECT_EQ(applied.error().error.code, expected.front().code);
    }
    EXPECT_EQ(read(), before);
  }

  static std::string describe(const Changes& changes, const TransactionError& error) {
    std::string all;
    for (const Refusal& refusal : error.refusals)
      all += nft::text(Changes{changes.at(refusal.index)});
    return all;
  }

  std::unique_ptr<Kernel> kernel_;
};

nft::Set port_map(std::vector<nft::Element> elements = {}) {
  return {.name = "ports",
          .key = {Field::l4proto, Field::th_dport},
          .map = true,
          .counters = true,
          .elements = std::move(elements)};
}

nft::Element tcp(std::uint16_t number, nft::Verdict verdict, std::string comment = {}) {
  return {byte(6) + port(number), {}, std::move(verdict), std::move(comment), {}};
}

nft::Set nets(const std::vector<std::pair<std::string, std::string>>& intervals) {
  nft::Set set{.name = "nets", .key = {Field::ip_saddr}, .interval = true};
  for (const auto& [low, high] : intervals)
    set.elements.push_back({ip(low), high.empty() ? nft::Bytes() : ip(high), {}, {}, {}});
  nft::pack(set);
  return set;
}

nft::Rule uses_map() {
  return rule({nft::MapLookup{{Field::l4proto, Field::th_dport}, "ports"}});
}

// Counts the datagrams to port 9 that come from one source beyond `burst`.
Ruleset limited_sources(std::uint32_t burst) {
  nft::Set sources{
      .name = "sources", .key = {Field::ip_saddr}, .timeout_seconds = 600, .size = 100};
  const nft::Limit limit{.rate = 1, .seconds = 3600, .burst = burst, .over = true};
  return {
      {std::move(sources)},
      {input_chain({rule({nft::Match{Field::l4proto, false, byte(17), {}},
                          nft::Match{Field::th_dport, false, port(9), {}},
                          nft::Match{Field::nfproto, false, byte(2), {}},
                          nft::Meter{Field::ip_saddr, {}, "sources", limit}, nft::Counter{}})})}};
}

nft::Verdict jump(std::string to) {
  return {nft::VerdictKind::jump, std::move(to)};
}

TEST_P(KernelContract, ReadsNothingWhereThereIsNoTable) {
  EXPECT_EQ(read(), std::nullopt);
}

TEST_P(KernelContract, ReadsAnEmptyTable) {
  apply({nft::AddTable{}});
  EXPECT_EQ(read(), Ruleset());
}

TEST_P(KernelContract, ReadsBackWhatWasApplied) {
  for (const Sample& sample : sample_rulesets()) {
    apply(creation(sample.ruleset));
    const auto there = read();
    ASSERT_TRUE(there) << sample.name;
    EXPECT_EQ(*there, sample.ruleset) << sample.name;
    apply({nft::DeleteTable{}});
  }
}

TEST_P(KernelContract, TakesThePlanFromAnySampleToAnyOther) {
  std::uint64_t version = 0;
  const auto go_to = [&](const Sample& sample) {
    const Ruleset wanted = nft::live(sample.ruleset);  // a sample may have a set that nothing uses
    const auto planned = nft::plan(read(), wanted, ++version);
    apply(planned.prepare);
    apply(planned.changes);
    const auto there = read();
    ASSERT_TRUE(there) << sample.name;
    EXPECT_EQ(nft::live(*there), wanted) << sample.name;
  };
  const auto samples = sample_rulesets();
  for (const Sample& from : samples) {
    for (const Sample& to : samples) {
      go_to(from);
      go_to(to);
      ASSERT_FALSE(HasFailure()) << from.name << " to " << to.name;
    }
  }
}

TEST_P(KernelContract, TheRevisionChangesWithEveryTransactionAndOnlyThen) {
  const auto before = kernel_->revision().value();
  EXPECT_EQ(kernel_->revision().value(), before);
  ASSERT_TRUE(kernel_->check({nft::AddTable{}}));
  ASSERT_FALSE(kernel_->apply({nft::DeleteTable{}}));
  EXPECT_EQ(kernel_->revision().value(), before);
  apply({nft::AddTable{}, nft::AddChain{{.name = "one"}}});
  const auto after = kernel_->revision().value();
  EXPECT_NE(after, before);
  EXPECT_TRUE(read());
  EXPECT_EQ(kernel_->revision().value(), after);
}

TEST_P(KernelContract, CheckChangesNothing) {
  const Changes changes = creation(sample_rulesets().back().ruleset);
  EXPECT_TRUE(kernel_->check(changes));
  EXPECT_EQ(read(), std::nullopt);
}

TEST_P(KernelContract, NoChangesAreAlwaysTaken) {
  EXPECT_TRUE(kernel_->check({}));
  EXPECT_TRUE(kernel_->apply({}));
  EXPECT_EQ(read(), std::nullopt);
}

TEST_P(KernelContract, TableMayBeAddedTwiceAndDeletedOnce) {
  apply({nft::AddTable{}, nft::AddTable{}});
  apply({nft::AddTable{}});
  apply({nft::DeleteTable{}});
  EXPECT_EQ(read(), std::nullopt);
  refuses({nft::DeleteTable{}}, {{0, ENOENT}});
}

// A table of ours with something in it, and another program's way to it.
class OwnedTable : public KernelContract {
 protected:
  void SetUp() override {
    KernelContract::SetUp();
    if (!kernel_->can_own()) GTEST_SKIP() << "this kernel keeps nobody out of a table";
    apply({nft::AddTable{.owned = true}});
    Changes contents = creation(contents_);
    contents.erase(contents.begin());
    apply(contents);
    another_ = GetParam().open_another(*kernel_);
    ASSERT_NE(another_, nullptr);
  }

  static int code(const tl::expected<void, TransactionError>& done) {
    return done ? 0 : done.error().error.code;
  }

  const Ruleset contents_{{port_map({tcp(22, accept(), "r1")})}, {input_chain({uses_map()})}};
  std::unique_ptr<Kernel> another_;
};

TEST_P(OwnedTable, IsReadByAllAndChangedByOneOnly) {
  EXPECT_EQ(kernel_->owner(), Owner::us);
  EXPECT_EQ(another_->owner(), Owner::another);
  const Changes changes{nft::AddTable{},
                        nft::AddTable{.owned = true},
                        nft::AddChain{chain("a")},
                        nft::FlushChain{"input"},
                        nft::AddRule{"input", rule({accept()})},
                        nft::DeleteElements{port_map({tcp(22, accept())})},
                        nft::FlushSet{"ports"},
                        nft::DeleteTable{}};
  Refusals all;
  for (std::size_t i = 0; i < changes.size(); ++i) all.push_back({i, EPERM});
  const auto applied = another_->apply(changes);
  ASSERT_FALSE(applied);
  EXPECT_EQ(applied.error().refusals, all);
  EXPECT_EQ(code(another_->check({nft::DeleteTable{}})), EPERM);
  EXPECT_EQ(*another_->read(), contents_);
  apply({nft::AddTable{}, nft::AddTable{.owned = true}, nft::AddChain{chain("a")}});
  apply({nft::DeleteTable{}});
  EXPECT_EQ(kernel_->owner(), Owner::anyone);
}

TEST_P(OwnedTable, StaysWithoutItsOwnerAndIsAnybodysUntilItIsClaimed) {
  kernel_.reset();
  EXPECT_EQ(another_->owner(), Owner::anyone);
  EXPECT_EQ(*another_->read(), contents_);
  ASSERT_TRUE(another_->apply({nft::AddChain{chain("a")}, nft::DeleteChain{"a"}}));
  ASSERT_TRUE(another_->check({nft::AddTable{.owned = true}}));
  EXPECT_EQ(another_->owner(), Owner::anyone) << "that was to check only";
  ASSERT_TRUE(another_->apply({nft::AddTable{.owned = true}}));
  EXPECT_EQ(another_->owner(), Owner::us);
  EXPECT_EQ(*another_->read(), contents_);
  const auto third = GetParam().open_another(*another_);
  EXPECT_EQ(code(third->apply({nft::FlushSet{"ports"}})), EPERM);
}

TEST_P(OwnedTable, IsReplacedWholeWhoseverItIs) {
  const Changes whole{nft::AddTable{}, nft::DeleteTable{}, nft::AddTable{.owned = true}};
  apply(whole);
  EXPECT_EQ(kernel_->owner(), Owner::us);
  EXPECT_EQ(read(), Ruleset());
  EXPECT_EQ(code(another_->apply(whole)), EPERM);
  kernel_.reset();
  ASSERT_TRUE(another_->apply(whole));
  EXPECT_EQ(another_->owner(), Owner::us);
}

TEST_P(OwnedTable, OneThatWasMadeWithoutIsNeverOwned) {
  apply({nft::DeleteTable{}});
  apply(creation(contents_));
  refuses({nft::AddTable{.owned = true}}, {{0, EOPNOTSUPP}});
  EXPECT_EQ(kernel_->owner(), Owner::anyone);
  ASSERT_TRUE(another_->apply({nft::AddChain{chain("a")}}));
  apply({nft::DeleteTable{}, nft::AddTable{.owned = true}});
  EXPECT_EQ(kernel_->owner(), Owner::us);
}

INSTANTIATE_TEST_SUITE_P(Kernels, OwnedTable, ::testing::Values(fake, real),
                         [](const auto& subject) { return subject.param.name; });

TEST(FakeKernel, OfOldKeepsNobodyOut) {
  const auto kernel = FakeKernel::that_cannot_own();
  EXPECT_FALSE(kernel->can_own());
  EXPECT_FALSE(kernel->apply({nft::AddTable{.owned = true}}));
  ASSERT_TRUE(kernel->apply({nft::AddTable{}}));
  EXPECT_FALSE(kernel->apply({nft::AddTable{.owned = true}}));
  EXPECT_TRUE(kernel->another()->apply({nft::DeleteTable{}}));
}

TEST_P(KernelContract, NothingIsTakenWithoutATable) {
  refuses({nft::AddChain{chain("a")}, nft::AddSet{port_map()}, nft::FlushChain{"a"},
           nft::DeleteChain{"a"}, nft::DeleteSet{"ports"}, nft::AddRule{"a", rule({accept()})},
           nft::AddElements{port_map({tcp(1, accept())})},
           nft::DeleteElements{port_map({tcp(1, accept())})}},
          {{0, ENOENT},
           {1, ENOENT},
           {2, ENOENT},
           {3, ENOENT},
           {4, ENOENT},
           {5, ENOENT},
           {6, ENOENT},
           {7, ENOENT}});
}

TEST_P(KernelContract, EveryRefusalIsReportedAndNothingChanges) {
  apply({nft::AddTable{}, nft::AddChain{chain("there")}, nft::AddSet{port_map()}});
  refuses(
      {nft::AddChain{chain("new")}, nft::AddChain{chain("there")},
       nft::AddRule{"missing", rule({accept()})}, nft::AddRule{"new", rule({jump("missing")})},
       nft::AddRule{"new", rule({accept()})}, nft::AddSet{port_map()}, nft::FlushChain{"missing"}},
      {{1, EEXIST}, {2, ENOENT}, {3, ENOENT}, {5, EEXIST}, {6, ENOENT}});
}

TEST_P(KernelContract, SetOfADeclaredSizeTakesNoMore) {
  nft::Set ports{.name = "ports", .key = {Field::th_dport}, .size = 2};
  ports.elements = {{port(22)}, {port(80)}};
  nft::pack(ports);
  apply(creation({{ports}, {}}));
  const auto only = [](std::uint16_t number) {
    nft::Set one{.name = "ports", .key = {Field::th_dport}, .size = 2};
    one.elements = {{port(number)}};
    nft::pack(one);
    return one;
  };
  refuses({nft::AddElements{only(443)}}, {{0, ENFILE}});
  apply({nft::DeleteElements{only(22)}, nft::AddElements{only(443)}});
  nft::Set now = ports;
  now.intervals = {};
  now.elements = {{port(80)}, {port(443)}};
  nft::pack(now);
  EXPECT_EQ(read(), (Ruleset{{now}, {}}));
}

TEST_P(KernelContract, ManyRefusalsAreAllReported) {
  apply({nft::AddTable{}});
  Changes changes;
  Refusals expected;
  for (std::size_t i = 0; i < 5000; ++i) {
    changes.emplace_back(nft::AddRule{"missing", rule({accept()})});
    expected.push_back({i, ENOENT});
  }
  refuses(changes, expected);
}

TEST_P(KernelContract, AChangeAfterARefusedOneDoesNotSeeIt) {
  apply({nft::AddTable{}});
  refuses({nft::DeleteChain{"a"}, nft::AddRule{"a", rule({accept()})}}, {{0, ENOENT}, {1, ENOENT}});
}

TEST_P(KernelContract, BaseChainTakesANewPolicyAndKeepsItsRules) {
  nft::Chain base = input_chain({rule({accept()}, "r1")});
  apply(creation({{}, {base}}));
  base.hook->policy_drop = true;
  apply({nft::AddChain{base}});
  EXPECT_EQ(read(), (Ruleset{{}, {base}}));
}

TEST_P(KernelContract, BaseChainKeepsItsHookAndPriority) {
  apply(creation({{}, {input_chain(), chain("plain")}}));
  nft::Chain elsewhere = input_chain();
  elsewhere.hook->priority = 5;
  nft::Chain output = input_chain();
  output.hook->point = nft::HookPoint::output;
  nft::Chain nat = input_chain();
  nat.hook->type = nft::ChainType::nat;
  nft::Chain hooked = input_chain();
  hooked.name = "plain";
  // Kernels do not agree on the errno.
  for (const nft::Chain& other : {elsewhere, output, nat, hooked}) {
    const auto applied = kernel_->apply({nft::AddChain{other}});
    ASSERT_FALSE(applied);
    EXPECT_EQ(applied.error().refusals.size(), 1U);
  }
  refuses({nft::AddChain{chain("input")}}, {{0, EEXIST}});
  EXPECT_EQ(read(), (Ruleset{{}, {input_chain(), chain("plain")}}));
}

TEST_P(KernelContract, FlushAndRefillReplacesTheRules) {
  apply(creation({{}, {input_chain({rule({accept()}, "old"), rule({drop()}, "old")})}}));
  apply({nft::FlushChain{"input"}, nft::AddRule{"input", rule({drop()}, "new")}});
  EXPECT_EQ(read(), (Ruleset{{}, {input_chain({rule({drop()}, "new")})}}));
}

TEST_P(KernelContract, ChainInUseIsNotDeleted) {
  nft::Chain base = input_chain({rule({jump("a")})});
  nft::Set map = port_map({tcp(22, jump("b"))});
  apply(creation({{map}, {chain("a"), chain("b"), chain("full", {rule({accept()})}), base}}));
  refuses({nft::DeleteChain{"a"}, nft::DeleteChain{"b"}, nft::DeleteChain{"full"}},
          {{0, EBUSY}, {1, EBUSY}, {2, EBUSY}});
  apply({nft::FlushChain{"input"}, nft::DeleteChain{"a"}, nft::DeleteElements{map},
         nft::DeleteChain{"b"}, nft::FlushChain{"full"}, nft::DeleteChain{"full"}});
  EXPECT_EQ(read(), (Ruleset{{port_map()}, {input_chain()}}));
}

TEST_P(KernelContract, SetInUseIsNotDeleted) {
  apply(creation({{port_map({tcp(22, accept())})}, {input_chain({uses_map()})}}));
  refuses({nft::DeleteSet{"ports"}}, {{0, EBUSY}});
  apply({nft::FlushChain{"input"}, nft::DeleteSet{"ports"}});
  EXPECT_EQ(read(), (Ruleset{{}, {input_chain()}}));
}

TEST_P(KernelContract, SetThatARuleFillsIsNotDeleted) {
  apply(creation(limited_sources(2)));
  refuses({nft::DeleteSet{"sources"}}, {{0, EBUSY}});
  apply({nft::FlushChain{"input"}, nft::DeleteSet{"sources"}});
  EXPECT_EQ(read(), (Ruleset{{}, {input_chain()}}));
}

TEST_P(KernelContract, ChainIsReplacedByOneOfTheSameNameInOneTransaction) {
  nft::Chain old = chain("a", {rule({accept()})});
  old.comment = "one";
  apply(creation({{}, {old, input_chain({rule({jump("a")})})}}));
  nft::Chain fresh = chain("a", {rule({drop()})});
  fresh.comment = "two";
  apply({nft::FlushChain{"input"}, nft::FlushChain{"a"}, nft::DeleteChain{"a"},
         nft::AddChain{fresh}, nft::AddRule{"a", fresh.rules.front()},
         nft::AddRule{"input", rule({jump("a")})}});
  EXPECT_EQ(read(), (Ruleset{{}, {fresh, input_chain({rule({jump("a")})})}}));
}

TEST_P(KernelContract, SetIsReplacedByOneOfTheSameNameInOneTransaction) {
  apply(creation({{port_map({tcp(22, accept())})}, {input_chain({uses_map()})}}));
  nft::Set fresh{.name = "ports", .key = {Field::th_dport}, .interval = true};
  fresh.elements = {{port(1), port(9), {}, "r1", {}}};
  const nft::Rule lookup = rule({nft::SetLookup{{Field::th_dport}, "ports"}, accept()});
  apply({nft::FlushChain{"input"}, nft::DeleteSet{"ports"}, nft::AddSet{fresh},
         nft::AddElements{fresh}, nft::AddRule{"input", lookup}});
  EXPECT_EQ(read(), (Ruleset{{fresh}, {input_chain({lookup})}}));
}

TEST_P(KernelContract, RuleMayOnlyNameWhatIsThere) {
  nft::Set set{.name = "set", .key = {Field::th_dport}};
  // A set of ports is a bitmap to the kernel, which gives another errno.
  nft::Set addresses{.name = "addresses", .key = {Field::ip_saddr}};
  apply(creation({{addresses, port_map(), set}, {input_chain()}}));
  const auto in_input = [](nft::Statement statement) {
    return nft::AddRule{"input", rule({std::move(statement)})};
  };
  refuses({in_input(nft::SetLookup{{Field::th_dport}, "missing"}),
           in_input(nft::MapLookup{{Field::th_dport}, "missing"}), in_input(jump("missing")),
           in_input(jump("input")), in_input(nft::MapLookup{{Field::th_dport}, "set"}),
           in_input(nft::Meter{Field::th_dport, {}, "missing", {.rate = 1}}),
           in_input(nft::Meter{Field::ip_saddr, {}, "addresses", {.rate = 1}})},
          {{0, ENOENT},
           {1, ENOENT},
           {2, ENOENT},
           {3, EOPNOTSUPP},
           {4, EINVAL},
           {5, ENOENT},
           {6, EINVAL}});
}

TEST_P(KernelContract, ElementMayOnlyJumpToAPlainChainThatIsThere) {
  apply(creation({{port_map()}, {input_chain()}}));
  refuses({nft::AddElements{port_map({tcp(1, jump("missing"))})},
           nft::AddElements{port_map({tcp(2, jump("input"))})}},
          {{0, ENOENT}, {1, EOPNOTSUPP}});
}

TEST_P(KernelContract, ElementsComeAndGo) {
  apply(creation({{port_map({tcp(22, accept(), "r1"), tcp(80, drop(), "r2")})}, {}}));
  apply({nft::DeleteElements{port_map({tcp(22, accept())})},
         nft::AddElements{port_map({tcp(443, accept(), "r3")})}});
  EXPECT_EQ(read(), (Ruleset{{port_map({tcp(80, drop(), "r2"), tcp(443, accept(), "r3")})}, {}}));
}

TEST_P(KernelContract, ElementIsReplacedInOneTransaction) {
  apply(creation({{port_map({tcp(22, accept(), "r1")})}, {}}));
  apply({nft::DeleteElements{port_map({tcp(22, accept())})},
         nft::AddElements{port_map({tcp(22, drop(), "r2")})}});
  EXPECT_EQ(read(), (Ruleset{{port_map({tcp(22, drop(), "r2")})}, {}}));
}

TEST_P(KernelContract, ElementThatIsThereIsRefusedAndOneThatIsMissingToo) {
  apply(creation({{port_map({tcp(22, accept())})}, {}}));
  refuses({nft::AddElements{port_map({tcp(22, accept())})},
           nft::DeleteElements{port_map({tcp(23, accept())})}},
          {{0, EEXIST}, {1, ENOENT}});
}

TEST_P(KernelContract, SetWithElementsIsDeletedWhole) {
  apply(creation({{port_map({tcp(22, accept())})}, {}}));
  apply({nft::DeleteSet{"ports"}});
  EXPECT_EQ(read(), Ruleset());
}

TEST_P(KernelContract, SetIsFlushedAndFilledInOneTransaction) {
  apply(creation({{port_map({tcp(22, accept(), "r1"), tcp(80, drop(), "r2")})}, {}}));
  apply({nft::FlushSet{"ports"}, nft::AddElements{port_map({tcp(22, drop(), "r3")})}});
  EXPECT_EQ(read(), (Ruleset{{port_map({tcp(22, drop(), "r3")})}, {}}));
  apply({nft::FlushSet{"ports"}, nft::FlushSet{"ports"}});
  EXPECT_EQ(read(), (Ruleset{{port_map()}, {}}));
  refuses({nft::FlushSet{"missing"}}, {{0, ENOENT}});
}

TEST_P(KernelContract, BansAreReadWithoutTheirElements) {
  const nft::Set bans{.name = "banned/ipv4",
                      .key = {Field::ip_saddr},
                      .ends = true,
                      .elements = {{.key = ip("10.0.0.1")}, {.key = ip("10.0.0.2")}}};
  apply(creation({{bans}, {}}));
  nft::Set bare = bans;
  bare.elements.clear();
  EXPECT_EQ(read(), (Ruleset{{bare}, {}}));
  refuses({nft::AddElements{bans}}, {{0, EEXIST}});
}

TEST_P(KernelContract, CgroupsAreNumbers) {
  const auto id = [](char number) { return nft::Bytes{number, 0, 0, 0, 1, 0, 0, 0}; };
  nft::Set units{.name = "units", .key = {nft::cgroup_at(2)}, .elements = {{.key = id(7)}}};
  const nft::Rule lookup = rule({nft::SetLookup{{nft::cgroup_at(2)}, "units"}, accept()});
  const nft::Rule match = rule({nft::Match{.field = nft::cgroup_at(8), .value = id(9)}, accept()});
  const auto chain = input_chain({lookup, match});
  apply(creation({{units}, {chain}}));
  EXPECT_EQ(read(), (Ruleset{{units}, {chain}}));
  nft::Set other = units;
  other.elements = {{.key = id(8)}};
  apply({nft::DeleteElements{units}, nft::AddElements{other}});
  EXPECT_EQ(read(), (Ruleset{{other}, {chain}}));
}

TEST_P(KernelContract, IntervalsComeAndGoBesideEachOther) {
  const nft::Set first = nets({{"10.0.0.0", "10.255.255.255"}, {"12.0.0.0", ""}});
  apply(creation({{first}, {}}));
  apply({nft::AddElements{nets({{"11.0.0.0", "11.255.255.255"}})}});
  EXPECT_EQ(read(), (Ruleset{{nets({{"10.0.0.0", "10.255.255.255"},
                                    {"11.0.0.0", "11.255.255.255"},
                                    {"12.0.0.0", ""}})},
                             {}}));
  apply({nft::DeleteElements{nets({{"10.0.0.0", "10.255.255.255"}})}});
  EXPECT_EQ(read(), (Ruleset{{nets({{"11.0.0.0", "11.255.255.255"}, {"12.0.0.0", ""}})}, {}}));
  apply({nft::DeleteElements{nets({{"11.0.0.0", "11.255.255.255"}})}});
  EXPECT_EQ(read(), (Ruleset{{nets({{"12.0.0.0", ""}})}, {}}));
}

TEST_P(KernelContract, IntervalUpToTheHighestValueComesAndGoes) {
  const nft::Set set = nets({{"0.0.0.0", "255.255.255.255"}});
  apply(creation({{set}, {}}));
  EXPECT_EQ(read(), (Ruleset{{set}, {}}));
  apply({nft::DeleteElements{set}});
  EXPECT_EQ(read(), (Ruleset{{nets({})}, {}}));
}

TEST_P(KernelContract, OverlappingIntervalsAreRefused) {
  apply(creation({{nets({{"10.0.0.0", "10.255.255.255"}})}, {}}));
  refuses({nft::AddElements{nets({{"10.0.0.0", "10.255.255.255"}})}}, {{0, EEXIST}});
  refuses({nft::AddElements{nets({{"10.1.0.0", "10.1.255.255"}})}}, {{0, EEXIST}});
  refuses({nft::AddElements{nets({{"9.0.0.0", "10.0.0.0"}})}}, {{0, EEXIST}});
}

TEST_P(KernelContract, OverlappingConcatenatedIntervalsAreRefused) {
  nft::Set set{.name = "pairs", .key = {Field::ip_saddr, Field::th_dport}, .interval = true};
  set.elements = {{ip("10.0.0.0") + port(1), ip("10.255.255.255") + port(99), {}, {}, {}}};
  apply(creation({{set}, {}}));
  nft::Set inside = set;
  inside.elements = {{ip("10.1.0.0") + port(50), {}, {}, {}, {}}};
  refuses({nft::AddElements{inside}}, {{0, EEXIST}});
  nft::Set beside = set;
  beside.elements = {{ip("10.1.0.0") + port(100), {}, {}, {}, {}}};
  apply({nft::AddElements{beside}});
  apply({nft::DeleteElements{set}});
  EXPECT_EQ(read(), (Ruleset{{beside}, {}}));
}

TEST_P(KernelContract, HundredThousandElementsAreTakenAndReadBack) {
  nft::Set set{.name = "many", .key = {Field::ip_saddr, Field::th_dport}, .counters = true};
  for (std::uint32_t i = 0; i < 100'000; ++i) {
    const std::string address = {10, static_cast<char>(i >> 16), static_cast<char>(i >> 8),
                                 static_cast<char>(i)};
    set.elements.push_back({address + port(22), {}, {}, "r" + std::to_string(i), {}});
  }
  const Ruleset whole{{set}, {}};
  apply(creation(whole));
  const auto there = read();
  ASSERT_TRUE(there);
  EXPECT_TRUE(*there == whole);
  apply({nft::DeleteElements{set}});
  EXPECT_TRUE(read()->sets.front().elements.empty());
}

TEST_P(KernelContract, RefusedElementsAmongVeryManyNameTheirChangeOnce) {
  nft::Set set = nets({});
  for (std::uint32_t i = 0; i < 20'000; ++i)
    set.elements.push_back(
        {{10, static_cast<char>(i >> 8), static_cast<char>(i), 0}, {}, {}, {}, {}});
  apply(creation({{set}, {}}));
  refuses({nft::AddElements{set}}, {{0, EEXIST}});
}

INSTANTIATE_TEST_SUITE_P(Kernels, KernelContract, ::testing::Values(fake, real),
                         [](const auto& subject) { return subject.param.name; });

TEST(FakeKernel, RefusesTheChangesItWasToldToOnce) {
  FakeKernel kernel;
  kernel.refuse_next(1, EPERM);
  const Changes changes{nft::AddTable{}, nft::AddChain{chain("a")}, nft::FlushChain{"a"}};
  const auto refused = kernel.apply(changes);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().refusals, (Refusals{{1, EPERM}, {2, ENOENT}}));
  EXPECT_TRUE(kernel.applied().empty());
  EXPECT_TRUE(kernel.apply(changes));
  EXPECT_EQ(kernel.applied().size(), 1U);
}

TEST(FakeKernel, FailsAsAWholeOnce) {
  FakeKernel kernel;
  kernel.fail_next(EPERM);
  const auto refused = kernel.apply({nft::AddTable{}});
  ASSERT_FALSE(refused);
  EXPECT_TRUE(refused.error().refusals.empty());
  EXPECT_EQ(refused.error().error.code, EPERM);
  EXPECT_TRUE(kernel.apply({nft::AddTable{}}));
}

TEST_P(KernelContract, HitsAreReadWithoutElementsThatDoNotCount) {
  nft::Set addresses{.name = "addresses", .key = {Field::ip_saddr}};
  addresses.elements = {{.key = "\x0a\x01\x01\x01"}};
  const auto map = port_map({tcp(80, drop(), "r2")});
  ASSERT_TRUE(kernel_->apply(creation({{addresses, map}, {input_chain()}})));
  addresses.elements.clear();
  EXPECT_EQ(*kernel_->read_hits(), (Ruleset{{addresses, map}, {input_chain()}}));
}

class RealKernel : public ::testing::Test {
 protected:
  void SetUp() override {
    kernel_ = open_real();
    ASSERT_NE(kernel_, nullptr);
  }

  static void nft_does(const std::string& commands) {
    const auto done = nft("-f -", commands);
    ASSERT_EQ(done.status, 0) << done.output;
  }

  void expect_foreign(const std::string& commands, const std::string& named) {
    ASSERT_TRUE(kernel_->apply(creation({{port_map()}, {input_chain()}})));
    nft_does(commands);
    const auto read = kernel_->read();
    ASSERT_FALSE(read) << commands;
    EXPECT_EQ(read.error().code, EBADMSG);
    EXPECT_NE(read.error().message().find(named), std::string::npos) << read.error().message();
    ASSERT_TRUE(kernel_->apply({nft::DeleteTable{}}));
  }

  std::unique_ptr<Kernel> kernel_;
};

TEST_F(RealKernel, VeryManyElementsThatNeitherCountNorEndAreNotRead) {
  nft::Set set = nets({});
  for (std::uint32_t i = 0; i < 70'000; ++i)
    set.elements.push_back(
        {{10, static_cast<char>(i >> 16), static_cast<char>(i >> 8), static_cast<char>(i)},
         {},
         {},
         {},
         {}});
  ASSERT_TRUE(kernel_->apply(creation({{set}, {input_chain()}})));
  for (int time = 0; time < 2; ++time) {
    auto there = **kernel_->read();
    EXPECT_TRUE(there.sets.front().unread);
    EXPECT_TRUE(there.sets.front().empty());
    there.sets.front().unread = false;
    set.elements.clear();
    EXPECT_EQ(there, (Ruleset{{set}, {input_chain()}}));
  }
}

// Since when there are such tables; what nft says of one is in no other's words.
bool kernel_has_owned_tables() {
  utsname system{};
  int major = 0;
  int minor = 0;
  return uname(&system) == 0 && std::sscanf(system.release, "%d.%d", &major, &minor) == 2 &&
         std::pair(major, minor) >= std::pair(6, 9);
}

TEST_F(RealKernel, OwnsWhereItCan) {
  EXPECT_EQ(kernel_->can_own(), kernel_has_owned_tables());
  EXPECT_EQ(nft("list ruleset").output, "") << "to find that out leaves nothing";
  EXPECT_EQ(*kernel_->owner(), Owner::anyone);
}

TEST_F(RealKernel, NftChangesNothingInOurTable) {
  if (!kernel_has_owned_tables()) GTEST_SKIP() << "this kernel keeps nobody out of a table";
  ASSERT_TRUE(kernel_->apply({nft::AddTable{.owned = true}, nft::AddChain{input_chain()}}));
  const std::string before = nft("-a list table inet fwctl").output;
  EXPECT_EQ(nft("flush ruleset").status, 0);
  for (const auto* command :
       {"delete table inet fwctl", "flush table inet fwctl", "add rule inet fwctl input accept",
        "delete chain inet fwctl input", "add table inet fwctl '{ flags dormant; }'"})
    EXPECT_NE(nft(command).output.find("Operation not permitted"), std::string::npos) << command;
  EXPECT_EQ(nft("-a list table inet fwctl").output, before);
}

TEST_F(RealKernel, AClaimKeepsWhatWasCounted) {
  if (!kernel_has_owned_tables()) GTEST_SKIP() << "this kernel keeps nobody out of a table";
  const nft::Rule counted = rule({nft::Counter{7, 700}, accept()});
  ASSERT_TRUE(kernel_->apply({nft::AddTable{.owned = true}, nft::AddChain{input_chain()},
                              nft::AddRule{"input", counted}}));
  const auto counter = [&] {
    const auto there = kernel_->read().value().value();
    return std::get<nft::Counter>(there.chains.at(0).rules.at(0).statements.at(0)).packets;
  };
  EXPECT_EQ(counter(), 7U);
  kernel_.reset();
  kernel_ = open_here();
  ASSERT_TRUE(kernel_->apply({nft::AddTable{.owned = true}}));
  EXPECT_EQ(*kernel_->owner(), Owner::us);
  EXPECT_EQ(counter(), 7U);
}

TEST_F(RealKernel, AClaimIsOneMessageAndNobodyElses) {
  if (!kernel_has_owned_tables()) GTEST_SKIP() << "this kernel keeps nobody out of a table";
  ASSERT_TRUE(kernel_->apply({nft::AddTable{.owned = true}}));
  kernel_ = open_here();
  const auto before = kernel_->revision().value();
  kernel_->touched(before);
  ASSERT_TRUE(kernel_->apply({nft::AddTable{.owned = true}}));
  EXPECT_EQ(kernel_->revision().value(), before + 1);
  EXPECT_FALSE(kernel_->touched(before + 1));
}

TEST_F(RealKernel, ADormantTableIsNotOurs) {
  expect_foreign("add table inet fwctl { flags dormant; }", "dormant");
}

TEST_F(RealKernel, ForeignTablesAreNeitherReadNorTouched) {
  nft_does(
      "add table inet other\n"
      "add set inet other s { type ipv4_addr; }\n"
      "add chain inet other input { type filter hook input priority 0; }\n"
      "add rule inet other input ip saddr @s meta cpu 1 accept\n"
      "add table ip fwctl\n"
      "add chain ip fwctl input\n"
      "add rule ip fwctl input meta cpu 1 accept\n");
  const std::string before = nft("list ruleset").output;
  EXPECT_EQ(*kernel_->read(), std::nullopt);
  const Ruleset ours = sample_rulesets().back().ruleset;
  ASSERT_TRUE(kernel_->apply(creation(ours)));
  EXPECT_EQ(*kernel_->read(), ours);
  ASSERT_TRUE(kernel_->apply({nft::DeleteTable{}}));
  EXPECT_EQ(nft("list ruleset").output, before);
}

TEST_F(RealKernel, ForeignObjectsInOurTableAreNamed) {
  expect_foreign("add rule inet fwctl input meta cpu 1 accept comment \"alien\"", "alien");
  expect_foreign("add rule inet fwctl input tcp dport { 1, 2 } accept", "__set");
  expect_foreign("add rule inet fwctl input meta mark set 1", "meta");
  expect_foreign("add rule inet fwctl input log group 4 snaplen 9", "log");
  expect_foreign("add rule inet fwctl input reject with icmp host-prohibited", "reject");
  expect_foreign("add set inet fwctl mine { type ipv4_addr; }", "mine");
  expect_foreign(
      "add set inet fwctl mine { type ipv4_addr; flags dynamic; size 9; }\n"
      "add rule inet fwctl input update @mine { ip saddr limit rate 1/minute }",
      "mine");
  expect_foreign("add counter inet fwctl mine", "object");
  expect_foreign("add chain inet fwctl route { type route hook output priority 0; }", "route");
  const std::string nat = "add chain inet fwctl to { type nat hook output priority 0; }\n";
  expect_foreign(nat + "add rule inet fwctl to dnat ip to 10.0.0.1-10.0.0.9", "nat");
  expect_foreign(nat + "add rule inet fwctl to dnat ip to 10.0.0.1 random", "nat");
  expect_foreign(nat + "add rule inet fwctl to redirect", "redir");
  expect_foreign(nat + "add rule inet fwctl to tcp dport 1 redirect to :1-9", "redir");
  const std::string from = "add chain inet fwctl from { type nat hook postrouting priority 0; }\n";
  expect_foreign(from + "add rule inet fwctl from masquerade random", "masq");
  expect_foreign(from + "add rule inet fwctl from snat ip to 10.0.0.1", "nat");
}

TEST_F(RealKernel, ForeignChangesThatWeCouldHaveMadeAreRead) {
  ASSERT_TRUE(kernel_->apply(creation({{}, {input_chain()}})));
  nft_does(
      "add chain inet fwctl extra { comment \"theirs\"; }\n"
      "add rule inet fwctl input tcp dport 22 accept comment \"alien\"");
  nft::Chain extra = chain("extra");
  extra.comment = "theirs";
  const nft::Rule alien = rule({nft::Match{Field::l4proto, false, byte(6), {}},
                                nft::Match{Field::th_dport, false, port(22), {}}, accept()},
                               "alien");
  EXPECT_EQ(*kernel_->read(), (Ruleset{{}, {extra, input_chain({alien})}}));
}

TEST_F(RealKernel, CountersAreReadAndKeptWhenGiven) {
  const nft::Rule counted = rule({nft::Counter{7, 700}, nft::Match{Field::iif, false, host(1), {}},
                                  uses_map().statements.front()});
  const nft::Element element{byte(17) + port(9), {}, accept(), "r1", {}};
  ASSERT_TRUE(kernel_->apply(creation({{port_map({element})}, {input_chain({counted})}})));
  ASSERT_EQ(
      run("ip link set lo up && bash -c 'for i in 1 2 3; do echo x >/dev/udp/127.0.0.1/9; done'")
          .status,
      0);
  const auto ruleset = kernel_->read();
  ASSERT_TRUE(ruleset && *ruleset);
  // Each of the three datagrams may be answered by an ICMP error.
  const auto& rule_counter =
      std::get<nft::Counter>((*ruleset)->chains.front().rules.front().statements.front());
  EXPECT_GE(rule_counter.packets, 10U);
  EXPECT_GT(rule_counter.bytes, 700U);
  const nft::Element& counted_element = (*ruleset)->sets.front().elements.front();
  EXPECT_EQ(counted_element.counter.packets, 3U);
  EXPECT_EQ(counted_element.counter.bytes, 3U * 30);

  const nft::Set again = (*ruleset)->sets.front();
  ASSERT_TRUE(kernel_->apply({nft::DeleteElements{again}, nft::AddElements{again}}));
  EXPECT_EQ((*kernel_->read())->sets.front().elements.front().counter.packets, 3U);
}

void send_datagrams(const char* source, int count) {
  const int sender = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  sockaddr_in from{.sin_family = AF_INET, .sin_port = 0, .sin_addr = {}, .sin_zero = {}};
  sockaddr_in to{.sin_family = AF_INET, .sin_port = htons(9), .sin_addr = {}, .sin_zero = {}};
  ASSERT_EQ(inet_pton(AF_INET, source, &from.sin_addr), 1);
  ASSERT_EQ(inet_pton(AF_INET, "127.0.0.1", &to.sin_addr), 1);
  ASSERT_EQ(bind(sender, reinterpret_cast<const sockaddr*>(&from), sizeof from), 0);
  for (int i = 0; i < count; ++i)
    ASSERT_EQ(sendto(sender, "x", 1, 0, reinterpret_cast<const sockaddr*>(&to), sizeof to), 1);
  close(sender);
}

TEST_F(RealKernel, MeterLimitsEverySourceByItselfAndRemembersThroughChanges) {
  ASSERT_EQ(run("ip link set lo up").status, 0);
  Ruleset wanted = limited_sources(3);
  ASSERT_TRUE(kernel_->apply(nft::plan(std::nullopt, wanted, 1).changes));
  const auto read = [this] { return kernel_->read().value().value(); };
  const auto exceeded = [&read] {
    const Ruleset there = read();
    return std::get<nft::Counter>(there.chains.at(0).rules.at(0).statements.back()).packets;
  };
  send_datagrams("127.0.0.1", 5);
  EXPECT_EQ(exceeded(), 2U);
  send_datagrams("127.0.0.2", 5);
  EXPECT_EQ(exceeded(), 4U) << "three more of another source";
  EXPECT_TRUE(read().sets.at(0).elements.empty()) << "they are state";

  wanted.chains.at(0).rules.push_back(rule({nft::Counter{}}, "one more rule"));
  const auto planned = nft::plan(read(), wanted, 2);
  ASSERT_FALSE(planned.changes.empty());
  ASSERT_TRUE(kernel_->apply(planned.changes));
  EXPECT_EQ(exceeded(), 0U) << "the rules are new";
  send_datagrams("127.0.0.1", 2);
  EXPECT_EQ(exceeded(), 2U) << "and the sources known";
  send_datagrams("127.0.0.3", 3);
  EXPECT_EQ(exceeded(), 2U);
}

// In a child: what is given up here does not come back.
int error_without_capabilities(Kernel& kernel) {
  const pid_t child = fork();
  if (child == 0) {
    __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    const std::array<__user_cap_data_struct, 2> none{};
    if (syscall(SYS_capset, &header, none.data()) != 0) _exit(255);
    const auto applied = kernel.apply({nft::AddTable{}, nft::DeleteTable{}});
    _exit(!applied && applied.error().refusals.empty() ? applied.error().error.code : 255);
  }
  int status = -1;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST_F(RealKernel, WithoutPermissionTheBatchFailsAsAWhole) {
  EXPECT_EQ(error_without_capabilities(*kernel_), EPERM);
}

}  // namespace
}  // namespace testing
}  // namespace fwctl
