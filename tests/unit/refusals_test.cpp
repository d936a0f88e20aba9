// The kernel refuses one object of all that a change sends, each in turn: afterwards the kernel,
// the files and what the firewall says are as they were, and a start finds nothing to do.
#include <gtest/gtest.h>

#include <functional>

#include "daemon/firewall.h"
#include "rules/nft/text.h"
#include "tests/kernel/fake_kernel.h"
#include "tests/unit/temporary_folder.h"

namespace fwctl {
namespace {

using Act = std::function<bool(Firewall&)>;

bool allow(Firewall& firewall, const std::string& what) {
  return firewall.add({"allow", what}, {}, {}).has_value();
}
bool enable(Firewall& firewall) {
  return firewall.enable({}).has_value();
}
bool panic(Firewall& firewall, bool on) {
  return firewall.set_panic(on, {.allow_lockout = true}).has_value();
}
bool apply(Firewall& firewall, const std::string& rules) {
  return firewall.apply("rules: [" + rules + "]\n", "new", {}).has_value();
}

// So many entries that they go into the kernel beside what is in force, while the disk writes.
std::string many_pairs() {
  std::string out;
  for (int number = 0; number < 5000; ++number)
    out +=
        "10.1." + std::to_string(number / 250) + "." + std::to_string(number % 250) + " 22/tcp\n";
  return out;
}
bool apply_many(Firewall& firewall) {
  return firewall
      .apply("sets: {many: {file: sets/many.txt}}\nrules: [{allow: any, from: '@many'}]\n", "new",
             {})
      .has_value();
}

struct Kind {
  std::string name;
  std::vector<Act> before;
  Act change;
};

void PrintTo(const Kind& kind, std::ostream* out) {
  *out << kind.name;
}

const Act first = [](Firewall& firewall) { return allow(firewall, "22/tcp"); };

class RefusalsTest : public ::testing::TestWithParam<Kind> {
 protected:
  void SetUp() override {
    folder_.write("services", "web 80/tcp\n");
    folder_.write("etc/policy.yaml", "rules: [allow 25/tcp]\n");
    folder_.write("etc/sets/many.txt", many_pairs());
    start();
    for (const auto& act : GetParam().before) ASSERT_TRUE(act(*firewall_));
    ASSERT_TRUE(firewall_->collect());  // what a change would do of it is no part of the change
  }
  void start() {
    firewall_.emplace(Firewall::Places{.config = folder_.path() / "etc",
                                       .state = folder_.path() / "state",
                                       .services = {.services = folder_.path() / "services"}},
                      kernel_);
    const auto started = firewall_->start();
    ASSERT_TRUE(started) << started.error().message();
  }

  struct Everything {
    std::string kernel;
    std::map<std::string, std::string> files;
    std::uint64_t generation;
    bool enabled;
    bool panic;
    std::vector<std::string> problems;
  };
  Everything everything() {
    const auto ruleset = kernel_.read().value();
    Everything out{.kernel = ruleset ? nft::text(nft::live(*ruleset)) : "nothing",
                   .files = {},
                   .generation = firewall_->generation(),
                   .enabled = firewall_->enabled(),
                   .panic = firewall_->panic().has_value(),
                   .problems = firewall_->problems()};
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_.path()))
      if (entry.is_regular_file())
        out.files[entry.path().string()] =
            folder_.read(std::filesystem::relative(entry.path(), folder_.path()));
    return out;
  }

  void expect_all(const Everything& wanted, const std::string& where) {
    const auto is = everything();
    EXPECT_EQ(is.kernel, wanted.kernel) << where;
    EXPECT_EQ(is.files, wanted.files) << where;
    EXPECT_EQ(is.generation, wanted.generation) << where;
    EXPECT_EQ(is.enabled, wanted.enabled) << where;
    EXPECT_EQ(is.panic, wanted.panic) << where;
    EXPECT_EQ(is.problems, wanted.problems) << where;
  }

  testing::TemporaryFolder folder_;
  testing::FakeKernel kernel_;
  std::optional<Firewall> firewall_;
};

TEST_P(RefusalsTest, LeaveEverythingAsItWas) {
  const auto before = everything();
  std::size_t number = 0;
  for (;; ++number) {
    kernel_.refuse_change(number, number % 2 == 0 ? EINVAL : ENOMEM);
    const bool done = GetParam().change(*firewall_);
    if (!kernel_.has_refused()) break;
    EXPECT_FALSE(done) << "object " << number;
    expect_all(before, "object " + std::to_string(number));
    start();
    expect_all(before, "object " + std::to_string(number) + ", after a start");
  }
  EXPECT_GT(number, 0U);
  EXPECT_NE(everything().kernel, before.kernel);
  std::cout << GetParam().name << ": " << number << " objects refused\n";
}

INSTANTIATE_TEST_SUITE_P(
    EachObject, RefusalsTest,
    ::testing::Values(
        Kind{"FirstRule", {enable}, first},
        Kind{"RuleMore", {enable, first}, [](Firewall& one) { return allow(one, "443/tcp"); }},
        Kind{"RuleOfAService", {enable, first}, [](Firewall& one) { return allow(one, "web"); }},
        Kind{"Delete",
             {enable, first},
             [](Firewall& one) { return one.remove({"allow", "22/tcp"}, {}).has_value(); }},
        Kind{"Enable", {first}, enable},
        Kind{"Disable", {first, enable}, [](Firewall& one) { return one.disable({}).has_value(); }},
        Kind{"Apply", {enable}, [](Firewall& one) { return apply(one, "reject 1-9/udp"); }},
        Kind{"ManyPairs", {enable}, apply_many},
        Kind{"ManyPairsFirst", {apply_many}, [](Firewall& one) { return enable(one); }},
        Kind{"Reset", {first, enable}, [](Firewall& one) { return one.reset({}).has_value(); }},
        Kind{"PanicOn", {first, enable}, [](Firewall& one) { return panic(one, true); }},
        Kind{"PanicOff",
             {first, enable, [](Firewall& one) { return panic(one, true); }},
             [](Firewall& one) { return panic(one, false); }},
        Kind{"Rollback",
             {first, enable, [](Firewall& one) { return apply(one, "reject 1-9/udp"); }},
             [](Firewall& one) { return one.rollback(3, {}).has_value(); }},
        Kind{"Trial",
             {first, enable},
             [](Firewall& one) {
               return one.add({"allow", "web"}, {}, {.confirm = std::chrono::seconds(60)})
                   .has_value();
             }}),
    [](const auto& instance) { return instance.param.name; });

}  // namespace
}  // namespace fwctl
