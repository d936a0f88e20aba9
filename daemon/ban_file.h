// The bans on disk, /var/lib/fwctl/bans. docs/storage.md has the format.
//
// A line a command, synced before the kernel gets it: what it costs to ban does not depend on what
// is banned. Written anew when most of its lines say nothing any more.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "daemon/bans.h"
#include "daemon/change_log.h"
#include "daemon/instant.h"
#include "daemon/result.h"

namespace fwctl {

class BanFile {
 public:
  // A missing folder is made when something is to be kept.
  explicit BanFile(std::filesystem::path folder) : folder_(std::move(folder)) {}

  // Those that are not over, with the time that they have left by the clock on the wall: no more
  // than they began with, so that a clock that is set back makes none last for ever. Sentences
  // about what could not be read are in `problems`. To be called before anything is written; after
  // an error nothing is.
  Result<Bans> read(const Instant& now, std::vector<std::string>& problems);

  // These are on disk and synced from then on; after an error they are not there. `bans`: all that
  // count until now, for when the file is written anew.
  Result<void> ban(const std::vector<Prefix>& prefixes, const Ban& ban, const Bans& bans,
                   const Instant& now);
  Result<void> unban(const std::vector<Prefix>& prefixes, const Bans& bans, const Instant& now);
  // The line that was written last never was; once.
  Result<void> take_back();

 private:
  std::filesystem::path path() const { return folder_ / "bans"; }
  std::filesystem::path pending_path() const { return folder_ / "bans.pending"; }
  Result<void> append(const std::string& line, const Bans& bans, const Instant& now);
  Result<void> rewrite(const Bans& bans, const Instant& now);
  bool wasteful(const Bans& bans) const;

  std::filesystem::path folder_;
  std::optional<ChangeLog> log_;
  std::optional<Error> unreadable_;  // what is there must not be written over
  std::size_t lines_ = 0;
};

}  // namespace fwctl
