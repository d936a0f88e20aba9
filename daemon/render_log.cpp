#include "daemon/render_log.h"

#include <chrono>

#include "daemon/render.h"
#include "rules/moment.h"

namespace fwctl {
namespace {

using protocol::Json;

std::string utc(std::chrono::system_clock::time_point time) {
  const auto second = std::chrono::floor<std::chrono::seconds>(time);
  const auto fraction = std::chrono::floor<std::chrono::milliseconds>(time - second).count();
  std::string text = time_text(second);
  text.pop_back();
  return text + "." + std::to_string(1000 + fraction).substr(1) + "Z";
}

template <typename Number>
void add(Json& json, const char* name, const std::optional<Number>& number) {
  if (number) json[name] = *number;
}

}  // namespace

Json to_json(const LogEntry& entry, const Firewall& firewall) {
  const PacketHeaders& packet = entry.packet;
  Json json = entry.verdict == "audit" ? Json::object() : rule_members(firewall, entry.rule);
  json["time"] = utc(entry.time);
  json["verdict"] = entry.verdict;
  json["traffic"] = entry.traffic;
  json["inInterface"] = entry.in;
  json["outInterface"] = entry.out;
  json["mac"] = entry.mac;
  json["protocol"] = packet.protocol.text();
  json["source"] = packet.from.text();
  json["destination"] = packet.to.text();
  add(json, "sourcePort", packet.from_port);
  add(json, "destinationPort", packet.to_port);
  add(json, "icmpType", packet.icmp_type);
  add(json, "icmpCode", packet.icmp_code);
  json["flags"] = tcp_flag_names(packet.tcp_flags.value_or(0));
  json["length"] = packet.length;
  json["ttl"] = packet.ttl;
  json["count"] = entry.count;
  return json;
}

}  // namespace fwctl
