#include "cli/render.h"
#include "cli/table.h"
#include "rules/moment.h"

namespace fwctl::cli {
namespace {

using protocol::Json;

std::string rules_of(const Json& set) {
  std::string out;
  for (const auto& rule : set.at("rules")) out += (out.empty() ? "" : ", ") + rule.dump();
  return out;
}

std::string time_left(const Json& entry) {
  const std::chrono::seconds left(entry.at("secondsLeft").get<std::int64_t>());
  return left.count() == 0 ? "ended" : "ends in " + span_text(left);
}

// Where a set comes from.
std::string origin(const Json& set) {
  const auto file = set.at("addressFile").get<std::string>();
  return (file.empty() ? "" : file + ", named in ") + set.at("file").get<std::string>() + ":" +
         set.at("line").dump();
}

}  // namespace

std::string render_set_list(const Json& reply, const Style& style) {
  if (reply.at("sets").empty())
    return "There are no sets. 'fwctl set add NAME ADDRESS' makes one.\n";
  Table table({{"NAME"}, {"ENTRIES", true}, {"RULES"}, {"FROM"}});
  for (const auto& set : reply.at("sets"))
    table.add({{set.at("name").get<std::string>(), Tint::bold},
               {set.at("count").dump()},
               {rules_of(set)},
               {origin(set)}});
  return table.text(style);
}

std::string render_sets(const Json& reply) {
  std::string out;
  for (const auto& set : reply.at("sets")) {
    out += "# set " + set.at("name").get<std::string>() + ", " + origin(set) + "\n";
    const auto rules = rules_of(set);
    if (!rules.empty()) out += "# named by rules " + rules + "\n";
    for (const auto& address : set.at("addresses")) out += address.get<std::string>() + "\n";
    for (const auto& entry : set.at("temporary"))
      out += entry.at("address").get<std::string>() + "  # " + time_left(entry) + "\n";
  }
  return out;
}

}  // namespace fwctl::cli
