#include "daemon/ban_file.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <system_error>
#include <tuple>
#include <utility>

#include "daemon/files.h"
#include "rules/digest.h"
#include "rules/policy/items.h"

namespace fwctl {
namespace {

using Json = nlohmann::json;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::string_view format = "fwctl-bans 1";
// Fewer lines than this more than bans are no waste.
constexpr std::size_t spare_lines = 1000;

Json texts(const std::vector<Prefix>& prefixes) {
  Json out = Json::array();
  for (const auto& prefix : prefixes) out.push_back(prefix.text());
  return out;
}

std::string line_of(const std::vector<Prefix>& prefixes, const Ban& ban) {
  Json json{{"ban", texts(prefixes)}, {"since", time_text(ban.since)}};
  if (ban.lasting) json["seconds"] = ban.lasting->count();
  const auto& [by, comment] = *ban.origin;
  if (by.uid) json["uid"] = *by.uid;
  if (!by.user.empty()) json["user"] = by.user;
  if (!by.from.empty()) json["from"] = by.from;
  if (!comment.empty()) json["comment"] = comment;
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::vector<Prefix> prefixes_from(const Json& list) {
  std::vector<Prefix> out;
  for (const auto& text : list) {
    const auto range = policy::parse_address_range(text.get_ref<const std::string&>());
    const auto prefix = range ? as_prefix(*range) : std::nullopt;
    if (prefix) out.push_back(*prefix);
  }
  return out;
}

void read_ban(const Json& json, const Instant& now, Bans& bans) {
  const auto since = parse_time(json.at("since").get<std::string>()).value_or(now.wall);
  BanOrigin origin;
  if (json.contains("uid")) origin.by.uid = json.at("uid").get<std::uint32_t>();
  origin.by.user = json.value("user", std::string());
  origin.by.from = json.value("from", std::string());
  origin.comment = json.value("comment", std::string());
  // Not in the future, whatever the clock says.
  Ban ban{.since = since,
          .began = now.uptime - std::max(now.wall - since, seconds(0)),
          .lasting = {},
          .origin = bans.share(std::move(origin))};
  if (json.contains("seconds")) ban.lasting = seconds(json.at("seconds").get<std::int64_t>());
  for (const auto& prefix : prefixes_from(json.at("ban"))) bans.put(prefix, ban);
}

// False where it is no line of ours.
bool read_line(const std::string& line, const Instant& now, Bans& bans) {
  try {
    const Json json = Json::parse(line);
    if (json.contains("unban"))
      for (const auto& prefix : prefixes_from(json.at("unban"))) bans.erase(prefix);
    else
      read_ban(json, now, bans);
    return true;
  } catch (const Json::exception&) {
    return false;
  }
}

}  // namespace

Result<Bans> BanFile::read(const Instant& now, std::vector<std::string>& problems) {
  auto log = ChangeLog::open(path(), digest(format));
  if (!log) {
    unreadable_ = log.error();
    return tl::unexpected(log.error());
  }
  Bans bans;
  std::size_t unknown = log->lost();
  for (const auto& line : log->lines())
    if (!read_line(line, now, bans)) ++unknown;
  bans.prune(now);
  if (unknown > 0) {
    const auto damaged = path().string() + ".damaged";
    std::error_code ignored;
    std::filesystem::copy_file(path(), damaged, std::filesystem::copy_options::overwrite_existing,
                               ignored);
    problems.push_back(path().string() + " is damaged: " + std::to_string(unknown) +
                       " commands that banned or unbanned are lost (a copy is " + damaged + ")");
  }
  lines_ = log->lines().size();
  log->forget_lines();
  log_ = std::move(*log);
  return bans;
}

bool BanFile::wasteful(const Bans& bans) const {
  return lines_ > 2 * bans.size() + spare_lines;
}

// Bans that began together share a line.
Result<void> BanFile::rewrite(const Bans& bans, const Instant& now) {
  std::error_code error;
  std::filesystem::create_directories(folder_, error);
  if (error) return failed("create", folder_.string(), error.value());
  using Circumstances =
      std::tuple<Time, milliseconds, std::optional<seconds>, std::shared_ptr<const BanOrigin>>;
  std::map<Circumstances, std::vector<Prefix>> together;
  for (const auto& [prefix, ban] : bans.all())
    if (!ban.over(now)) together[{ban.since, ban.began, ban.lasting, ban.origin}].push_back(prefix);
  std::string text;
  std::uint64_t sum = digest(format);
  for (auto& [circumstances, prefixes] : together) {
    std::ranges::sort(prefixes);
    const auto& [since, began, lasting, origin] = circumstances;
    const auto line =
        line_of(prefixes, {.since = since, .began = began, .lasting = lasting, .origin = origin});
    sum = digest(line, sum);
    text += hex(sum) + " " + line + "\n";
  }
  if (auto written = write_synced(pending_path(), text, for_root); !written) return written;
  if (auto renamed = rename_durably(pending_path(), path()); !renamed) return renamed;
  auto log = ChangeLog::open(path(), digest(format));
  if (!log) return tl::unexpected(log.error());
  log->forget_lines();
  log_ = std::move(*log);
  lines_ = together.size();
  return {};
}

Result<void> BanFile::append(const std::string& line, const Bans& bans, const Instant& now) {
  if (unreadable_) return tl::unexpected(*unreadable_);
  const bool usable = log_ && log_->writable();
  if (!usable || wasteful(bans)) {
    auto written = rewrite(bans, now);
    // Where there is no room for another file there may be for a line.
    if (!written && !usable) return written;
  }
  auto appended = log_->append(line, true);
  if (!appended && appended.error().code == ESTALE) {
    if (auto written = rewrite(bans, now); !written) return written;
    appended = log_->append(line, true);
  }
  if (appended) ++lines_;
  return appended;
}

Result<void> BanFile::ban(const std::vector<Prefix>& prefixes, const Ban& ban, const Bans& bans,
                          const Instant& now) {
  return append(line_of(prefixes, ban), bans, now);
}

Result<void> BanFile::unban(const std::vector<Prefix>& prefixes, const Bans& bans,
                            const Instant& now) {
  return append(Json{{"unban", texts(prefixes)}}.dump(), bans, now);
}

Result<void> BanFile::take_back() {
  auto done = log_->take_back();
  if (done) --lines_;
  return done;
}

}  // namespace fwctl
