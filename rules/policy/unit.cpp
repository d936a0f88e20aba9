#include "rules/policy/unit.h"

#include <algorithm>
#include <array>

#include "rules/ascii.h"

namespace fwctl::policy {
namespace {

// Of unit types, those with processes first.
constexpr std::array<std::string_view, 6> with_processes{".service", ".slice", ".scope",
                                                         ".socket",  ".mount", ".swap"};
constexpr std::array<std::string_view, 5> without_processes{".target", ".device", ".automount",
                                                            ".timer", ".path"};
// systemd takes 255; sets are called after them, and some characters take two there.
constexpr std::size_t longest_unit = 120;
constexpr std::string_view slice_suffix = ".slice";
constexpr std::string_view system_slice = "system.slice";

template <typename Suffixes>
bool ends_with_any(std::string_view name, const Suffixes& suffixes) {
  return std::ranges::any_of(suffixes,
                             [&](std::string_view suffix) { return name.ends_with(suffix); });
}

bool valid_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view(":-_.\\@").find(c) != std::string_view::npos;
}

// Before its type.
std::string_view stem(std::string_view unit) {
  return unit.substr(0, unit.rfind('.'));
}

// Its dashes stand between slices.
bool valid_slice(std::string_view stem) {
  return !stem.starts_with('-') && !stem.ends_with('-') &&
         stem.find("--") == std::string_view::npos && stem.find('@') == std::string_view::npos;
}

// As systemd-escape(1) does, so that no dash stands between slices.
std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '-')
      out += "\\x2d";
    else if (c == '\\')
      out += "\\x5c";
    else
      out += c;
  }
  return out;
}

}  // namespace

tl::expected<std::string, std::string> unit_name(std::string_view typed) {
  const auto quoted = "'" + std::string(typed.substr(0, 60)) + "'";
  std::string name(typed);
  const bool idle = ends_with_any(name, without_processes);
  if (!idle && !ends_with_any(name, with_processes)) name += with_processes.front();
  const auto before = stem(name);
  if (name == "-.slice")
    return tl::unexpected(quoted + " is what all units are in: leave 'unit' out");
  if (before.empty() || before.starts_with('@') || !std::ranges::all_of(name, valid_character) ||
      (name.ends_with(slice_suffix) && !valid_slice(before)))
    return tl::unexpected(quoted + " is not the name of a unit: one is 'cron.service'");
  if (name.size() > longest_unit)
    return tl::unexpected("names of units have at most " + std::to_string(longest_unit) +
                          " characters here");
  if (before.ends_with('@'))
    return tl::unexpected(quoted + " is a template: name a unit made of it, as '" +
                          std::string(before) + "NAME" + name.substr(before.size()) + "'");
  if (idle)
    return tl::unexpected(quoted + " has no processes: name the service or the slice that has");
  return name;
}

UnitNames unit_names(const Policy& policy) {
  UnitNames out;
  for (const auto& rule : policy.rules) out.insert(rule.units.begin(), rule.units.end());
  return out;
}

std::vector<std::string> usual_slices(std::string_view unit) {
  const auto before = stem(unit);
  if (unit == "init.scope") return {};
  if (unit.ends_with(slice_suffix)) {
    std::vector<std::string> out;
    for (auto dash = before.find('-'); dash != std::string_view::npos;
         dash = before.find('-', dash + 1))
      out.push_back(std::string(before.substr(0, dash)) + std::string(slice_suffix));
    return out;
  }
  std::vector<std::string> out{std::string(system_slice)};
  if (const auto at = before.find('@'); at != std::string_view::npos)
    out.push_back("system-" + escaped(before.substr(0, at)) + std::string(slice_suffix));
  return out;
}

std::vector<std::string> with_slices(const std::string& unit, const Units& units) {
  const auto found = units.find(unit);
  auto out = found == units.end() ? usual_slices(unit) : found->second.slices;
  out.push_back(unit);
  return out;
}

}  // namespace fwctl::policy
