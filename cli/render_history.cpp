#include "cli/phrases.h"
#include "cli/render.h"
#include "cli/table.h"

namespace fwctl::cli {
namespace {

using protocol::Json;

std::string who(const Json& generation) {
  if (!generation.contains("uid")) return "fwctld";
  const auto user = string_at(generation, "user");
  const auto from = string_at(generation, "from");
  return (user.empty() ? "uid " + generation.at("uid").dump() : user) +
         (from.empty() ? "" : " from " + from);
}

std::string at_length(const Json& generation, const Style& style) {
  const std::string head = "Generation " + generation.at("number").dump() + ", " +
                           readable_time(string_at(generation, "created")) + ", by " +
                           who(generation) + ": " + string_at(generation, "reason") + "\n";
  const auto changes = render_difference(generation, style);
  return head + (changes.empty() ? "It changed no rule.\n" : changes);
}

}  // namespace

std::string render_history(const Json& reply, const Style& style) {
  const auto& generations = reply.at("generations");
  if (generations.size() == 1 && generations.front().contains("difference"))
    return at_length(generations.front(), style);
  Table table({{"GENERATION", true}, {""}, {"WHEN"}, {"WHO"}, {"WHAT"}});
  for (const auto& generation : generations)
    table.add({{generation.at("number").dump(), Tint::bold},
               {generation.value("current", false) ? "now" : ""},
               {readable_time(string_at(generation, "created"))},
               {who(generation)},
               {string_at(generation, "reason")}});
  return table.text(style);
}

}  // namespace fwctl::cli
