#include "rules/moment.h"

#include <array>
#include <cstdio>
#include <utility>

#include "rules/number.h"

namespace fwctl {
namespace {

using std::chrono::seconds;

constexpr std::array<std::pair<char, std::int64_t>, 5> units{
    {{'w', 7 * 86'400}, {'d', 86'400}, {'h', 3600}, {'m', 60}, {'s', 1}}};
constexpr std::uint64_t most_of_a_unit = 999'999'999;

constexpr int first_year = 2000;
constexpr int last_year = 2199;

// `width` digits, leading zeros among them.
std::optional<unsigned> digits(std::string_view text, std::size_t at, std::size_t width) {
  unsigned value = 0;
  for (const char c : text.substr(at, width)) {
    if (c < '0' || c > '9') return {};
    value = value * 10 + static_cast<unsigned>(c - '0');
  }
  return value;
}

}  // namespace

std::optional<Time> parse_time(std::string_view text) {
  constexpr std::string_view shape = "0000-00-00T00:00:00Z";
  if (text.size() != shape.size()) return {};
  for (std::size_t index = 0; index < shape.size(); ++index) {
    const bool blank = shape[index] == 'T' && text[index] == ' ';
    if (shape[index] != '0' && text[index] != shape[index] && !blank) return {};
  }
  const auto year = digits(text, 0, 4);
  const auto month = digits(text, 5, 2);
  const auto day = digits(text, 8, 2);
  const auto hour = digits(text, 11, 2);
  const auto minute = digits(text, 14, 2);
  const auto second = digits(text, 17, 2);
  if (!year || !month || !day || !hour || !minute || !second) return {};
  const std::chrono::year_month_day date{std::chrono::year(static_cast<int>(*year)),
                                         std::chrono::month(*month), std::chrono::day(*day)};
  if (!date.ok() || *hour > 23 || *minute > 59 || *second > 59) return {};
  if (*year < first_year || *year > last_year) return {};
  return std::chrono::sys_days(date) + std::chrono::hours(*hour) + std::chrono::minutes(*minute) +
         seconds(*second);
}

std::string time_text(Time time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02dZ",
                static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                static_cast<unsigned>(date.day()), static_cast<int>(clock.hours().count()),
                static_cast<int>(clock.minutes().count()),
                static_cast<int>(clock.seconds().count()));
  return text.data();
}

std::optional<seconds> parse_span(std::string_view text) {
  if (text.empty()) return {};
  seconds sum{0};
  const auto* unit = units.begin();
  while (!text.empty()) {
    const std::size_t end = text.find_first_not_of("0123456789");
    if (end == std::string_view::npos) return {};
    const auto count = parse_number(text.substr(0, end), most_of_a_unit);
    while (unit != units.end() && unit->first != text[end]) ++unit;
    if (!count || unit == units.end()) return {};
    sum += seconds(static_cast<std::int64_t>(*count) * unit->second);
    ++unit;
    text.remove_prefix(end + 1);
  }
  return sum;
}

std::string span_text(seconds span) {
  std::string out;
  int said = 0;
  for (const auto& [name, length] : units) {
    const auto count = span.count() / length;
    if (count == 0 && said == 0) continue;
    if (++said > 2) break;
    if (count != 0) out += std::to_string(count) + name;
    span -= seconds(count * length);
  }
  return out.empty() ? "0s" : out;
}

}  // namespace fwctl
