// Who is banned, until when, and by whom. In memory; daemon/ban_file.h keeps it on disk.
//
// Time is the host's uptime, as of Instant: the kernel counts by a clock that nobody sets, and so
// both agree however the clock on the wall is set meanwhile.
#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>

#include "daemon/instant.h"
#include "daemon/store.h"
#include "rules/prefix.h"

namespace fwctl {

// Why an address is banned.
struct BanOrigin {
  Author by;
  std::string comment;

  auto operator<=>(const BanOrigin&) const = default;
};

struct Ban {
  Time since;                                   // by the clock on the wall then, for people
  std::chrono::milliseconds began{};            // the same of the uptime; below 0: before the boot
  std::optional<std::chrono::seconds> lasting;  // nullopt: until it is lifted
  std::shared_ptr<const BanOrigin> origin;      // never null; many bans share one

  // Of the uptime; nullopt: never.
  std::optional<std::chrono::milliseconds> end() const;
  bool over(const Instant& now) const { return end() && *end() <= now.uptime; }
  // Rounded up; nullopt: until it is lifted.
  std::optional<std::chrono::seconds> left(const Instant& now) const;
  // By the clock on the wall as it is now; nullopt: never.
  std::optional<Time> until(const Instant& now) const;
};

class Bans {
 public:
  using ByPrefix = std::unordered_map<Prefix, Ban>;

  // Also those that are over, until prune().
  const ByPrefix& all() const { return bans_; }
  bool empty() const { return bans_.empty(); }
  std::size_t size() const { return bans_.size(); }
  // Lengths of prefix that are banned.
  std::set<PrefixKind> kinds() const;

  // One that is not over; nullptr: there is none of just this prefix.
  const Ban* find(const Prefix& prefix, const Instant& now) const;
  // Of those that have all of `range` and are not over, the one that ends last.
  std::optional<std::pair<Prefix, Ban>> covering(const AddressRange& range,
                                                 const Instant& now) const;
  // How many are not over.
  std::size_t count(const Instant& now) const;
  // How many of these have an address of `range`.
  std::size_t meeting(const AddressRange& range, const Instant& now) const;

  // One that equals it, for bans to share.
  std::shared_ptr<const BanOrigin> share(BanOrigin origin);
  // In the place of the one that is there.
  void put(const Prefix& prefix, Ban ban);
  void erase(const Prefix& prefix);
  // Takes out those that are over.
  void prune(const Instant& now);

 private:
  struct ByValue {
    bool operator()(const auto& one, const auto& other) const { return *one < *other; }
  };

  ByPrefix bans_;
  std::map<PrefixKind, std::size_t> kinds_;  // how many there are of each
  std::set<std::shared_ptr<const BanOrigin>, ByValue> origins_;
};

}  // namespace fwctl
