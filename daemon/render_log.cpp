#include "daemon/render_log.h"

#include <chrono>

#include "daemon/render.h"
#include "rules/moment.h"

namespace fwctl {
namespace {

using protocol::Json;

template <typename Number>
void add(Json& json, const char* name, const std::optional<Number>& number) {
  if (number) json[name] = *number;
}

}  // namespace

std::string utc(std::chrono::system_clock::time_point time) {
  const auto second = std::chrono::floor<std::chrono::seconds>(time);
  const auto fraction = std::chrono::floor<std::chrono::milliseconds>(time - second).count();
  std::string text = time_text(second);
  text.pop_back();
  return text + "." + std::to_string(1000 + fraction).substr(1) + "Z";
}

Json to_json(const PacketHeaders& packet) {
  Json json{{"protocol", packet.protocol.text()},
            {"source", packet.from.text()},
            {"destination", packet.to.text()},
            {"flags", tcp_flag_names(packet.tcp_flags.value_or(0))},
            {"length", packet.length},
            {"ttl", packet.ttl}};
  add(json, "sourcePort", packet.from_port);
  add(json, "destinationPort", packet.to_port);
  add(json, "icmpType", packet.icmp_type);
  add(json, "icmpCode", packet.icmp_code);
  return json;
}

Json to_json(const LogEntry& entry, const Firewall& firewall) {
  Json json = to_json(entry.packet);
  if (entry.verdict != "audit") json.update(rule_members(firewall, entry.rule));
  json["time"] = utc(entry.time);
  json["verdict"] = entry.verdict;
  json["traffic"] = entry.traffic;
  json["inInterface"] = entry.in;
  json["outInterface"] = entry.out;
  json["mac"] = entry.mac;
  json["count"] = entry.count;
  return json;
}

}  // namespace fwctl
