// The one state machine: what policy is in force, and every way it changes.
//
// A change is a transaction. In this order: a new policy is made, checked, compiled and compared
// with what is loaded (nothing is touched); the files that change are written beside the old ones
// and the new generation is stored, synced; one netlink batch is the commit point; the files take
// their places; only then is this object's own state exchanged. What fails before the commit point
// leaves everything as it was; what fails behind it is taken back.
//
// firewall.cpp has the transaction; firewall_changes.cpp what may be asked for; firewall_growth.cpp
// the short way for one rule more; firewall_bans.cpp who is banned, which is no part of a policy
// and of no generation; firewall_guard.cpp who must not be shut out; firewall_history.cpp the ways
// back; firewall_start.cpp the start; firewall_state.cpp what is looked at.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "daemon/accounts.h"
#include "daemon/ban_file.h"
#include "daemon/bans.h"
#include "daemon/config.h"
#include "daemon/enabled_file.h"
#include "daemon/failure.h"
#include "daemon/forwarding.h"
#include "daemon/instant.h"
#include "daemon/kernel.h"
#include "daemon/lockout.h"
#include "daemon/result.h"
#include "daemon/staged_files.h"
#include "daemon/store.h"
#include "daemon/table.h"
#include "rules/policy/ban.h"
#include "rules/policy/check.h"
#include "rules/policy/edit.h"
#include "rules/policy/edit_set.h"
#include "rules/policy/unit.h"

namespace fwctl {

struct Outcome {
  bool changed = false;
  std::uint64_t generation = 0;
  bool enabled = false;
  std::vector<std::string> notes;
  std::vector<std::string> difference;
  Diagnostics warnings;
  bool panic = false;                           // nothing passes, see set_panic()
  std::optional<std::chrono::seconds> confirm;  // what changed goes again unless it is confirmed
};
using Change = tl::expected<Outcome, Failure>;

// How a change is asked for.
struct Request {
  std::string reason;    // kept with the generation: "allow 22/tcp"
  bool dry_run = false;  // do everything but change anything; the kernel checks the batch
  Time now;              // when it came: temporary rules last from then on
  bool refresh = false;  // nobody asked for another policy: only what names mean may change
  Author by;             // kept with the generation
  // The change goes on trial: unless confirm() is called within that time, it is undone.
  std::optional<std::chrono::seconds> confirm;
  // Over which connections the caller may sit here. He could come back by them, or the change is
  // refused; not with `confirm`, and not when he says so.
  std::vector<TcpConnection> callers;
  bool allow_lockout = false;
  // What the change is to a generation that is on trial: by default it is refused.
  enum class Trial { in_the_way, goes_on, ends } trial = Trial::in_the_way;
};

constexpr auto longest_trial = std::chrono::hours(24);

class Firewall {
 public:
  struct Places {
    std::filesystem::path config;
    std::filesystem::path state;
    ServicePlaces services = ServicePlaces::beside(config);
    // What names of users and groups, ... mean on this host now.
    std::function<policy::Surroundings(const policy::Names&)> surroundings = find_accounts;
    // Where units of systemd run now; by default none does.
    std::function<policy::Units(const policy::UnitNames&)> units = [](const policy::UnitNames&) {
      return policy::Units();
    };
    // Whether the kernel passes packets on; by default nobody asks, and it does.
    std::function<Result<Forwarding>()> forwarding = [] {
      return Forwarding{.ipv4 = true, .ipv6 = true, .interfaces = {}};
    };
    // On which interface packets of a connection come in; empty: not known, as for nobody who asks.
    std::function<std::string(const TcpConnection&)> interface_of = [](const TcpConnection&) {
      return std::string();
    };
    std::function<Instant()> clock = this_instant;
    // This host's own, of all interfaces; by default there is none.
    std::function<Result<std::vector<Address>>()> own_addresses = [] {
      return std::vector<Address>();
    };
    // Of our table from other programs.
    Protection protection = Protection::kernel;
  };

  // `kernel` must outlive it. Nothing is done before start().
  Firewall(Places places, Kernel& kernel);
  Firewall(const Firewall&) = delete;
  Firewall& operator=(const Firewall&) = delete;
  ~Firewall();

  // Puts the newest generation that loads in force, or a minimal built-in policy when none does;
  // finishes or undoes a change that was cut short. What was not as it should be is in problems().
  // An error means that the kernel could not be asked or refused even the minimal policy; what it
  // held before is then still in force.
  Result<void> start();

