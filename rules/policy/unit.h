// Units of systemd, as rules name them, and where a host runs them.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "rules/policy/model.h"

namespace fwctl::policy {

// Where the processes of a unit are. Each start of the unit makes it anew.
struct Cgroup {
  std::uint64_t id = 0;             // the kernel gives none twice, until it boots
  std::uint8_t level = 1;           // so many below the root
  std::vector<std::string> slices;  // it is in, the outermost first
  bool operator==(const Cgroup&) const = default;
};

// By name. A unit that does not run has none.
using Units = std::map<std::string, Cgroup, std::less<>>;
using UnitNames = std::set<std::string, std::less<>>;

// The deepest that rules can ask for.
constexpr std::uint8_t deepest_level = 8;

// As systemd.unit(5) has names, and as systemctl completes them: "cron" is cron.service. Only of
// units that have processes. Unexpected: why it is none.
tl::expected<std::string, std::string> unit_name(std::string_view typed);

UnitNames unit_names(const Policy& policy);

// Those that the unit is in where its file does not say otherwise, the outermost first
// (systemd.slice(5), Slice= of systemd.resource-control(5)).
std::vector<std::string> usual_slices(std::string_view unit);

// The unit, behind the slices that it runs in, or else would.
std::vector<std::string> with_slices(const std::string& unit, const Units& units);

}  // namespace fwctl::policy
