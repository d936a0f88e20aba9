#include "rules/policy/model.h"

#include <tuple>
#include <utility>

namespace fwctl::policy {
namespace {

constexpr std::array<std::pair<std::string_view, Verdict>, 3> verdicts{
    {{"allow", Verdict::allow}, {"deny", Verdict::deny}, {"reject", Verdict::reject}}};
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

bool Rule::same_meaning(const Rule& other) const {
  const auto meaning = [](const Rule& rule) {
    return std::tie(rule.verdict, rule.direction, rule.log, rule.interfaces, rule.protocol,
                    rule.from, rule.from_ports, rule.to, rule.ports);
  };
  return meaning(*this) == meaning(other);
}

std::string_view text(Verdict verdict) {
  return name_of(verdicts, verdict);
}
std::string_view text(Traffic traffic) {
  return name_of(traffics, traffic);
}
std::string_view text(Direction direction) {
  return direction == Direction::in ? "in" : "out";
}
std::string_view text(Logging logging) {
  return logging == Logging::off ? "off" : "low";
}
std::optional<Verdict> parse_verdict(std::string_view text) {
  return value_of(verdicts, text);
}
std::optional<Traffic> parse_traffic(std::string_view text) {
  return value_of(traffics, text);
}

}  // namespace fwctl::policy