  // `words` is a rule, or a forward or masquerade, as typed. `place` is of rules only.
  Change add(const std::vector<std::string>& words, policy::Place place, const Request& request);
  Change remove(const std::vector<std::string>& selection, const Request& request);
  // Takes the rules and the entries of sets that fwctl added and that have ended by `request.now`
  // out of rules.yaml. The kernel has kept to their end by itself.
  Change remove_ended(const Request& request);
  // When to do so next; nullopt: none of these ends. For entries of sets that is a moment after
  // their end, when the kernel has certainly taken them out.
  std::optional<Time> next_end() const;
  Change set_default(policy::Traffic traffic, policy::Verdict verdict, const Request& request);
  Change set_logging(policy::Logging level, const Request& request);
  // `words` as typed: addresses, and maybe when they end; none for SetAction::destroy.
  Change edit_set(policy::SetAction action, const std::string& name,
                  const std::vector<std::string>& words, const Request& request);
  Change enable(const Request& request);
  Change disable(const Request& request);
  // On: nothing passes but on loopback and over the connections of the caller, until it is off
  // again, also after a reboot. The policy may be changed meanwhile, which then makes no
  // difference.
  Change set_panic(bool on, const Request& request);
  Change reload(const Request& request);
  // What the service `name`, or with an empty name every service, means on the host now is put in
  // force; the policy's files are not read.
  Change update_services(const std::string& name, const Request& request);
  // What names in the policy mean may have changed: brings the same policy in force with what they
  // mean now. Changes nothing where that is the same, or nothing is enabled.
  Change refresh();
  // Units that the policy names may have been started or stopped: brings what the kernel knows of
  // them up to now. No generation of its own, since no generation says where a unit runs.
  Result<void> follow_units();
  // `text` becomes policy.yaml; diagnostics call it `name`.
  Change apply(const std::string& text, const std::string& name, const Request& request);
  struct ResetOutcome {
    Outcome outcome;
    std::string kept;  // path of the copy of rules.yaml; empty when there was nothing to keep
  };
  tl::expected<ResetOutcome, Failure> reset(const Request& request);

  // `words` are those behind "ban" and "unban", see rules/policy/ban.h. What is banned is dropped
  // from then on, connections that go on included, whatever the policy says; while the policy is
  // not in force it is kept for when it is. No change of the policy, and no generation: going back
  // leaves bans as they are, and a trial is not in the way.
  Change ban(const std::vector<std::string>& words, const Request& request);
  Change unban(const std::vector<std::string>& words, const Request& request);
  const Bans& bans() const { return bans_; }
  Instant instant() const { return places_.clock(); }

  // Puts the policy of a generation that is kept in force again, and all files, as a generation of
  // its own. nullopt: what was before the last change that somebody asked for and that is still to
  // be seen; while one is on trial, what was before that. What a file says that is in no generation
  // is kept beside it.
  Change rollback(std::optional<std::uint64_t> number, Request request);
  // What is on trial stays.
  Change confirm();
  // What is on trial goes: for when its time is over. One that is not over, or none, stays. Where
  // disk or files refuse, at least what is in force comes back.
  Change end_trial();
  const std::optional<Trial>& trial() const { return current_.trial; }
  // How long it has yet; 0 when it is over, or there is none.
  std::chrono::milliseconds trial_left() const;
  // The generations that rollback() takes, the newest first.
  std::vector<Entry> history() const { return store_.entries(); }
  // What that generation changed, as Outcome::difference.
  tl::expected<std::vector<std::string>, Failure> what_changed(std::uint64_t number) const;

  bool enabled() const { return current_.enabled; }
  const std::optional<Panic>& panic() const { return current_.panic; }
  std::uint64_t generation() const { return current_.number; }
  const std::string& since() const { return current_.created; }
  const policy::CheckedPolicy& policy() const { return *policy_; }
  const policy::Sources& sources() const { return current_.sources; }
  // No generation of its own is in force, but the built-in policy, or nothing at all.
  bool fallback() const { return current_.number == 0; }
  // What names of services mean under the policy in force, and what they would mean after reload().
  policy::ServiceTable services_in_force() const;
  policy::ServiceTable services_of_host() const;
  // What `wanted` mean: as the policy in force has it, and by the host what it does not name.
  policy::Surroundings surroundings(const policy::Names& wanted) const;
  // Where those of `wanted` run that do.
  policy::Units units(const policy::UnitNames& wanted) const;
  // What start() found wrong, and which files differ from what is in force. Reads the files.
  std::vector<std::string> problems() const;
  // What of the policy in force does nothing because the kernel passes no packets on; nothing while
  // the firewall is not in force.
  std::vector<std::string> forwarding_problems() const;
  // Puts our table back where another program has changed it. True when there was something to do.
  Result<bool> mend();
  // Who had changed what when it was put back last, as a sentence; empty: never.
  const std::string& last_drift() const { return last_drift_; }
  // Readable when it is time to mend(); -1: nobody tells.
  int drift_notices() const { return table_.notices(); }
  // What the kernel says now, by rule id; empty while nothing is in force.
  Result<Table::Look> look();
  // Why our table is protected by watching, where it is.
  std::string_view why_watched() const;
  // The compiled policy as nftables text.
  std::string ruleset_text() const;

