#include "rules/policy/model.h"

#include <tuple>
#include <utility>

namespace fwctl::policy {
namespace {

constexpr std::array<std::pair<std::string_view, Verdict>, 4> verdicts{{{"allow", Verdict::allow},
                                                                        {"deny", Verdict::deny},
                                                                        {"reject", Verdict::reject},
                                                                        {"limit", Verdict::limit}}};
constexpr std::array<std::pair<std::string_view, Direction>, 3> directions{
    {{"in", Direction::in}, {"out", Direction::out}, {"routed", Direction::routed}}};
constexpr std::array<std::pair<std::string_view, Logging>, 5> levels{{{"off", Logging::off},
                                                                      {"low", Logging::low},
                                                                      {"medium", Logging::medium},
                                                                      {"high", Logging::high},
                                                                      {"full", Logging::full}}};
constexpr std::array<std::pair<std::string_view, Traffic>, 3> traffics{
    {{"incoming", Traffic::incoming},
     {"outgoing", Traffic::outgoing},
     {"routed", Traffic::routed}}};

template <typename Table>
auto value_of(const Table& table, std::string_view text)
    -> std::optional<decltype(table.front().second)> {
  for (const auto& [name, value] : table)
    if (name == text) return value;
  return {};
}

template <typename Table, typename Value>
std::string_view name_of(const Table& table, Value wanted) {
  for (const auto& [name, value] : table)
    if (value == wanted) return name;
  return "?";
}

}  // namespace

bool Rule::same_packets(const Rule& other) const {
  const auto about = [](const Rule& rule) {
    return std::tie(rule.direction, rule.ports, rule.from, rule.interfaces, rule.out_interfaces,
                    rule.macs, rule.mark, rule.users, rule.groups, rule.units, rule.protocol,
                    rule.icmp_types, rule.from_ports, rule.to);
  };
  return about(*this) == about(other);
}

bool Rule::same_meaning(const Rule& other) const {
  return verdict == other.verdict && log == other.log && rate == other.rate && same_packets(other);
}

bool Forward::same_meaning(const Forward& other) const {
  const auto meaning = [](const Forward& one) {
    return std::tie(one.ports, one.to, one.to_port, one.from, one.interfaces);
  };
  return meaning(*this) == meaning(other);
}

bool Masquerade::same_meaning(const Masquerade& other) const {
  return std::tie(out_interfaces, from) == std::tie(other.out_interfaces, other.from);
}

std::string_view text(Verdict verdict) {
  return name_of(verdicts, verdict);
}
std::string_view text(Traffic traffic) {
  return name_of(traffics, traffic);
}
std::string_view text(Direction direction) {
  return name_of(directions, direction);
}
std::string_view text(Log log) {
  constexpr std::array names{"off", "fresh", "all"};
  return names[static_cast<std::size_t>(log)];
}
std::string_view text(Logging logging) {
  return name_of(levels, logging);
}
Traffic traffic(Direction direction) {
  constexpr std::array of{Traffic::incoming, Traffic::outgoing, Traffic::routed};
  return of[static_cast<std::size_t>(direction)];
}
std::optional<Verdict> parse_default(std::string_view text) {
  const auto verdict = parse_verdict(text);
  return verdict == Verdict::limit ? std::nullopt : verdict;
}
std::optional<Direction> parse_direction(std::string_view text) {
  return value_of(directions, text);
}
std::optional<Logging> parse_logging(std::string_view text) {
  return value_of(levels, text);
}
std::optional<Verdict> parse_verdict(std::string_view text) {
  return value_of(verdicts, text);
}
std::optional<Traffic> parse_traffic(std::string_view text) {
  return value_of(traffics, text);
}

}  // namespace fwctl::policy
