#include "daemon/packet_log.h"

#include <algorithm>
#include <array>
#include <tuple>
#include <utility>

namespace fwctl {
namespace {

constexpr std::string_view prefix_begin = "[fwctl ";
constexpr std::string_view prefix_end = "] ";
constexpr std::array<std::string_view, 5> verdicts{"allow", "deny", "reject", "limit", "audit"};

bool in_id(char c) {
  return ('a' <= c && c <= 'z') || ('0' <= c && c <= '9') || c == '-';
}

std::string protocol_name(Protocol protocol) {
  if (protocol == icmpv6) return "ICMPv6";
  std::string name = protocol.text();
  std::transform(name.begin(), name.end(), name.begin(), [](char c) {
    return 'a' <= c && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  });
  return name;
}

template <typename Number>
void add_number(std::string& line, std::string_view name, const std::optional<Number>& number) {
  if (number) line.append(name).append(std::to_string(*number));
}

}  // namespace

std::optional<LogPrefix> parse_log_prefix(std::string_view prefix) {
  if (!prefix.starts_with(prefix_begin) || !prefix.ends_with(prefix_end)) return std::nullopt;
  prefix.remove_prefix(prefix_begin.size());
  prefix.remove_suffix(prefix_end.size());
  const auto space = prefix.find(' ');
  if (space == std::string_view::npos) return std::nullopt;
  const auto verdict = prefix.substr(0, space);
  const auto rule = prefix.substr(space + 1);
  if (std::ranges::find(verdicts, verdict) == verdicts.end() || rule.empty() ||
      !std::ranges::all_of(rule, in_id))
    return std::nullopt;
  return LogPrefix{std::string(verdict), std::string(rule)};
}

std::string log_line(const LogEntry& entry) {
  const PacketHeaders& packet = entry.packet;
  std::string line =
      "[fwctl " + entry.verdict + " " + entry.rule + "] IN=" + entry.in + " OUT=" + entry.out;
  if (!entry.mac.empty()) line += " MAC=" + entry.mac;
  line += " SRC=" + packet.from.text() + " DST=" + packet.to.text() +
          " LEN=" + std::to_string(packet.length) +
          (packet.from.family() == Family::ipv4 ? " TTL=" : " HOPLIMIT=") +
          std::to_string(packet.ttl);
  if (packet.fragment) line += " FRAG";
  line += " PROTO=" + protocol_name(packet.protocol);
  add_number(line, " SPT=", packet.from_port);
  add_number(line, " DPT=", packet.to_port);
  add_number(line, " TYPE=", packet.icmp_type);
  add_number(line, " CODE=", packet.icmp_code);
  if (packet.tcp_flags.value_or(0) != 0) line += " " + tcp_flag_names(*packet.tcp_flags);
  if (entry.count > 1) line += " COUNT=" + std::to_string(entry.count);
  return line;
}

void PacketLog::add(LogEntry entry, Time now) {
  settle(now);
  const auto known = std::ranges::find_if(
      repeats_, [&](const Repeats& repeats) { return same(repeats.latest, entry); });
  if (known != repeats_.end()) {
    known->latest = std::move(entry);
    ++known->count;
    return;
  }
  if (repeats_.size() == watched) end_oldest(now);
  repeats_.push_back({.latest = entry, .until = now + window});
  make(std::move(entry), now);
}

void PacketLog::settle(Time now) {
  while (!repeats_.empty() && repeats_.front().until <= now)
    if (auto latest = end_oldest(now))
      repeats_.push_back({.latest = *std::move(latest), .until = now + window});
}

std::optional<PacketLog::Time> PacketLog::due() const {
  if (repeats_.empty()) return std::nullopt;
  return repeats_.front().until;
}

// A client chooses another port of its own for each try.
bool PacketLog::same(const LogEntry& a, const LogEntry& b) {
  const auto key = [](const LogEntry& entry) {
    const PacketHeaders& packet = entry.packet;
    return std::tie(packet.from, packet.protocol, packet.to_port, packet.icmp_type, entry.rule,
                    entry.verdict, entry.traffic, entry.in);
  };
  return key(a) == key(b);
}

void PacketLog::make(LogEntry entry, Time now) {
  if (now - second_ >= std::chrono::seconds(1)) {
    second_ = now;
    made_ = 0;
  }
  if (made_ == each_second) {
    ++left_out_;
    return;
  }
  ++made_;
  write_(entry);
  if (entries_.size() == kept) entries_.pop_front();
  entries_.push_back(std::move(entry));
}

std::optional<LogEntry> PacketLog::end_oldest(Time now) {
  Repeats oldest = std::move(repeats_.front());
  repeats_.pop_front();
  if (oldest.count == 0) return {};
  oldest.latest.count = oldest.count;
  make(oldest.latest, now);
  return std::move(oldest.latest);
}

}  // namespace fwctl