  // See Table. Refused while nothing is in force.
  tl::expected<void, Failure> begin_trace(const nft::Chain& chain);
  void end_trace(const std::string& name) { table_.end_trace(name); }
  bool tracing(const std::string& name) const { return table_.tracing(name); }
  // Our table as it was left, retired objects included, traces not; nullopt when there is none.
  const std::optional<nft::Ruleset>& loaded() const { return table_.loaded(); }

  // Removes from the kernel what earlier changes left behind for packets then under way, and makes
  // rules.yaml safe from a power loss. Call it at the start and when some time has passed since a
  // change; errors are harmless and it may be tried again.
  Result<void> collect();
  // There may be something in the kernel to collect.
  bool collectable() const { return table_.collectable(); }
  // Another number when what is to be watched of the policy may be another: which names it has that
  // mean something on this host only, and what of it ends. To find that takes going through it.
  std::uint64_t to_watch() const { return to_watch_; }

 private:
  // Another policy, on its way to be the one in force.
  struct Candidate {
    policy::Sources sources;
    bool enabled = false;
    std::optional<Panic> panic;
    std::vector<FileChange> files;
    bool restores = false;  // `files` bring all files to what the sources say
    std::vector<std::string> notes;
    std::string name_for_policy_file;  // in diagnostics; empty: its path
    bool only_news = false;            // warn only of what was not so before
  };
  struct Checked {
    policy::CheckedPolicy policy;
    policy::Added added;  // what rules.yaml alone says
  };
  struct Appending;

  // The transaction.
  bool has_table() const { return current_.enabled || current_.panic; }  // in the kernel
  Candidate same_as_now() const;
  Change commit(Candidate candidate, const Request& request);
  // Also notes in the candidate which services and other names it relies on.
  tl::expected<Checked, Failure> check(Candidate& candidate, Diagnostics& diagnostics) const;
  policy::ServiceTable services(const std::string& relied_on) const;
  policy::Surroundings surroundings(const policy::Names& wanted,
                                    const policy::Surroundings& relied_on) const;
  policy::Units units_of(const policy::CheckedPolicy& policy) const;
  std::vector<std::string> idle_units(const policy::Policy& policy, const policy::Units& running,
                                      bool only_new) const;
  void leave_out_known(Diagnostics& warnings) const;
  // The guard. Whom a change must not shut out: nobody where that is allowed.
  static std::span<const TcpConnection> guarded(const Request& request);
  std::vector<Seat> seats(const Request& request) const;
  std::optional<Failure> lockout(const policy::CheckedPolicy& next, const Candidate& candidate,
                                 const Request& request) const;
  std::optional<WouldLockOut> find_lockout(const policy::CheckedPolicy& next,
                                           const Candidate& candidate,
                                           const Request& request) const;
  bool endangers(const policy::CheckedRule& rule, policy::Traffic traffic,
                 const Request& request) const;
  policy::Sources as_named(const Candidate& candidate) const;
  Generation next_generation(policy::Sources sources, bool enabled, const Request& request) const;
  static std::optional<nft::Ruleset> wanted(const policy::CheckedPolicy& policy,
                                            const policy::Units& units,
                                            const Generation& generation);
  std::optional<Failure> in_the_way(const Request& request) const;
  // What the kernel gets of a change.
  struct Enforcement {
    // Loads what no packet meets, while the generation is stored; empty: nothing.
    std::function<tl::expected<void, Failure>()> prepare;
    std::function<tl::expected<void, Failure>()> enforce;  // the commit point
    // Called when anything fails, before what was done is undone.
    std::function<void()> abandon;
  };
  tl::expected<void, Failure> carry_out(const Generation& next, std::uint64_t before,
                                        const std::optional<TextChange>& change,
                                        Result<StagedFiles> files, const Enforcement& kernel);
  tl::expected<void, Failure> store(const Generation& next, std::uint64_t before,
                                    const std::optional<TextChange>& change,
                                    const Enforcement& kernel);
  tl::expected<void, Failure> load(const std::optional<nft::Ruleset>& wanted, std::uint64_t version,
                                   const policy::CheckedPolicy& policy,
                                   const policy::Sources& sources);
  Result<void> force(const policy::CheckedPolicy& policy, const Generation& generation);
  Result<bool> heal();
  void undo(std::uint64_t number, const StagedFiles& files);
  void take(Generation generation, Checked checked, Diagnostics warnings);
  void note_enabled();
  Result<void> settle();
  void note(const Result<void>& done);
  void note_restored();

