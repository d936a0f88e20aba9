// What the rules logged, as entries of a log: a packet that comes again and again is counted rather
// than told each time, and the newest entries are kept. Knows no clock: time is passed in.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "rules/packet_headers.h"

namespace fwctl {

struct LogEntry {
  std::chrono::system_clock::time_point time;
  std::string verdict;   // allow, deny, reject, limit; "audit" where nothing is decided yet
  std::string rule;      // its id, the name of an item of the baseline, or "default"; of an audit
                         // what `traffic` says
  std::string traffic;   // incoming, outgoing or routed
  std::string in;        // interfaces; empty where there is none
  std::string out;       //
  std::string mac;       // the sender's, "02:00:00:00:00:01"; empty where the link has none
  PacketHeaders packet;  // of several, the last
  // Packets it stands for: 1, or how many more of the same came since the last entry about them.
  std::uint64_t count = 1;
};

// The verdict and the rule's id in the prefix that a compiled rule logs with: "[fwctl deny r1] ".
// Nullopt for any other prefix.
struct LogPrefix {
  std::string verdict;
  std::string rule;
};
std::optional<LogPrefix> parse_log_prefix(std::string_view prefix);

// One line as the kernel writes them, and ufw's readers read them:
// "[fwctl deny r1] IN=eth0 OUT= SRC=192.0.2.2 DST=192.0.2.1 LEN=60 TTL=64 PROTO=TCP SPT=40000
// DPT=3000 SYN". An entry of several has "COUNT=12" at its end.
std::string log_line(const LogEntry& entry);

class PacketLog {
 public:
  using Time = std::chrono::steady_clock::time_point;
  using Write = std::function<void(const LogEntry&)>;

  // Entries that are kept.
  static constexpr std::size_t kept = 1000;
  // The same rule, source, destination port or ICMP type: one entry at once, then one that counts
  // the others for each time of this length in which there were any.
  static constexpr std::chrono::seconds window{60};
  // Of how many different packets repeats are counted at once; those known longest give way.
  static constexpr std::size_t watched = 256;
  // Entries made in one second; what comes beyond is only counted.
  static constexpr std::size_t each_second = 200;

  // `write` gets each entry when it is made.
  explicit PacketLog(Write write) : write_(std::move(write)) {}

  // `entry` is one packet.
  void add(LogEntry entry, Time now);
  // Makes the entries of repeats whose window has ended.
  void settle(Time now);
  // When there will be something to settle; nullopt while nothing is watched.
  std::optional<Time> due() const;
  // Entries left out because there were too many, since this was last asked.
  std::uint64_t take_left_out() { return std::exchange(left_out_, 0); }
  // Oldest first.
  const std::deque<LogEntry>& entries() const { return entries_; }

 private:
  struct Repeats {
    LogEntry latest;
    std::uint64_t count = 0;
    Time until;
  };

  static bool same(const LogEntry& a, const LogEntry& b);
  void make(LogEntry entry, Time now);
  // The entry that may repeat from now on again, where there were repeats to tell of.
  std::optional<LogEntry> end_oldest(Time now);

  Write write_;
  std::deque<LogEntry> entries_;
  std::deque<Repeats> repeats_;  // by `until`
  Time second_;                  // when the present one began
  std::size_t made_ = 0;         // entries in it
  std::uint64_t left_out_ = 0;
};

}  // namespace fwctl
