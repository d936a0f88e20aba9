// Table inet fwctl as it was left in the kernel, and how it is brought to what is wanted. Knows
// rulesets, and nothing of the policies and generations they come from.
//
// Bans are there besides, whatever is wanted: nft::Ruleset `bans_` has their chains and sets, and
// no plan for the rest sees them. Their elements are not remembered here and never read: where
// anybody else may have touched them they are all sent again, which takes less long than to compare
// them.
//
// Where the kernel keeps others out of a table (nft::AddTable::owned), the table is made so, and
// one that an earlier process left so is claimed, as it is. Else another program may change it at
// any time. So what is known of it is true as of the kernel's last revision that was looked at;
// what would be sent starts from what is really there.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <variant>
#include <vector>

#include "daemon/kernel.h"
#include "daemon/result.h"
#include "rules/moment.h"
#include "rules/nft/plan.h"

namespace fwctl {

// An element of a set ends in the kernel by a clock of its own: so much before and after, it may be
// there or not.
constexpr auto around_an_end = std::chrono::seconds(2);

// How other programs are kept from changing the table for good.
enum class Protection : std::uint8_t {
  kernel,    // takes no change of theirs, where it can do that
  watching,  // what they change is noticed and put back
};

struct Hits {
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
};

// A transaction that the kernel did not take. `error.refusals` count in `changes`.
struct RefusedChanges {
  TransactionError error;
  nft::Changes changes;
};
// Error: the kernel could not be asked what there is.
using TableFailure = std::variant<Error, RefusedChanges>;

class Table {
 public:
  // `kernel` must outlive it. Nothing is known before take_over(). `banned`: all bans there are, as
  // objects with plain names, elements included; asked whenever these have to be sent.
  Table(Kernel& kernel, Protection wanted, std::function<nft::Ruleset()> banned)
      : kernel_(kernel),
        owning_(wanted == Protection::kernel && kernel.can_own()),
        banned_(std::move(banned)) {}

  // Begins with what is there, whoever left it. An error where another program owns it.
  Result<void> take_over();
  // Something is in the kernel, ours or not.
  bool exists() const { return loaded_.has_value() || foreign_; }

  // As it was left, retired objects included, traces and bans not; nullopt when there is none.
  const std::optional<nft::Ruleset>& loaded() const { return loaded_; }
  // Another program changed it, and it is not yet restored.
  bool drifted() const { return drifted_; }

  // What was found to be changed last.
  struct Drift {
    std::string who;                // "nft (process 4711)"; empty: not known
    std::vector<std::string> what;  // "chain input was changed"
  };
  const Drift& drift() const { return drift_; }

  // A table that is made from now on is kept from others by the kernel.
  bool owning() const { return owning_; }

  // Kernel::notices()
  int notices() const { return kernel_.notices(); }
  // Finds out whether another program has changed it.
  Result<void> look_again();
  // The same, and also what another one did at the very moment of a change of our own. To be called
  // when there is something to read from notices(), and reads it.
  Result<void> follow_notices();
  // Whether the kernel has, as of now, what loaded() says, and as it was left.
  bool is_known();

  // What the kernel says now.
  struct Look {
    std::map<std::string, Hits> hits;      // by the comment of rule or element
    bool drifted = false;                  // it is not as it was left
    std::optional<Protection> protection;  // that is in force; nullopt: there is no table
  };
  Result<Look> look();

  // Brings it to `wanted`, with all bans; nullopt: it goes. `version`, higher with each call, tells
  // new objects from those they replace. No packet is judged by anything but what was there or what
  // is wanted. True: that put right what another program had changed.
  tl::expected<bool, TableFailure> load(const std::optional<nft::Ruleset>& wanted,
                                        std::uint64_t version);
  // load() in steps: begin_load() changes nothing, prepare() nothing that packets meet,
  // finish_load() is the commit point. Between them there may be nothing but look_again() and
  // take_back().
  class Loading {
   public:
    // There is so much to load that it goes into the kernel beside the rules in force.
    bool in_two_steps() const { return !plan_.prepare.empty(); }

