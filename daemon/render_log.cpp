#include "daemon/render_log.h"

#include <array>
#include <ctime>

#include "daemon/render.h"

namespace fwctl {
namespace {

using protocol::Json;

std::string utc(std::chrono::system_clock::time_point time) {
  using std::chrono::duration_cast;
  using std::chrono::milliseconds;
  const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
  const auto fraction = duration_cast<milliseconds>(time.time_since_epoch()).count() % 1000;
  std::tm fields{};
  ::gmtime_r(&seconds, &fields);
  std::array<char, 32> text{};
  const auto size = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S.", &fields);
  const std::string thousandths = std::to_string(1000 + fraction).substr(1);
  return std::string(text.data(), size) + thousandths + "Z";
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
