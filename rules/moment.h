// Moments and spans of time as policies have them: whole seconds, UTC.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace fwctl {

using Time = std::chrono::sys_seconds;

// "2026-11-22T18:00:00Z", of the years 2000 to 2199; also with a blank for the T.
std::optional<Time> parse_time(std::string_view text);
std::string time_text(Time time);

// "2h", "1h30m": numbers with the units w, d, h, m and s, larger ones first, each at most once.
// nullopt also for more than 999999999 of a unit.
std::optional<std::chrono::seconds> parse_span(std::string_view text);
// The two largest units that say something, the rest left out: "2d3h", "1h30m", "45s"; "0s".
std::string span_text(std::chrono::seconds span);

}  // namespace fwctl
