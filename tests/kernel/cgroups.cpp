#include "tests/kernel/cgroups.h"

#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "daemon/cgroups.h"
#include "tests/unit/policies.h"

namespace fwctl::testing {
namespace {

namespace fs = std::filesystem;

// Of this process, from the root of the tree on.
fs::path own_place() {
  std::ifstream places("/proc/self/cgroup");
  for (std::string line; std::getline(places, line);)
    if (line.starts_with("0::/")) return line.substr(4);
  return {};
}

bool move_to(const fs::path& cgroup) {
  std::ofstream processes(cgroup / "cgroup.procs");
  processes << "0" << std::flush;
  return processes.good();
}

}  // namespace

Cgroups::Cgroups() {
  if (!make()) units_.clear();
}

bool Cgroups::make() {
  const auto mounted = cgroup_tree();
  if (!mounted) return false;
  const auto place = own_place();
  before_ = *mounted / place;
  root_ = before_ / ("fwctl-lab-" + std::to_string(getpid()));
  const auto above = static_cast<std::size_t>(std::distance(place.begin(), place.end())) + 1;
  std::error_code refused;
  if (!fs::create_directory(root_, refused)) return false;
  for (const auto& [unit, cgroup] : testing::units()) {
    units_.emplace(unit, cgroup);
    fs::path path = root_;
    for (const auto& part : path_of(unit)) {
      path /= part;
      if (fs::create_directory(path, refused)) made_.push_back(path);
      if (refused) return false;
    }
    struct stat found{};
    if (::stat(path.c_str(), &found) != 0) return false;
    units_[unit].id = found.st_ino;
    units_[unit].level = static_cast<std::uint8_t>(units_[unit].level + above);
  }
  return true;
}

Cgroups::~Cgroups() {
  std::error_code refused;
  for (auto path = made_.rbegin(); path != made_.rend(); ++path) fs::remove(*path, refused);
  fs::remove(root_, refused);
}

fs::path Cgroups::path_of(const std::string& unit) const {
  fs::path out;
  for (const auto& slice : units_.at(unit).slices) out /= slice;
  return out / unit;
}

bool Cgroups::enter(const std::string& unit) const {
  return move_to(root_ / path_of(unit));
}

void Cgroups::leave() const {
  move_to(before_);
}

}  // namespace fwctl::testing
