#include "daemon/render_sets.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <vector>

#include "daemon/clock.h"

namespace fwctl {
namespace {

using protocol::Json;
using std::chrono::seconds;

// Numbers of the rules that name each set.
std::map<std::string, std::vector<std::size_t>> uses(const policy::Policy& policy) {
  std::map<std::string, std::vector<std::size_t>> out;
  for (std::size_t index = 0; index < policy.rules.size(); ++index)
    for (const auto* items : {&policy.rules[index].from, &policy.rules[index].to})
      for (const auto& item : *items)
        if (const auto* set = std::get_if<policy::SetName>(&item.what)) {
          auto& rules = out[set->name];
          if (rules.empty() || rules.back() != index + 1) rules.push_back(index + 1);
        }
  return out;
}

}  // namespace

Json sets_json(const Firewall& firewall, const std::string& name) {
  const auto& policy = firewall.policy().policy();
  const auto& sources = firewall.sources();
  auto used = uses(policy);
  Json out = Json::array();
  for (const auto& set : policy.sets) {
    if (!name.empty() && set.name != name) continue;
    Json one{{"name", set.name},
             {"count", set.size()},
             {"managed", set.source != sources.managed.size()},
             {"file", sources.at(set.source).name},
             {"line", set.at.line},
             {"addressFile", set.file},
             {"rules", used[set.name]}};
    if (!name.empty()) {
      Json addresses = Json::array();
      for (const auto& range : set.ranges) addresses.push_back(range.text());
      set.from_file.each([&](const AddressRange& range) { addresses.push_back(range.text()); });
      for (const auto& pair : set.pairs) addresses.push_back(pair.text());
      set.pairs_from_file.each([&](const AddressPort& pair) { addresses.push_back(pair.text()); });
      one["addresses"] = std::move(addresses);
      Json temporary = Json::array();
      for (const auto& [range, until] : set.temporary)
        temporary.push_back({{"address", range.text()},
                             {"until", time_text(until)},
                             {"secondsLeft", std::max(until - now(), seconds(0)).count()}});
      one["temporary"] = std::move(temporary);
    }
    out.push_back(std::move(one));
  }
  return out;
}

}  // namespace fwctl
