#include "cli/phrases.h"
#include "cli/render.h"
#include "cli/table.h"
#include "rules/moment.h"

namespace fwctl::cli {
namespace {

using protocol::Json;

std::string time_left(const Json& ban) {
  if (!ban.contains("secondsLeft")) return "never";
  return span_text(std::chrono::seconds(ban.at("secondsLeft").get<std::int64_t>()));
}

std::string author(const Json& ban) {
  std::string who = string_at(ban, "user");
  if (who.empty() && ban.contains("uid")) who = "uid " + ban.at("uid").dump();
  const auto from = string_at(ban, "from");
  return who + (from.empty() ? "" : " from " + from);
}

}  // namespace

std::string render_bans(const Json& reply, const Style& style) {
  if (reply.at("bans").empty()) return "Nobody is banned.\n";
  std::string out;
  if (!reply.value("enabled", false))
    out += style.paint(Tint::warn, "The firewall is inactive") +
           ": these bans begin to count with 'fwctl enable'.\n\n";
  Table table({{"ADDRESS"}, {"ENDS IN", true}, {"SINCE"}, {"BY"}, {"COMMENT"}});
  for (const auto& ban : reply.at("bans"))
    table.add({{string_at(ban, "address"), Tint::bold},
               {time_left(ban)},
               {readable_time(string_at(ban, "since"))},
               {author(ban)},
               {string_at(ban, "comment"), Tint::dim}});
  out += table.text(style);
  if (const auto packets = reply.value("packets", std::uint64_t{0}); packets > 0)
    out += "\n" + std::to_string(packets) + " packets dropped by bans.\n";
  return out;
}

std::string render_ban_outcome(const Json& outcome, bool dry_run, const Style& style) {
  std::string out;
  for (const auto& note : outcome.at("notes")) out += note.get<std::string>() + "\n";
  out += render_difference(outcome, style);
  if (!outcome.value("changed", false)) return out + "Nothing changed.\n";
  if (dry_run) return out + "This is what would change; nothing was changed (--dry-run).\n";
  return out + (outcome.value("enabled", false)
                    ? "In force.\n"
                    : "Stored. The firewall is inactive; 'fwctl enable' puts it in force.\n");
}

}  // namespace fwctl::cli
