// The seam to the kernel: everything the firewall does to packets goes through these calls.
// daemon/netlink has the real one, tests/kernel/fake_kernel.h one that tests hold in their hand;
// the same contract suite (tests/kernel/contract_test.cpp) runs on both.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "daemon/result.h"
#include "rules/nft/changes.h"

namespace fwctl {

// Which change of a transaction the kernel objected to. `index` counts in the Changes handed in.
struct Refusal {
  std::size_t index = 0;
  int code = 0;  // errno
};

// A transaction that failed changed nothing. `refusals` is empty when the kernel refused the batch
// as a whole (no permission, no memory, a stale generation): then `error` alone says why.
struct TransactionError {
  Error error;
  std::vector<Refusal> refusals;
};

// Who may change a table.
enum class Owner : std::uint8_t {
  anyone,
  us,       // and nobody else
  another,  // program that runs, and we may not
};

class Kernel {
 public:
  Kernel() = default;
  Kernel(const Kernel&) = delete;
  Kernel& operator=(const Kernel&) = delete;
  virtual ~Kernel() = default;

  // Table inet fwctl as it is now, with counters; nullopt when there is none. An object in it that
  // this program could not have made is an error with code EBADMSG that names it. A set of very
  // many elements that neither count nor end may be `unread`: to load them anew takes less long.
  // Those that hold bans have no elements.
  virtual Result<std::optional<nft::Ruleset>> read() = 0;

  // The same, but of sets only those that count have elements.
  virtual Result<std::optional<nft::Ruleset>> read_hits() = 0;

  // Whether the kernel takes nft::AddTable::owned.
  virtual bool can_own() const = 0;
  // Whose table inet fwctl is; anyone's, too, where there is none.
  virtual Result<Owner> owner() = 0;

  // A number that is another after every change to any nftables object of this network namespace,
  // whoever made it: as long as it is the same, a table is as it was.
  virtual Result<std::uint32_t> revision() = 0;

  // Whether anything but apply() may have changed table inet fwctl since the last call of this, up
  // to revision `until`, which has been. True where that is not known: so it is the first time.
  virtual bool touched(std::uint32_t until) = 0;

  // Who made the last of those changes, as for people; empty where the kernel did not say.
  virtual std::string toucher() const = 0;
  // A descriptor that there is something to read from after every change of nftables objects but
  // apply()'s, until touched() is called; -1: there is none.
  virtual int notices() const = 0;

  // Would apply() succeed now? Changes nothing.
  virtual tl::expected<void, TransactionError> check(const nft::Changes& changes) = 0;

  // All of `changes`, in order, in one transaction, or none. On success they are in force for every
  // packet that arrives from now on. No changes: succeeds and sends nothing.
  virtual tl::expected<void, TransactionError> apply(const nft::Changes& changes) = 0;
};

}  // namespace fwctl