   private:
    friend Table;
    const std::optional<nft::Ruleset>* wanted_ = nullptr;
    std::uint64_t version_ = 0;
    nft::Plan plan_;
    nft::Plan bans_;
  };
  // `wanted` must outlive what is returned.
  tl::expected<Loading, TableFailure> begin_load(const std::optional<nft::Ruleset>& wanted,
                                                 std::uint64_t version);
  tl::expected<void, TableFailure> prepare(Loading& loading);
  // Also without prepare(). True: as of load().
  tl::expected<bool, TableFailure> finish_load(Loading loading);
  // Removes what was loaded beside the rules in force and now will not be used, if anything.
  void take_back();

  // Whether the kernel would take it, as far as it can be told without loading anything.
  tl::expected<void, TableFailure> check(const std::optional<nft::Ruleset>& wanted,
                                         std::uint64_t version);
  // Elements more or others in sets that are there, and another marker. To be called only when
  // is_known().
  tl::expected<void, TableFailure> edit(const nft::Changes& changes);
  // Some bans less, then some more: `gone` and `come` are their sets, with plain names and just
  // these elements. `objects`: chains and sets of all bans, without elements. To be called only
  // when the table exists. What was refused changed nothing; then the kernel may have other
  // elements than those that were to go.
  tl::expected<void, TableFailure> edit_bans(const nft::Ruleset& objects,
                                             const std::vector<nft::Set>& gone,
                                             const std::vector<nft::Set>& come);
  // All bans there are, whatever the kernel has of them. As edit_bans().
  tl::expected<void, TableFailure> load_bans();

  // There may be something for collect() to remove.
  bool collectable() const { return loaded_ && uncollected_; }
  // Removes what load() left behind for packets then under way. Errors are harmless and it may be
  // tried again.
  Result<void> collect();

  // A trace is a base chain of its own that judges nothing: load() leaves it where it is, and it is
  // no change of the table by another program. It lasts until end_trace(), until the table goes or
  // somebody else touches the chain, or until the next take_over(). One that is refused is refused
  // whole.
  tl::expected<void, TableFailure> begin_trace(const nft::Chain& chain);
  void end_trace(const std::string& name);
  bool tracing(const std::string& name) const;

 private:
  // Nobody else may change what an earlier process left to be claimed.
  Result<void> claim();
  tl::expected<bool, TableFailure> commit(Loading loading);
  nft::Plan plan_for(const std::optional<nft::Ruleset>& wanted, std::uint64_t version) const;
  Result<void> compare_at(std::uint32_t revision);
  // What brings all bans, where `there` has the chains and sets that hold some now.
  nft::Plan plan_bans(const nft::Ruleset& there) const;
  tl::expected<void, TableFailure> apply_bans(nft::Plan plan);
  // What the kernel holds besides our traces, and bans, which it puts into bans_; forgets traces
  // that are not there as they were made.
  Result<std::optional<nft::Ruleset>> read();
  // Takes out of loaded_ what the kernel has taken out by itself.
  void forget_ended();
  // Whether that is what is loaded, but for what ends about now.
  bool is_loaded(const std::optional<nft::Ruleset>& seen) const;
  // What the kernel has now is what this object says.
  void note_revision();

  Kernel& kernel_;
  bool owning_;  // a table that we make
  std::function<nft::Ruleset()> banned_;
  std::optional<nft::Ruleset> loaded_;
  nft::Ruleset bans_;        // chains and sets that hold bans, retired ones included
  bool bans_known_ = false;  // nobody else has touched what is in these
  bool foreign_ = false;     // what is in the kernel could not be read as ours
  bool uncollected_ = true;  // what an earlier change retired may still be there
  bool prepared_ = false;    // something is loaded beside the rules in force, not used yet
  bool drifted_ = false;
  Drift drift_;
  std::uint32_t revision_ = 0;      // of the kernel when loaded_ was last known to be true
  std::vector<nft::Chain> traces_;  // in the kernel besides loaded_
};

}  // namespace fwctl
