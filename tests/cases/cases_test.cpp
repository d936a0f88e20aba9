// Each folder beside this file is a case. It has policy.yaml and, where it needs them, rules.yaml,
// policy.d/*.yaml, services.d/*.yaml, sets/* and applications.d/*; and what must come of them:
//   errors       all that is said of a policy that is refused, or
//   ruleset.nft  the ruleset of one that is not, as nft text, and
//   warnings     what is said of it nevertheless, if anything
// With FWCTL_ACCEPT=1 in the environment these are written instead of compared, and the run fails.
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "daemon/clock.h"
#include "rules/compile/compile.h"
#include "rules/nft/text.h"
#include "rules/policy/profiles.h"
#include "tests/kernel/listing.h"

namespace fwctl::testing {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view etc_services =
    "ssh 22/tcp\nsmtp 25/tcp mail\ndomain 53/tcp\ndomain 53/udp\nhttp 80/tcp www\nntp 123/udp\n"
    "https 443/tcp\nhttps 443/udp\n";

std::string read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

struct Case {
  std::string name;

  fs::path folder() const { return fs::path(FWCTL_CASES) / name; }
  std::string golden(const std::string& file) const { return read(folder() / file); }
};

// For the messages of googletest.
void PrintTo(const Case& one, std::ostream* out) {
  *out << one.name;
}

std::vector<Case> cases(const std::string& with) {
  std::vector<Case> found;
  for (const auto& entry : fs::directory_iterator(FWCTL_CASES))
    if (entry.is_directory() && fs::exists(entry.path() / with))
      found.push_back({entry.path().filename()});
  std::ranges::sort(found, {}, &Case::name);
  return found;
}

std::vector<Source> files(const Case& one, const std::string& folder) {
  std::vector<Source> found;
  if (fs::exists(one.folder() / folder))
    for (const auto& entry : fs::directory_iterator(one.folder() / folder)) {
      const std::string name = folder + "/" + entry.path().filename().string();
      found.push_back({.name = name, .text = one.golden(name)});
    }
  std::ranges::sort(found, {}, &Source::name);
  return found;
}

policy::Sources sources(const Case& one) {
  policy::Sources all;
  all.managed = files(one, "policy.d");
  all.managed.insert(all.managed.begin(),
                     {.name = "policy.yaml", .text = one.golden("policy.yaml")});
  all.definitions = files(one, "services.d");
  all.set_files = files(one, "sets");
  all.added.text = one.golden("rules.yaml");
  all.surroundings = policy::parse_surroundings(one.golden("surroundings")).value();
  return all;
}

struct Outcome {
  std::optional<nft::Ruleset> ruleset;
  std::string said;

  std::string file(const std::string& name) const {
    if (name == "ruleset.nft") return ruleset ? nft::text(*ruleset) : std::string();
    return (name == "warnings") == ruleset.has_value() ? said : std::string();
  }
};

Outcome outcome(const Case& one) {
  Diagnostics diagnostics;
  policy::ServiceTable services(etc_services, policy::parse_profiles(files(one, "applications.d"),
                                                                     etc_services, diagnostics));
  const auto policy = policy::load(sources(one), std::move(services), diagnostics);
  Outcome result{.ruleset = {}, .said = render(diagnostics)};
  if (policy) result.ruleset = compile::compile(*policy);
  return result;
}

void accept(const Case& one, const std::string& file, const std::string& text) {
  if (text.empty())
    fs::remove(one.folder() / file);
  else
    std::ofstream(one.folder() / file, std::ios::binary) << text;
}

std::string test_name(const ::testing::TestParamInfo<Case>& info) {
  std::string name = info.param.name;
  std::ranges::replace(name, '-', '_');
  return name;
}

class Policies : public ::testing::TestWithParam<Case> {};

TEST_P(Policies, BecomeWhatTheirFolderSays) {
  const auto found = outcome(GetParam());
  const bool accepting = std::getenv("FWCTL_ACCEPT") != nullptr;  // NOLINT(concurrency-mt-unsafe)
  for (const std::string file : {"errors", "ruleset.nft", "warnings"}) {
    if (accepting)
      accept(GetParam(), file, found.file(file));
    else
      EXPECT_EQ(found.file(file), GetParam().golden(file)) << file;
  }
  if (accepting) FAIL() << "accepted, run again";
}

INSTANTIATE_TEST_SUITE_P(Cases, Policies, ::testing::ValuesIn(cases("policy.yaml")), test_name);

class Rulesets : public ::testing::TestWithParam<Case> {};

TEST_P(Rulesets, AreToTheKernelWhatTheirTextIsToNft) {
  const auto found = outcome(GetParam());
  ASSERT_TRUE(found.ruleset) << found.said;
  const auto ours = list_sent(*found.ruleset);
  ASSERT_EQ(ours.error, "");
  // The golden text, and how long is left for what ends.
  const auto witness = list_loaded(nft::text(*found.ruleset, now()));
  ASSERT_EQ(witness.error, "");
  EXPECT_EQ(without_clocks(ours.text), without_clocks(witness.text));
}

INSTANTIATE_TEST_SUITE_P(Cases, Rulesets, ::testing::ValuesIn(cases("ruleset.nft")), test_name);

// What stands between fences in the manual, each with the word behind the opening fence.
std::vector<std::string> blocks_of_the_manual() {
  const auto manual = read(fs::path(FWCTL_DOCS) / "policy.md");
  std::vector<std::string> blocks;
  std::size_t begin = 0;
  for (int count = 0; (begin = manual.find("```", begin)) != std::string::npos; ++count) {
    begin += 3;
    if (count % 2 == 0) blocks.push_back(manual.substr(begin, manual.find("```", begin) - begin));
  }
  return blocks;
}

TEST(Docs, TheWholeFileIsACase) {
  EXPECT_EQ(blocks_of_the_manual().at(0), "yaml\n" + Case{"whole-file"}.golden("policy.yaml"));
}

TEST(Docs, RefusalsAreSaidAsShown) {
  const auto blocks = blocks_of_the_manual();
  const auto shown = std::ranges::find_if(blocks, [](const std::string& block) {
    return block.starts_with("yaml\n") && block.find("alow") != std::string::npos;
  });
  ASSERT_NE(shown, blocks.end());
  ASSERT_NE(std::next(shown), blocks.end());
  const std::string& said = *std::next(shown);
  Diagnostics diagnostics;
  const Source file{.name = "/etc/fwctl/policy.d/60-example.yaml", .text = shown->substr(5)};
  EXPECT_FALSE(policy::load({.managed = {file}}, etc_services, diagnostics));
  EXPECT_TRUE(said.starts_with("\n" + render(diagnostics))) << render(diagnostics);
}

}  // namespace
}  // namespace fwctl::testing
