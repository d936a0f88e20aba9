#include "rules/nft/plan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <set>

#include "rules/compile/compile.h"
#include "rules/nft/references.h"
#include "rules/nft/text.h"
#include "tests/kernel/fake_kernel.h"
#include "tests/unit/policies.h"
#include "tests/unit/random_policy.h"
#include "tests/unit/rounds.h"

namespace fwctl::nft {

// For the messages of googletest.
void PrintTo(const Ruleset& ruleset, std::ostream* out) {
  *out << '\n' << text(ruleset);
}

}  // namespace fwctl::nft

namespace fwctl::testing {
namespace {

using nft::Changes;
using nft::Plan;
using nft::Ruleset;

// As the daemon has it: the marker says what is loaded.
Ruleset wanted(const policy::CheckedPolicy& policy, const std::string& generation,
               std::size_t big = compile::big_set) {
  Ruleset ruleset = compile::compile(policy, {}, big);
  ruleset.chains.push_back({.name = std::string(nft::marker_chain), .comment = generation});
  std::sort(ruleset.chains.begin(), ruleset.chains.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  return ruleset;
}

Ruleset wanted(const std::string& policy, const std::string& generation) {
  return wanted(load(policy), generation);
}

// Chains and sets that the changes touch once they exist, by name.
std::multiset<std::string> edited(const Changes& changes) {
  struct Name {
    std::string operator()(const nft::AddTable& /*change*/) const { return {}; }
    std::string operator()(const nft::DeleteTable& /*change*/) const { return "the table"; }
    std::string operator()(const nft::AddChain& change) const { return change.chain.name; }
    std::string operator()(const nft::FlushChain& change) const { return change.chain; }
    std::string operator()(const nft::DeleteChain& change) const { return change.chain; }
    std::string operator()(const nft::AddRule& change) const { return change.chain; }
    std::string operator()(const nft::AddSet& change) const { return change.set.name; }
    std::string operator()(const nft::DeleteSet& change) const { return change.set; }
    std::string operator()(const nft::AddElements& change) const { return change.set.name; }
    std::string operator()(const nft::DeleteElements& change) const { return change.set.name; }
    std::string operator()(const nft::FlushSet& change) const { return change.set; }
  };
  std::multiset<std::string> names;
  for (const auto& change : changes) names.insert(std::visit(Name{}, change));
  return names;
}

// The one protocol that a rule asks for; empty: it asks for none, or for one in a lookup.
std::string protocol_in(const std::string& rule) {
  constexpr std::string_view words = "meta l4proto ";
  for (auto at = rule.find(words); at != std::string::npos; at = rule.find(words, at + 1)) {
    const auto value = at + words.size();
    if (rule[value] != '.') return rule.substr(value, rule.find(' ', value) - value);
  }
  return {};
}

// By one packet, which is of one protocol: none comes to both the incoming chain and that of
// published ports.
std::ptrdiff_t lookups(const Ruleset& ruleset, const std::string& set) {
  std::map<std::string, std::ptrdiff_t> count;
  for (const auto& chain : ruleset.chains) {
    std::map<std::string, std::ptrdiff_t> of_protocol;
    for (const auto& rule : chain.rules)
      if (nft::references(rule).sets.contains(set)) ++of_protocol[protocol_in(nft::text(rule))];
    const auto of_any = std::exchange(of_protocol[""], 0);
    std::ptrdiff_t most = 0;
    for (const auto& [protocol, number] : of_protocol) most = std::max(most, number);
    count[chain.name] = of_any + most;
  }
  std::ptrdiff_t sum = std::max(count["incoming"], count["published"]);
  for (const auto& [chain, number] : count)
    if (chain != "incoming" && chain != "published") sum += number;
  return sum;
}

// No chain or set that a packet may be in the midst of is edited, but for base chains, which are
// refilled, the marker, and one set that is looked into once, or parts of one, when nothing else is
// touched.
void expect_nothing_live_is_edited(const Ruleset& loaded, const Changes& changes) {
  const auto reached = nft::reachable(loaded);
  const auto names = edited(changes);
  std::set<std::string> in_place;
  for (const auto& set : reached.sets)
    if (names.contains(set)) in_place.insert(set);
  bool chains = false;
  for (const auto& name : reached.chains) {
    if (!names.contains(name)) continue;
    chains = true;
    EXPECT_TRUE(loaded.find_chain(name)->hook) << name << '\n' << nft::text(changes);
  }
  if (in_place.empty()) return;
  EXPECT_FALSE(chains) << nft::text(changes);
  const auto live = nft::live(loaded);
  const auto whole = [&](const std::string& name) {
    const auto* set = live.find_set(nft::plain_name(name));
    const auto part = nft::part(*set);
    return part ? part->whole : set->name;
  };
  for (const auto& name : in_place) {
    EXPECT_EQ(whole(name), whole(*in_place.begin())) << nft::text(changes);
    EXPECT_EQ(lookups(live, std::string(nft::plain_name(name))), 1) << nft::text(changes);
  }
}

class Loaded {
 public:
  std::optional<Ruleset> now() { return kernel_.read().value(); }

  // Plans for `target`, applies it, and holds what comes of it against what was promised.
  Plan load(const Ruleset& target, std::uint64_t version) {
    const auto before = now();
    Plan plan = nft::plan(before, target, version);
    if (before) expect_nothing_live_is_edited(*before, plan.changes);
    if (!plan.prepare.empty()) prepare(plan, before);
    apply(plan);
    EXPECT_EQ(nft::live(*now()), target) << nft::text(plan.changes);
    return plan;
  }

  // What is prepared leads nowhere: what packets meet stays as it was.
  void prepare(const Plan& plan, const std::optional<Ruleset>& before) {
    const auto reached = before ? nft::reachable(*before) : nft::References{};
    for (const auto& name : edited(plan.prepare)) {
      EXPECT_FALSE(reached.chains.contains(name)) << name;
      EXPECT_FALSE(reached.sets.contains(name)) << name;
    }
    const auto done = kernel_.apply(plan.prepare);
    ASSERT_TRUE(done) << done.error().error.message() << '\n' << nft::text(plan.prepare);
    EXPECT_EQ(*now(), plan.prepared);
    EXPECT_EQ(nft::live(plan.prepared), before ? nft::live(*before) : Ruleset{});
  }

  Plan collect() {
    const auto before = *now();
    Plan plan = nft::collect(before);
    expect_nothing_live_is_edited(before, plan.changes);
    apply(plan);
    EXPECT_EQ(nft::live(*now()), nft::live(before));
    return plan;
  }

 private:
  void apply(const Plan& plan) {
    const auto applied = kernel_.apply(plan.changes);
    EXPECT_TRUE(applied) << "change " << applied.error().refusals.at(0).index << " of\n"
                         << nft::text(plan.changes);
    EXPECT_EQ(*now(), plan.result) << nft::text(plan.changes);
  }

  FakeKernel kernel_;
};

TEST(Plan, FromNothing) {
  Loaded kernel;
  const auto target = wanted("rules: [allow 22/tcp]\n", "1");
  const Plan plan = kernel.load(target, 1);
  EXPECT_TRUE(std::holds_alternative<nft::AddTable>(plan.changes.front()));
  EXPECT_EQ(*kernel.now(), target) << "under plain names";
}

TEST(Plan, OfWhatIsThereSendsNothing) {
  Loaded kernel;
  const auto target = wanted("rules: [allow 22/tcp, \"deny from 10.0.0.1\"]\n", "1");
  kernel.load(target, 1);
  EXPECT_TRUE(nft::plan(kernel.now(), target, 2).changes.empty());
  kernel.load(wanted("rules: [\"deny from 10.0.0.1\"]\n", "2"), 2);
  kernel.load(target, 3);
  EXPECT_TRUE(nft::plan(kernel.now(), target, 4).changes.empty())
      << "under names of their own as well";
}

TEST(Plan, ASetThatWasNotReadIsReplaced) {
  FakeKernel kernel;
  const auto target = wanted("sets: {a: [10.0.0.1]}\nrules: [\"deny from @a\"]\n", "1");
  const auto load = [&](const Plan& plan) {
    return kernel.apply(plan.prepare) && kernel.apply(plan.changes);
  };
  ASSERT_TRUE(load(nft::plan(std::nullopt, target, 1)));
  auto there = **kernel.read();
  const auto set = std::ranges::find(there.sets, "a-ipv4", &nft::Set::name);
  ASSERT_NE(set, there.sets.end());
  set->unread = true;
  set->intervals = {};
  const auto plan = nft::plan(there, target, 2);
  ASSERT_TRUE(load(plan));
  EXPECT_EQ(nft::live(**kernel.read()), target);
  EXPECT_FALSE(edited(plan.prepare).contains("a-ipv4"));
}

TEST(Plan, OneMorePortIsOneElement) {
  Loaded kernel;
  kernel.load(wanted("rules: [allow 22/tcp]\n", "1"), 1);
  const Plan plan = kernel.load(wanted("rules: [allow 22/tcp, allow 80/tcp]\n", "2"), 2);
  ASSERT_EQ(plan.changes.size(), 3U) << nft::text(plan.changes);
  const auto* added = std::get_if<nft::AddElements>(&plan.changes[0]);
  ASSERT_NE(added, nullptr) << nft::text(plan.changes);
  EXPECT_EQ(nft::all_elements(added->set).size(), 1U);
  EXPECT_TRUE(std::holds_alternative<nft::DeleteChain>(plan.changes[1])) << "the marker";
  EXPECT_TRUE(std::holds_alternative<nft::AddChain>(plan.changes[2]));
}

TEST(Plan, ASetLookedIntoTwiceIsNotEditedInPlace) {
  const std::string rules = "rules: [\"allow proto tcp from @s\", \"deny proto udp from @s\"]\n";
  Loaded kernel;
  kernel.load(wanted("sets: {s: [10.0.0.1]}\n" + rules, "1"), 1);
  const Plan plan = kernel.load(wanted("sets: {s: [10.0.0.1, 10.0.0.3]}\n" + rules, "2"), 2);
  EXPECT_NE(kernel.now()->find_set("s-ipv4.2"), nullptr);
  EXPECT_EQ(nft::all_elements(*kernel.now()->find_set("s-ipv4")).size(), 1U)
      << "left as it was for packets under way";
}

TEST(Plan, AnElementThatEndsIsAddedInPlaceButNotTakenOut) {
  const auto with = [](const std::string& entries, const std::string& marker) {
    return wanted("sets: {s: [" + entries + "]}\nrules: [\"allow from @s\"]\n", marker);
  };
  const std::string one = "{address: 10.0.0.1, until: 2100-01-01T00:00:00Z}";
  Loaded kernel;
  kernel.load(with(one, "1"), 1);
  kernel.load(with(one + ", {address: 10.0.0.9, until: 2100-01-01T00:00:00Z}, 10.0.0.5", "2"), 2);
  EXPECT_EQ(nft::all_elements(*kernel.now()->find_set("s-ipv4")).size(), 3U) << "in place";
  kernel.load(with(one + ", {address: 10.0.0.9, until: 2100-01-01T00:00:00Z}", "3"), 3);
  EXPECT_EQ(nft::all_elements(*kernel.now()->find_set("s-ipv4")).size(), 2U)
      << "one that stays, in place";
  kernel.load(with(one, "4"), 4);
  EXPECT_NE(kernel.now()->find_set("s-ipv4.4"), nullptr) << "the kernel may have been faster";
  kernel.load(with("{address: 10.0.0.1, until: 2100-01-02T00:00:00Z}", "5"), 5);
  EXPECT_NE(kernel.now()->find_set("s-ipv4.5"), nullptr) << "another end";
}

TEST(Plan, InputAndForwardAreOneLookup) {
  Loaded kernel;
  const std::string rules = "rules: [allow 22/tcp, allow 53/udp, allow 5000/sctp]\n";
  kernel.load(wanted(rules, "1"), 1);
  const auto loaded = kernel.now();
  const auto* published = loaded->find_chain("published");
  ASSERT_NE(published, nullptr);
  EXPECT_EQ(std::count_if(published->rules.begin(), published->rules.end(),
                          [](const nft::Rule& rule) {
                            return nft::references(rule).sets.contains("incoming-ports");
                          }),
            3)
      << "one for each protocol, besides the one of the incoming chain";
  const Plan plan = kernel.load(wanted("rules: [allow 22/tcp, allow 53/udp]\n", "2"), 2);
  EXPECT_GT(plan.changes.size(), 3U) << "a protocol less is another chain";
  const Plan less = kernel.load(wanted("rules: [allow 22/tcp]\n", "3"), 3);
  ASSERT_EQ(std::count_if(less.changes.begin(), less.changes.end(),
                          [](const nft::Change& change) {
                            return std::holds_alternative<nft::DeleteElements>(change);
                          }),
            1)
      << nft::text(less.changes);
  EXPECT_EQ(std::count_if(less.changes.begin(), less.changes.end(),
                          [](const nft::Change& change) {
                            return std::holds_alternative<nft::AddRule>(change);
                          }),
            0)
      << nft::text(less.changes);
}

TEST(Plan, ASetLookedIntoOnceIs) {
  Loaded kernel;
  kernel.load(wanted("sets: {s: [10.0.0.1-10.0.0.5]}\nrules: [\"allow from @s\"]\n", "1"), 1);
  kernel.load(wanted("sets: {s: [10.0.0.1-10.0.0.4]}\nrules: [\"allow from @s\"]\n", "2"), 2);
  EXPECT_EQ(kernel.now()->sets.size(), wanted("rules: []\n", "3").sets.size() + 1)
      << "no second set";
}

TEST(Plan, TwoSetsThatDifferAreExchangedTogether) {
  Loaded kernel;
  const std::string rules = "rules: [\"allow from @a\", \"deny from @b\"]\n";
  kernel.load(wanted("sets: {a: [10.0.0.1], b: [10.0.0.2]}\n" + rules, "1"), 1);
  kernel.load(wanted("sets: {a: [10.0.0.2], b: [10.0.0.1]}\n" + rules, "2"), 2);
  EXPECT_EQ(nft::all_elements(*kernel.now()->find_set("a-ipv4")).size(), 1U);
  EXPECT_NE(kernel.now()->find_set("a-ipv4.2"), nullptr);
}

TEST(Plan, NamesNeverCollide) {
  Loaded kernel;
  for (int round = 0; round < 6; ++round)
    kernel.load(wanted(round % 2 == 0 ? "rules: [\"deny from 10.0.0.1\"]\n"
                                      : "rules: [\"deny from 10.0.0.2\"]\n",
                       std::to_string(round)),
                1);  // a caller that forgot to count
}

// Limits every source of packets to port 22, and lets the rest in.
Ruleset metered(std::uint32_t size, nft::VerdictKind rest) {
  const nft::Meter meter{nft::Field::ip_saddr, {}, "sources", {.rate = 12, .over = true}};
  const nft::Rule limited{.statements = {nft::Match{nft::Field::nfproto, false, "\2", {}}, meter,
                                         nft::Verdict{nft::VerdictKind::drop, {}}}};
  const nft::Rule others{.statements = {nft::Verdict{rest, {}}}};
  const nft::Rule jump{.statements = {nft::Verdict{nft::VerdictKind::jump, "incoming"}}};
  return {.sets = {{.name = "sources",
                    .key = {nft::Field::ip_saddr},
                    .timeout_seconds = 60,
                    .size = size}},
          .chains = {{.name = "incoming", .rules = {limited, others}},
                     {.name = "input", .hook = nft::Hook{}, .rules = {jump}}}};
}

TEST(Plan, ADynamicSetKeepsItsElementsUnlessItChangesItself) {
  Loaded kernel;
  kernel.load(metered(10, nft::VerdictKind::accept), 1);
  const Plan around = kernel.load(metered(10, nft::VerdictKind::drop), 2);
  EXPECT_TRUE(around.prepare.empty());
  EXPECT_NE(kernel.now()->find_chain("incoming.2"), nullptr);
  EXPECT_EQ(kernel.now()->sets.size(), 1U) << nft::text(around.changes);
  const Plan itself = kernel.load(metered(20, nft::VerdictKind::drop), 3);
  EXPECT_TRUE(itself.prepare.empty());
  EXPECT_NE(kernel.now()->find_set("sources.3"), nullptr) << nft::text(itself.changes);
  EXPECT_EQ(kernel.now()->find_set("sources")->size, 10U) << "for packets under way";
  kernel.collect();
  EXPECT_EQ(kernel.now()->sets.size(), 1U);
}

// What leads to something new is new itself, however long the way there.
TEST(Plan, ExchangesTheWholeWayThere) {
  const auto ruleset = [](nft::VerdictKind end) {
    const auto to = [](nft::Verdict verdict) {
      return std::vector{nft::Rule{.statements = {std::move(verdict)}}};
    };
    const auto jump = [](std::string chain) {
      return nft::Verdict{nft::VerdictKind::jump, std::move(chain)};
    };
    return Ruleset{.chains = {{.name = "a", .rules = to(jump("b"))},
                              {.name = "b", .rules = to(jump("c"))},
                              {.name = "c", .rules = to({end, {}})},
                              {.name = "input", .hook = nft::Hook{}, .rules = to(jump("a"))}}};
  };
  Loaded kernel;
  kernel.load(ruleset(nft::VerdictKind::accept), 1);
  kernel.load(ruleset(nft::VerdictKind::drop), 2);
  for (const std::string name : {"a.2", "b.2", "c.2"})
    EXPECT_NE(kernel.now()->find_chain(name), nullptr) << name;
}

TEST(Collect, LeavesWhatIsLive) {
  Loaded kernel;
  kernel.load(wanted("rules: [\"deny from 10.0.0.1\"]\n", "1"), 1);
  EXPECT_TRUE(nft::collect(*kernel.now()).changes.empty());
  kernel.load(wanted("rules: [\"deny from 10.0.0.2\"]\n", "2"), 2);
  EXPECT_NE(kernel.now()->find_chain("incoming"), nullptr) << "retired";
  kernel.collect();
  EXPECT_EQ(kernel.now()->find_chain("incoming"), nullptr);
  EXPECT_NE(kernel.now()->find_chain("incoming.2"), nullptr);
  EXPECT_TRUE(nft::collect(*kernel.now()).changes.empty());
}

TEST(PlainName, CutsTheVersion) {
  EXPECT_EQ(nft::plain_name("incoming.7"), "incoming");
  EXPECT_EQ(nft::plain_name("incoming"), "incoming");
  EXPECT_EQ(nft::plain_name("incoming-ports-2.17"), "incoming-ports-2");
}

void expect_exactly_live(const Ruleset& loaded) {
  const auto reached = nft::reachable(loaded);
  for (const auto& set : loaded.sets) EXPECT_TRUE(reached.sets.contains(set.name)) << set.name;
  for (const auto& chain : loaded.chains)
    EXPECT_TRUE(reached.chains.contains(chain.name) || chain.name == nft::marker_chain)
        << chain.name;
}

// Their elements are what packets were seen; a set of another name has none.
void expect_unchanged_dynamic_sets_to_stay(const Ruleset& before, const Ruleset& after) {
  const auto reached_before = nft::reachable(before).sets;
  const auto reached_after = nft::reachable(after).sets;
  const auto live_after = nft::live(after);
  for (const auto& old : before.sets) {
    const auto plain = nft::plain_name(old.name);
    const nft::Set* now = live_after.find_set(plain);
    if (!old.dynamic() || !reached_before.contains(old.name) || now == nullptr) continue;
    EXPECT_EQ(reached_after.contains(old.name), now->size == old.size) << old.name;
  }
}

// From any policy to any other, over and over on one kernel.
TEST(Plan, WalksFromAnyPolicyToAnyOther) {
  RandomPolicy random(50);
  for (int walk = 0; walk < rounds(15); ++walk) {
    Loaded kernel;
    for (std::uint64_t step = 1; step <= 12; ++step) {
      const auto target = wanted(load(random.policy(20)), std::to_string(step));
      kernel.load(target, random.one_in(3) ? 1 : step);
      ASSERT_TRUE(nft::plan(kernel.now(), target, step + 1).changes.empty());
      if (random.one_in(3)) {
        kernel.collect();
        expect_exactly_live(*kernel.now());
      }
      ASSERT_FALSE(HasFailure()) << "walk " << walk << " step " << step;
    }
  }
}

void add_entry(policy::AddressSet& set, RandomPolicy& random) {
  if (set.of_pairs())
    set.pairs.push_back(random.pair());
  else
    set.ranges.push_back({address("192.0.2.7"), address("192.0.2.9")});
}

void exchange_entries(policy::AddressSet& set, RandomPolicy& random) {
  if (set.of_pairs())
    set.pairs.back() = random.pair();
  else
    set.ranges = random.policy(0).sets[0].ranges;
}

// As policies change in life: one thing at a time.
TEST(Plan, WalksBySmallSteps) {
  RandomPolicy random(51);
  int in_place = 0;
  for (int walk = 0; walk < rounds(15); ++walk) {
    Loaded kernel;
    auto policy = random.policy(10);
    for (std::uint64_t step = 1; step <= 25; ++step) {
      const auto what = random.below(5);
      if (what == 0 && !policy.rules.empty())
        policy.rules.erase(policy.rules.begin() +
                           static_cast<std::ptrdiff_t>(random.below(policy.rules.size())));
      else if (what == 1)
        add_entry(policy.sets[random.below(policy.sets.size())], random);
      else if (what == 2)
        exchange_entries(policy.sets[random.below(policy.sets.size())], random);
      else if (what == 3)
        policy.defaults[random.below(3)] = random.policy(0).defaults[0];
      else
        policy.rules.insert(policy.rules.begin() +
                                static_cast<std::ptrdiff_t>(random.below(policy.rules.size() + 1)),
                            random.rule());
      const bool first = !kernel.now();
      const Plan plan = kernel.load(wanted(load(policy), std::to_string(step)), step);
      const bool adds = std::any_of(
          plan.changes.begin(), plan.changes.end(),
          [](const auto& change) { return std::holds_alternative<nft::AddRule>(change); });
      if (!first && !adds && !plan.changes.empty()) ++in_place;
      if (random.one_in(4)) expect_exactly_live(kernel.collect().result);
      ASSERT_FALSE(HasFailure()) << "walk " << walk << " step " << step;
    }
  }
  EXPECT_GT(in_place, 10) << "edits in place are hardly met";
}

// The kernel shows new intervals only after it has exchanged the rules that look into them.
TEST(Plan, NoRuleIsLoadedTogetherWithANewSetOfIntervalsItLooksInto) {
  Loaded kernel;
  kernel.load(wanted("rules:\n  - allow: 22/tcp\n", "1"), 1);
  const auto ranges = kernel.load(wanted("rules:\n  - allow: 1000-2000/udp\n", "2"), 2);
  ASSERT_FALSE(ranges.prepare.empty());
  for (const auto& change : ranges.changes)
    EXPECT_FALSE(std::holds_alternative<nft::AddSet>(change)) << nft::text(ranges.changes);
  const auto single = kernel.load(wanted("rules:\n  - allow: 22/tcp\n", "3"), 3);
  EXPECT_TRUE(single.prepare.empty()) << "sets without intervals need only one transaction";
}

TEST(Plan, RemovesBaseChainsOfOthersFromOurTable) {
  Loaded kernel;
  auto strange = wanted("rules: []\n", "1");
  strange.chains.push_back({.name = "strangers", .hook = nft::Hook{.priority = -10}});
  std::sort(strange.chains.begin(), strange.chains.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  kernel.load(strange, 1);
  kernel.load(wanted("rules: []\n", "2"), 2);
  const auto there = *kernel.now();
  const nft::Chain* strangers = there.find_chain("strangers");
  ASSERT_NE(strangers, nullptr);
  EXPECT_TRUE(nft::is_retired(*strangers));
  kernel.collect();
  EXPECT_EQ(kernel.now()->find_chain("strangers"), nullptr);
}

// What it takes from one list of addresses to another, each held in a set for each length.
std::string from_list_to_list(const std::string& before, const std::string& after,
                              const std::string& rules = "deny from @list") {
  const auto held = [&](const std::string& list, const std::string& generation) {
    return wanted(load("sets: {list: [" + list + "]}\nrules: [\"" + rules + "\"]\n"), generation,
                  1);
  };
  Loaded kernel;
  kernel.load(held(before, "one"), 1);
  auto changes = kernel.load(held(after, "two"), 2).changes;
  std::erase_if(changes, [](const nft::Change& change) {
    const auto* add = std::get_if<nft::AddChain>(&change);
    const auto* remove = std::get_if<nft::DeleteChain>(&change);
    return (add != nullptr && add->chain.name == nft::marker_chain) ||
           (remove != nullptr && remove->chain == nft::marker_chain);
  });
  return nft::text(changes);
}

TEST(Plan, EditsThePartsOfOneSetInPlace) {
  EXPECT_EQ(from_list_to_list("10.1.0.0/16, 10.2.0.0/16, 192.0.2.0/24, 192.0.9.0/24",
                              "10.1.0.0/16, 10.9.0.0/16, 192.0.2.0/24, 192.0.7.0/24"),
            "delete element inet fwctl list-ipv4/16 { 10.2.0.0 }\n"
            "add element inet fwctl list-ipv4/16 { 10.9.0.0 }\n"
            "delete element inet fwctl list-ipv4/24 { 192.0.9.0 }\n"
            "add element inet fwctl list-ipv4/24 { 192.0.7.0 }\n");
}

// A packet that looked for a prefix of 16 bits before it is there, and for one of 24 when it is
// gone, would find its address in neither.
TEST(Plan, WhereAnAddressMovesToAnotherPartBothAreNew) {
  for (const auto& [before, after] : {std::pair("10.1.0.0/16, 10.5.0.0/16, 192.0.2.0/24",
                                                "10.5.0.0/16, 10.9.0.0/16, 10.1.7.0/24"),
                                      std::pair("10.5.0.0/16, 10.9.0.0/16, 10.1.7.0/24",
                                                "10.1.0.0/16, 10.5.0.0/16, 192.0.2.0/24")}) {
    const auto changes = from_list_to_list(before, after);
    EXPECT_EQ(changes.find("delete element"), std::string::npos) << changes;
    EXPECT_NE(changes.find("add set inet fwctl list-ipv4/16.2"), std::string::npos) << changes;
    EXPECT_NE(changes.find("add set inet fwctl list-ipv4/24.2"), std::string::npos) << changes;
  }
}

TEST(Plan, PartsThatOnePacketLooksIntoTwiceAreNew) {
  const auto changes = from_list_to_list("10.1.0.0/16, 192.0.2.0/24", "10.2.0.0/16, 192.0.2.0/24",
                                         "deny from @list to @list");
  EXPECT_NE(changes.find("add set inet fwctl list-ipv4/16.2"), std::string::npos) << changes;
  EXPECT_EQ(changes.find("list-ipv4/24.2"), std::string::npos) << changes;
}

Ruleset with_base_chain(nft::Hook hook) {
  const nft::Rule rule{.statements = {nft::Verdict{nft::VerdictKind::drop, {}}}};
  return {.chains = {{.name = "one", .hook = hook, .rules = {rule}}}};
}

// Between the moment it has no rules and the moment it is off its hook, the policy judges.
TEST(Plan, NoBaseChainIsEmptiedWhoseDropPolicyWouldJudge) {
  Loaded kernel;
  kernel.load(with_base_chain({.priority = 7, .policy_drop = true}), 1);
  const Plan away = kernel.load({}, 2);
  ASSERT_EQ(away.changes.size(), 3U) << nft::text(away.changes);
  EXPECT_TRUE(std::holds_alternative<nft::AddRule>(away.changes[2])) << "accepts everything";
  kernel.collect();
  EXPECT_TRUE(kernel.now()->chains.empty());
}

TEST(Plan, ABaseChainWhosePolicyAcceptsGoesAtOnce) {
  Loaded kernel;
  kernel.load(with_base_chain({.policy_drop = false, .type = nft::ChainType::nat}), 1);
  kernel.load({}, 2);
  EXPECT_TRUE(kernel.now()->chains.empty());
}

TEST(Plan, ABaseChainThatIsNotWhereItIsWantedComesUnderANewName) {
  for (const bool drop : {false, true}) {
    Loaded kernel;
    const nft::Hook here{.priority = 7, .policy_drop = drop};
    kernel.load(with_base_chain(here), 1);
    kernel.load(with_base_chain({.priority = 8, .policy_drop = drop}), 2);
    EXPECT_NE(kernel.now()->find_chain("one.2"), nullptr);
    kernel.load(with_base_chain(here), 3);
    kernel.load(with_base_chain({.point = nft::HookPoint::output, .policy_drop = drop}), 4);
    kernel.collect();
    expect_exactly_live(*kernel.now());
  }
}

// Base chains of both types at places that change, chains that lead to each other, and sets of
// every kind; whatever nothing leads to is left out.
class RandomRuleset {
 public:
  explicit RandomRuleset(std::uint64_t seed) : random_(seed) {}

  Ruleset next() {
    Ruleset ruleset;
    for (const std::string name : {"dynamic-1", "dynamic-2", "list", "ranges"})
      ruleset.sets.push_back(set(name));
    for (const std::string name : {"a", "b", "c"})
      ruleset.chains.push_back({.name = name, .rules = rules(name)});
    for (const std::string name : {"filter-1", "filter-2", "nat-1", "nat-2"})
      if (!random_.one_in(3)) ruleset.chains.push_back(base_chain(name));
    ruleset.chains.push_back(
        {.name = std::string(nft::marker_chain), .comment = std::to_string(random_.below(1000))});
    std::sort(ruleset.chains.begin(), ruleset.chains.end(),
              [](const auto& a, const auto& b) { return a.name < b.name; });
    return nft::live(ruleset);
  }

 private:
  nft::Set set(const std::string& name) {
    nft::Set set{.name = name, .key = {nft::Field::ip_saddr}};
    if (name.starts_with("dynamic")) {
      set.timeout_seconds = 60;
      set.size = static_cast<std::uint32_t>(random_.below(3)) + 1;
      return set;
    }
    set.interval = name == "ranges";
    for (char last = 1; last <= 3; ++last) {
      if (random_.one_in(2)) continue;
      nft::Element element{.key = {10, 0, last, 0}};
      if (set.interval) element.key_end = {10, 0, last, 9};
      set.elements.push_back(std::move(element));
    }
    nft::pack(set);
    return set;
  }

  nft::Chain base_chain(const std::string& name) {
    const bool nat = name.starts_with("nat");
    const auto point = random_.one_in(4) ? nft::HookPoint::output : nft::HookPoint::prerouting;
    return {.name = name,
            .hook = nft::Hook{.point = point,
                              .priority = random_.one_in(4) ? 7 : 0,
                              .policy_drop = !nat && random_.one_in(2),
                              .type = nat ? nft::ChainType::nat : nft::ChainType::filter},
            .rules = rules({})};
  }

  // Jumps to chains whose names come later.
  std::vector<nft::Rule> rules(const std::string& from) {
    std::vector<nft::Rule> rules;
    for (auto left = random_.below(4); left > 0; --left) {
      nft::Rule rule;
      if (random_.one_in(3))
        rule.statements.emplace_back(
            nft::SetLookup{{nft::Field::ip_saddr}, pick({"list", "ranges"})});
      if (random_.one_in(3))
        rule.statements.emplace_back(
            nft::Meter{nft::Field::ip_saddr, {}, pick({"dynamic-1", "dynamic-2"}), {.rate = 1}});
      const std::string to = pick({"a", "b", "c"});
      if (to > from)
        rule.statements.emplace_back(nft::Verdict{nft::VerdictKind::jump, to});
      else
        rule.statements.emplace_back(nft::Verdict{nft::VerdictKind::accept, {}});
      rules.push_back(std::move(rule));
    }
    return rules;
  }

  std::string pick(const std::vector<std::string>& from) {
    return from[random_.below(from.size())];
  }

  RandomPolicy random_;
};

TEST(Plan, WalksFromAnyRulesetToAnyOther) {
  RandomRuleset random(52);
  RandomPolicy when(53);
  for (int walk = 0; walk < rounds(100); ++walk) {
    Loaded kernel;
    for (std::uint64_t step = 1; step <= 10; ++step) {
      const auto before = kernel.now();
      const auto target = random.next();
      kernel.load(target, step);
      ASSERT_TRUE(nft::plan(kernel.now(), target, step + 1).changes.empty());
      if (before) expect_unchanged_dynamic_sets_to_stay(*before, *kernel.now());
      if (when.one_in(3)) {
        kernel.collect();
        expect_exactly_live(*kernel.now());
      }
      ASSERT_FALSE(HasFailure()) << "walk " << walk << " step " << step;
    }
  }
}

}  // namespace
}  // namespace fwctl::testing
