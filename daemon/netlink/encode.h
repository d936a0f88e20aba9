// Changes as netlink messages: a straight walk that decides nothing. What it emits is what nft
// emits for the same rules, so that `nft list` reads well.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "daemon/netlink/message.h"
#include "rules/nft/changes.h"

namespace fwctl::netlink {

// With the end message the kernel commits, without it checks and throws away.
enum class Ending : std::uint8_t { commit, check_only };

class Batch {
 public:
  // Writes all of it; `sequence` numbers the first message, those after it count on.
  void encode(const nft::Changes& changes, std::uint32_t sequence, Ending ending);

  // Something to check only: an owned table under a name that nobody uses.
  void encode_trial_of_owning(std::uint32_t sequence);

  std::string_view messages() { return out_.finish(); }
  bool overflowed() const { return out_.overflowed(); }
  std::uint32_t first_sequence() const { return first_; }
  std::uint32_t last_sequence() const { return next_ - 1; }

  // Which change a message belongs to; nullopt for the frame around them.
  std::optional<std::size_t> change_of(std::uint32_t sequence) const;

  // Lets go of what a big batch took.
  void clear();

 private:
  friend struct ChangeWriter;
  void begin_batch(std::uint32_t sequence);
  void begin(std::uint16_t type, std::uint16_t flags);

  MessageWriter out_;
  std::uint32_t first_ = 0;
  std::uint32_t next_ = 0;
  std::vector<std::uint32_t> changes_;  // of each message between begin and end
  std::uint32_t change_ = 0;
};

}  // namespace fwctl::netlink
