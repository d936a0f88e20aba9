#include "daemon/render_services.h"

#include <map>
#include <set>
#include <vector>

namespace fwctl {
namespace {

using policy::Definition;
using protocol::Json;

Json ports_json(const Definition& definition) {
  Json out = Json::array();
  for (const auto& port : definition.ports) out.push_back(text(port));
  return out;
}

struct Use {
  std::string name;  // as a rule has it
  std::vector<std::size_t> rules;
};

// By the service's own name.
std::map<std::string, Use> uses(const policy::Policy& policy, const policy::ServiceTable& host) {
  std::map<std::string, Use> out;
  for (std::size_t index = 0; index < policy.rules.size(); ++index)
    for (const auto* items : {&policy.rules[index].ports, &policy.rules[index].from_ports})
      for (const auto& item : *items) {
        const auto* service = std::get_if<policy::ServiceName>(&item.what);
        if (service == nullptr) continue;
        const auto* known = host.find(service->name);
        auto& use = out[known == nullptr ? service->name : known->name];
        use.name = service->name;
        if (use.rules.empty() || use.rules.back() != index + 1) use.rules.push_back(index + 1);
      }
  return out;
}

Json service_json(const Definition& now, const Definition* on_host,
                  const std::vector<std::size_t>& rules) {
  const auto& told = on_host == nullptr ? now : *on_host;
  Json out{
      {"name", told.name},        {"title", told.title},         {"description", told.description},
      {"ports", ports_json(now)}, {"origin", text(told.origin)}, {"profile", told.profile},
      {"file", told.file},        {"line", told.line},           {"rules", rules}};
  const auto next = on_host == nullptr ? Json::array() : ports_json(*on_host);
  if (next != out["ports"]) out["next"] = next;
  return out;
}

}  // namespace

Json services_json(const Firewall& firewall, const std::string& name) {
  const auto in_force = firewall.services_in_force();
  const auto host = firewall.services_of_host();
  const auto used = uses(firewall.policy().policy(), host);
  Json out = Json::array();
  std::set<std::string> listed;
  const auto add = [&](const std::string& one) {
    const auto* on_host = host.find(one);
    const std::string& own_name = on_host == nullptr ? one : on_host->name;
    const auto use = used.find(own_name);
    const auto* now = in_force.find(use == used.end() ? one : use->second.name);
    if (now == nullptr || !listed.insert(own_name).second) return;
    out.push_back(service_json(*now, on_host,
                               use == used.end() ? std::vector<std::size_t>() : use->second.rules));
  };
  if (!name.empty()) {
    add(name);
    return out;
  }
  for (const auto* definition : in_force.listed()) add(definition->name);
  return out;
}

}  // namespace fwctl
