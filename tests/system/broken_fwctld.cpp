// fwctld with a fault on its way to the kernel, so that tests can show that they would see it. The
// rest of the daemon is the real one, and so is the kernel. The fault is the content of the file
// that FWCTL_FAULT names, read at each transaction:
//
//     refuse ID          the kernel gets the objects of that rule with a jump to a chain that does
//                        not exist, and refuses them
//     whole              every transaction replaces the whole table
//     whole no-final     so it does, and leaves out the rules at the end that drop what no other
//                        rule decided: that is left to the base chain's policy
#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <sstream>

#include "daemon/netlink/kernel.h"
#include "daemon/options.h"
#include "daemon/serve.h"
#include "rules/nft/plan.h"
#include "tests/kernel/fake_kernel.h"

namespace fwctl {
namespace {

const nft::Verdict nowhere{nft::VerdictKind::jump, "nowhere"};

nft::Changes spoil(nft::Changes changes, const std::string& id) {
  for (auto& change : changes) {
    if (auto* add = std::get_if<nft::AddRule>(&change); add != nullptr && add->rule.comment == id)
      add->rule.statements.back() = nowhere;
    if (auto* add = std::get_if<nft::AddElements>(&change))
      for (auto& element : add->set.elements)
        if (element.comment == id) element.verdict = nowhere;
  }
  return changes;
}

// The last rule of a chain, where it drops what came that far.
bool is_final_drop(const nft::Rule& rule) {
  return std::ranges::all_of(rule.statements, [](const nft::Statement& statement) {
    return std::holds_alternative<nft::Counter>(statement) ||
           statement == nft::Statement(nft::Verdict{nft::VerdictKind::drop, {}});
  });
}

void leave_out_final_rules(nft::Ruleset& ruleset) {
  for (auto& chain : ruleset.chains) std::erase_if(chain.rules, is_final_drop);
}

class BrokenKernel final : public Kernel {
 public:
  BrokenKernel(Kernel& real, std::string fault_file)
      : real_(real), fault_file_(std::move(fault_file)) {}

  // While tables are replaced whole, the daemon is shown the table it thinks it made.
  Result<std::optional<nft::Ruleset>> read() override {
    return pretends_ ? pretended_.read() : real_.read();
  }
  Result<std::optional<nft::Ruleset>> read_hits() override {
    return pretends_ ? pretended_.read_hits() : real_.read_hits();
  }
  bool can_own() const override { return real_.can_own(); }
  Result<Owner> owner() override { return real_.owner(); }
  bool touched(std::uint32_t until) override {
    return pretends_ ? pretended_.touched(until) : real_.touched(until);
  }
  std::string toucher() const override { return real_.toucher(); }
  int notices() const override { return -1; }  // of the table that it is not shown
  Result<std::uint32_t> revision() override {
    return pretends_ ? pretended_.revision() : real_.revision();
  }
  tl::expected<void, TransactionError> check(const nft::Changes& changes) override {
    return real_.check(changes);
  }
  tl::expected<void, TransactionError> apply(const nft::Changes& changes) override {
    std::istringstream fault(read_fault());
    std::string what;
    std::string detail;
    fault >> what >> detail;
    if (what == "refuse") return real_.apply(spoil(changes, detail));
    if (what == "whole") return replace_whole(changes, detail == "no-final");
    return real_.apply(changes);
  }

 private:
  std::string read_fault() const {
    std::ifstream file(fault_file_);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  tl::expected<void, TransactionError> replace_whole(const nft::Changes& changes, bool no_final) {
    pretends_ = true;
    if (auto done = pretended_.apply(changes); !done) return done;
    const auto result = pretended_.read().value();
    nft::Changes whole{nft::AddTable{}, nft::DeleteTable{}};
    if (result) {
      nft::Ruleset wanted = nft::live(*result);
      if (no_final) leave_out_final_rules(wanted);
      const auto plan = nft::plan(std::nullopt, wanted, 1);
      for (const auto* part : {&plan.prepare, &plan.changes})
        whole.insert(whole.end(), part->begin(), part->end());
    }
    return real_.apply(whole);
  }

  Kernel& real_;
  std::string fault_file_;
  bool pretends_ = false;
  testing::FakeKernel pretended_;
};

Result<void> serve_broken(const Options& options) {
  const char* fault_file = std::getenv("FWCTL_FAULT");
  auto kernel = open_kernel();
  if (!kernel) return tl::unexpected(kernel.error());
  BrokenKernel broken(**kernel, fault_file == nullptr ? "" : fault_file);
  return serve(options, broken);
}

}  // namespace
}  // namespace fwctl

int main(int argc, char** argv) {
  const auto served = fwctl::serve_broken(fwctl::parse_options(argc, argv));
  if (served) return EXIT_SUCCESS;
  std::cerr << served.error().message() << "\n";
  return EXIT_FAILURE;
}
