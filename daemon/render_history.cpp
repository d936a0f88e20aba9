#include "daemon/render_history.h"

namespace fwctl {
namespace {

using protocol::Json;

Json to_json(const Entry& entry, const Firewall& firewall) {
  Json json{{"number", entry.number},
            {"created", entry.created},
            {"user", entry.by.user},
            {"from", entry.by.from},
            {"reason", entry.reason},
            {"enabled", entry.enabled},
            {"current", entry.number == firewall.generation()}};
  if (entry.by.uid) json["uid"] = *entry.by.uid;
  return json;
}

}  // namespace

Json history_json(const Firewall& firewall) {
  Json out = Json::array();
  for (const auto& entry : firewall.history()) out.push_back(to_json(entry, firewall));
  return out;
}

tl::expected<Json, Failure> generation_json(const Firewall& firewall, std::uint64_t number) {
  return firewall.what_changed(number).map([&](const auto& difference) {
    for (const auto& entry : firewall.history()) {
      if (entry.number != number) continue;
      Json json = to_json(entry, firewall);
      json["difference"] = difference;
      return json;
    }
    return Json(Json::object());
  });
}

}  // namespace fwctl
