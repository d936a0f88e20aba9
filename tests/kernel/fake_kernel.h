// A kernel in memory. It keeps the references between chains, sets and rules as the real one does
// and refuses with the same errno; the contract test holds it to that. It does not look for loops
// of jumps, nor at what hook a statement may be used.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/kernel.h"

namespace fwctl::testing {

class FakeKernel final : public Kernel {
 public:
  FakeKernel() : FakeKernel(std::make_shared<Machine>()) {}
  ~FakeKernel() override;

  // Another program's way to the same table.
  std::unique_ptr<FakeKernel> another() const {
    return std::unique_ptr<FakeKernel>(new FakeKernel(machine_));
  }
  // As kernels before 6.9.
  static std::unique_ptr<FakeKernel> that_cannot_own();

  bool can_own() const override { return machine_->can_own; }
  Result<Owner> owner() override;
  Result<std::optional<nft::Ruleset>> read() override;
  Result<std::optional<nft::Ruleset>> read_hits() override;
  Result<std::uint32_t> revision() override { return machine_->revision; }
  bool touched(std::uint32_t /*until*/) override { return touched_; }
  std::string toucher() const override { return toucher_; }
  int notices() const override { return -1; }
  tl::expected<void, TransactionError> check(const nft::Changes& changes) override;
  tl::expected<void, TransactionError> apply(const nft::Changes& changes) override;

  // The next transaction, checked or applied, also refuses that change. May be called several
  // times.
  void refuse_next(std::size_t change, int code);
  // Refuses that one of all the changes that are sent from now on, in whatever transaction.
  void refuse_change(std::size_t number, int code) { refuse_change_ = {number, code}; }
  // Whether it has come to that change.
  bool has_refused() const { return !refuse_change_; }
  // The next transaction fails as a whole, with nothing said of single changes.
  // With `times`, those behind it too.
  void fail_next(int code, int times = 1);
  // As fail_next, after that many transactions that are not failed.
  void fail_after(int transactions, int code);
  void fail_next_read(int code);

  // What others change is not in this table from now on.
  void keep_to_ourselves() { touched_ = false; }
  void name_toucher(const std::string& who) { toucher_ = who; }
  // How often read() was called.
  int readings() const { return readings_; }

  // What is in a set, also where read() leaves it out.
  std::vector<nft::Element> elements(const std::string& set) const;
  // As the kernel does with an element that ends: nobody is told.
  void take_out(const std::string& set, const nft::Bytes& key);

  // What apply() was given and took, in order.
  const std::vector<nft::Changes>& applied() const { return applied_; }

 private:
  struct StoredSet {
    nft::Set definition;  // without elements
    std::map<nft::Bytes, nft::Element> elements;
  };
  struct Table {
    std::map<std::string, nft::Chain> chains;
    std::map<std::string, StoredSet> sets;
    bool persists = false;
    const FakeKernel* owner = nullptr;
  };
  class Transaction;

  using State = std::optional<Table>;

  // What all programs share.
  struct Machine {
    State table;
    std::uint32_t revision = 1;
    bool can_own = true;
  };

  explicit FakeKernel(std::shared_ptr<Machine> machine) : machine_(std::move(machine)) {}

  // What the table would be afterwards.
  tl::expected<State, TransactionError> outcome(const nft::Changes& changes);

  std::shared_ptr<Machine> machine_;
  std::vector<Refusal> refuse_;
  std::optional<Refusal> refuse_change_;
  int fail_ = 0;
  int failures_ = 0;  // left, once it has come to these
  int succeed_before_ = 0;
  int fail_read_ = 0;
  std::vector<nft::Changes> applied_;
  bool touched_ = true;
  std::string toucher_;
  int readings_ = 0;
};

}  // namespace fwctl::testing
