#include "daemon/render_bans.h"

#include <algorithm>
#include <set>
#include <string>
#include <utility>

#include "rules/compile/bans.h"

namespace fwctl {
namespace {

using protocol::Json;

Json to_json(const Prefix& prefix, const Ban& ban, const Instant& now) {
  Json json{{"address", prefix.text()},
            {"since", time_text(ban.since)},
            {"user", ban.origin->by.user},
            {"from", ban.origin->by.from},
            {"comment", ban.origin->comment}};
  if (const auto until = ban.until(now)) {
    json["until"] = time_text(*until);
    json["secondsLeft"] = ban.left(now)->count();
  }
  if (ban.origin->by.uid) json["uid"] = *ban.origin->by.uid;
  return json;
}

// Whom bans are asked about: who sends it, whom it is for.
std::vector<AddressRange> judged(const Packets& packets) {
  if (packets.traffic == policy::Traffic::incoming) return {packets.from};
  if (packets.traffic == policy::Traffic::outgoing) return {packets.to};
  return {packets.from, packets.to};
}

std::string reason(const Prefix& prefix, const Ban& ban, const Instant& now) {
  const auto left = ban.left(now);
  const auto& comment = ban.origin->comment;
  return "the ban of " + prefix.text() + (comment.empty() ? "" : " (" + comment + ")") +
         (left ? ", for " + span_text(*left) + " more" : ", until it is lifted") +
         ": bans come before all rules";
}

Json access(std::string sources, std::string because) {
  return {{"sources", std::move(sources)},
          {"verdict", "deny"},
          {"rule", compile::ban_comment},
          {"because", std::move(because)}};
}

}  // namespace

protocol::Reply bans_reply(Firewall& firewall, const std::optional<AddressRange>& range) {
  const Instant now = firewall.instant();
  std::vector<std::pair<Prefix, const Ban*>> listed;
  for (const auto& [prefix, ban] : firewall.bans().all())
    if (!ban.over(now) && (!range || prefix.range().contains(*range)))
      listed.emplace_back(prefix, &ban);
  std::ranges::sort(listed);
  Json list = Json::array();
  for (const auto& [prefix, ban] : listed) list.push_back(to_json(prefix, *ban, now));
  const auto look = firewall.look();
  Hits hits;
  if (look)
    if (const auto found = look->hits.find(std::string(compile::ban_comment));
        found != look->hits.end())
      hits = found->second;
  return {.parameters = {{"enabled", firewall.enabled()},
                         {"bans", std::move(list)},
                         {"packets", hits.packets},
                         {"bytes", hits.bytes}}};
}

BanAccess ban_access(const std::vector<Asked>& packets, const Firewall& firewall) {
  const Instant now = firewall.instant();
  const Bans& bans = firewall.bans();
  std::set<AddressRange> ranges;
  std::optional<std::pair<Prefix, Ban>> around;
  bool all = true;
  for (const auto& asked : packets) {
    if (asked.packets.interface == "lo") return {};
    bool banned = false;
    for (const auto& range : judged(asked.packets)) {
      ranges.insert(range);
      const auto covering = bans.covering(range, now);
      if (!covering) continue;
      banned = true;
      around = covering;
    }
    all = all && banned;
  }
  if (all && around) return {access("anyone", reason(around->first, around->second, now)), true};
  std::size_t count = 0;
  for (const auto& range : ranges) count += bans.meeting(range, now);
  if (count == 0) return {};
  return {access(std::to_string(count) + (count == 1 ? " banned address" : " banned addresses"),
                 "'fwctl bans': bans come before all rules"),
          false};
}

}  // namespace fwctl
