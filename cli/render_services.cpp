#include "cli/render.h"
#include "cli/table.h"

namespace fwctl::cli {
namespace {

using protocol::Json;

std::string joined(const Json& values) {
  std::string out;
  for (const auto& value : values)
    out +=
        (out.empty() ? "" : ", ") + (value.is_string() ? value.get<std::string>() : value.dump());
  return out;
}

// Where a service comes from.
std::string origin(const Json& service) {
  const auto word = service.at("origin").get<std::string>();
  const auto file = service.at("file").get<std::string>();
  if (word == "system") return "/etc/services";
  if (word == "builtin") return "fwctl";
  if (word == "kept") return "no longer on this host; rules keep it";
  return file + ":" + service.at("line").dump();
}

}  // namespace

std::string render_service_list(const Json& reply, const Style& style) {
  Table table({{"NAME"}, {"RULES"}, {"FROM"}, {"PORTS"}});
  for (const auto& service : reply.at("services")) {
    const bool ours = service.at("origin") == "builtin";
    table.add({{service.at("name").get<std::string>(), Tint::bold},
               {joined(service.at("rules"))},
               {origin(service), ours ? Tint::dim : Tint::plain},
               {joined(service.at("ports")) + (service.contains("next") ? " (changed)" : "")}});
  }
  return table.text(style) + "\nEvery other name in /etc/services can be used as well.\n";
}

std::string render_services(const Json& reply) {
  std::string out;
  const auto line = [&](std::string_view head, const std::string& text) {
    if (!text.empty()) out += std::string(head) + std::string(13 - head.size(), ' ') + text + "\n";
  };
  for (const auto& service : reply.at("services")) {
    if (!out.empty()) out += "\n";
    line("Name:", service.at("name").get<std::string>());
    line("Title:", service.at("title").get<std::string>());
    line("Description:", service.at("description").get<std::string>());
    line("Ports:", joined(service.at("ports")));
    if (service.contains("next")) {
      const auto next = joined(service.at("next"));
      line("On the host:",
           (next.empty() ? "nothing" : next) + ", in force after 'fwctl app update'");
    }
    line("From:", origin(service));
    line("Rules:", joined(service.at("rules")));
  }
  return out;
}

}  // namespace fwctl::cli
