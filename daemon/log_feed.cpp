#include "daemon/log_feed.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <ctime>
#include <utility>

#include "daemon/journal.h"
#include "daemon/render_log.h"
#include "rules/compile/compile.h"
#include "rules/mac.h"

namespace fwctl {
namespace {

using protocol::Json;

// That packets are lost is not said more often.
constexpr std::chrono::minutes loss_pause{1};

PacketLog::Time now() {
  return PacketLog::Time::clock::now();
}

std::string traffic_at(LoggedPacket::At at) {
  switch (at) {
    case LoggedPacket::At::output:
      return "outgoing";
    case LoggedPacket::At::forward:
      return "routed";
    case LoggedPacket::At::input:
    case LoggedPacket::At::elsewhere:
      break;
  }
  return "incoming";
}

std::string mac_text(const std::string& bytes) {
  MacAddress mac;
  if (bytes.size() != mac.bytes.size()) return {};
  std::copy(bytes.begin(), bytes.end(), mac.bytes.begin());
  return mac.text();
}

}  // namespace

LogFeed::LogFeed(const Firewall& firewall)
    : firewall_(firewall), log_([this](const LogEntry& entry) { told(entry); }) {}

Result<void> LogFeed::start(sd_event* event) {
  event_ = event;
  const auto on_time = [](sd_event_source*, std::uint64_t, void* feed) noexcept {
    static_cast<LogFeed*>(feed)->settle();
    return 0;
  };
  auto timer = make_timer(event, on_time, this);
  if (!timer) return tl::unexpected(timer.error());
  timer_ = std::move(*timer);
  if (auto opened = open(); !opened)
    journal::warn("what rules log is not read: " + opened.error().message());
  return {};
}

Result<void> LogFeed::open() {
  auto reader = NflogReader::open(compile::log_group);
  if (!reader) {
    problem_ = "what rules log is not read: " + reader.error().message();
    return tl::unexpected(std::move(reader.error()));
  }
  const auto on_packets = [](sd_event_source*, int, std::uint32_t, void* feed) noexcept {
    static_cast<LogFeed*>(feed)->read();
    return 0;
  };
  auto io = watch_input(event_, reader->descriptor(), on_packets, this, "the log");
  if (!io) return tl::unexpected(io.error());
  io_ = std::move(*io);
  reader_ = std::move(*reader);
  problem_.clear();
  return {};
}

void LogFeed::read() {
  const auto got = reader_->read([this](const LoggedPacket& packet) { take(packet); });
  settle_later();
  if (got) return;
  if (got.error().code != ENOBUFS) {
    problem_ = "what rules log is no longer read: " + got.error().message();
    journal::error(problem_);
    io_.reset();
    reader_.reset();
  } else if (now() - loss_told_ >= loss_pause) {
    journal::warn("rules log more than can be read: some of it is lost");
    loss_told_ = now();
  }
}

// Who else sends to this group is no rule of ours.
void LogFeed::take(const LoggedPacket& packet) {
  auto prefix = parse_log_prefix(packet.prefix);
  auto headers = decode_headers(packet.bytes);
  if (!prefix || !headers) return;
  log_.add({.time = std::chrono::system_clock::now(),
            .verdict = std::move(prefix->verdict),
            .rule = std::move(prefix->rule),
            .traffic = traffic_at(packet.at),
            .in = packet.in,
            .out = packet.out,
            .mac = mac_text(packet.mac),
            .packet = *headers},
           now());
}

void LogFeed::told(const LogEntry& entry) {
  write_to_journal(entry);
  std::erase_if(followers_, [](const auto& follower) { return follower.expired(); });
  if (followers_.empty()) return;
  const Json news{{"entries", Json::array({to_json(entry, firewall_)})}};
  for (const auto& follower : followers_)
    if (const auto stream = follower.lock()) stream->push(news);
}

void LogFeed::settle() {
  log_.settle(now());
  if (const auto left_out = log_.take_left_out(); left_out > 0)
    journal::warn(std::to_string(left_out) + " more log entries were left out: no more than " +
                  std::to_string(PacketLog::each_second) + " are made in a second");
  settle_later();
}

void LogFeed::settle_later() {
  const auto due = log_.due();
  if (!due) return;
  const auto since_boot = std::chrono::ceil<std::chrono::microseconds>(due->time_since_epoch());
  sd_event_source_set_time(timer_.get(), static_cast<std::uint64_t>(since_boot.count()));
  sd_event_source_set_enabled(timer_.get(), SD_EVENT_ONESHOT);
}

Answer LogFeed::answer(const Json& parameters, bool more) {
  if (!reader_ && event_ != nullptr) static_cast<void>(open());
  const auto& entries = log_.entries();
  const auto wanted = parameters.value("count", static_cast<std::int64_t>(entries.size()));
  if (wanted < 0) return protocol::firewall_error("Refused", {{"message", "a count is 0 or more"}});
  const auto number = std::min(static_cast<std::size_t>(wanted), entries.size());
  Json list = Json::array();
  for (std::size_t index = entries.size() - number; index < entries.size(); ++index)
    list.push_back(to_json(entries[index], firewall_));
  Json first{{"entries", std::move(list)}};
  if (!problem_.empty()) first["problem"] = problem_;
  if (!more) return protocol::Reply{.parameters = std::move(first)};
  auto stream = std::make_shared<Stream>();
  followers_.push_back(stream);
  return {std::move(first), std::move(stream)};
}

}  // namespace fwctl