  // What is asked for.
  // Why rules.yaml cannot be changed now, if so.
  std::optional<Failure> not_editable();
  Diagnostics check_typed(const std::vector<std::string>& words, const policy::Policy& typed) const;
  Change add_translation(const std::vector<std::string>& words, const Request& request);
  tl::expected<policy::Edit, Failure> edit_out(const std::vector<std::string>& selection) const;
  void write_added(Candidate& candidate, const policy::Added& added) const;
  Change healed(Outcome outcome, std::string_view already, const Request& request);

  // The short way.
  std::optional<Change> append(const policy::Rule& rule, policy::Place place,
                               const Request& request);
  std::optional<Change> extend(const policy::SetEdit& wanted, const Request& request);
  bool may_grow(const Request& request);
  // Made where it is not there.
  Appending& appending();
  // So that the next rule more need not wait for what all others come to.
  void get_ready_to_grow();
  Generation step(const policy::Insertion& insertion, const Request& request);
  void step_back(Generation before, const policy::Insertion& insertion);
  std::optional<nft::Changes> growing(const std::optional<std::vector<nft::Set>>& more) const;
  std::optional<Change> grow_by(const policy::Insertion& insertion, const Request& request,
                                const std::optional<std::vector<nft::Set>>& more,
                                const std::function<void()>& abandon);
  tl::expected<void, Failure> grow(const nft::Changes& changes, const policy::Sources& sources);

  // Bans.
  struct BanChange {
    Prefix prefix;
    std::optional<Ban> before;  // nullopt: none that still counts
    std::optional<Ban> after;   // nullopt: it is lifted
  };
  nft::Ruleset banned() const;
  std::optional<Failure> not_bannable(const policy::Banning& wanted, const Request& request) const;
  std::vector<BanChange> ban_changes(const policy::Banning& wanted, const Ban& ban,
                                     const Instant& now, std::vector<std::string>& notes) const;
  std::vector<BanChange> unban_changes(const policy::Lifting& wanted, const Instant& now,
                                       std::vector<std::string>& notes) const;
  Change change_bans(const std::vector<BanChange>& changes, const Instant& now,
                     std::vector<std::string> notes, const Request& request);
  void put_bans(const std::vector<BanChange>& changes, std::optional<Ban> BanChange::* side);
  tl::expected<void, Failure> enforce_bans(const std::vector<BanChange>& changes,
                                           const Instant& now);

  // The ways back.
  tl::expected<Generation, Failure> find(std::uint64_t number) const;
  tl::expected<Generation, Failure> before_last_change() const;
  Change restore(const Generation& target, const Request& request);
  tl::expected<std::vector<FileChange>, Failure> files_of(const policy::Sources& target) const;
  bool is_over(const Generation& on_trial) const;

  // The start.
  bool end_trial_of(std::vector<Generation>& kept);
  bool adopt(const Generation& generation);
  Result<void> first_start(bool was_in_force);
  Result<void> start_minimal(const std::optional<Panic>& panic);
  Result<void> start_inert();
  Generation built_in(bool enabled) const;
  void finish_files(const std::vector<Generation>& kept);
  void finish_added_file(const std::vector<Generation>& kept);
  void finish_restored(const std::vector<Generation>& kept);

  Places places_;
  ConfigFolder config_;
  Store store_;
  BanFile ban_file_;
  Bans bans_;
  Table table_;
  AddedFile added_file_;
  EnabledFile enabled_file_;
  std::string enabled_file_problem_;
  // So many changes, at most, of which a power loss may leave any in rules.yaml. A start knows them
  // by the generations that are kept, which are some more. Not known at first how many there are.
  static constexpr int most_unsettled = 15;
  int unsettled_ = most_unsettled;

  Generation current_;
  std::optional<policy::CheckedPolicy> policy_;
  policy::Added added_;  // what rules.yaml says of policy_
  std::uint64_t to_watch_ = 0;
  std::unique_ptr<Appending> appending_;  // nullptr until a rule comes
  Diagnostics warnings_;                  // of policy_
  std::vector<std::string> problems_;
  std::string last_drift_;
};

}  // namespace fwctl
