#include "daemon/cgroups.h"

#include <sys/stat.h>

#include <deque>
#include <fstream>
#include <sstream>
#include <utility>

#include "daemon/journal.h"

namespace fwctl {
namespace {

namespace fs = std::filesystem;

// Of slices that are looked into, and watched. A host has a few dozen; with a slice for each
// container, some hundreds.
constexpr std::size_t most_slices = 2000;

struct Slice {
  fs::path path;
  std::vector<std::string> slices;  // the names, to this one
};

// A unit that goes meanwhile is not there.
void add_unit(const fs::path& path, const std::vector<std::string>& slices, policy::Units& out) {
  struct stat found{};
  if (::stat(path.c_str(), &found) != 0) return;
  const std::size_t level = slices.size() + 1;
  const auto name = path.filename().string();
  if (level <= policy::deepest_level)
    out[name] = {.id = found.st_ino, .level = static_cast<std::uint8_t>(level), .slices = slices};
  else
    journal::warn(name + " runs too deep below other slices for rules to find it");
}

}  // namespace

std::optional<fs::path> cgroup_tree() {
  std::ifstream mounts("/proc/self/mountinfo");
  for (std::string line; std::getline(mounts, line);) {
    std::istringstream words(line);
    std::string skipped;
    std::string root;
    std::string place;
    words >> skipped >> skipped >> skipped >> root >> place;
    if (root == "/" && line.find(" - cgroup2 ") != std::string::npos) return place;
  }
  return {};
}

policy::Units find_units(const policy::UnitNames& wanted,
                         const std::function<void(const fs::path&)>& enter) {
  policy::Units out;
  const auto root = cgroup_tree();
  if (!root || wanted.empty()) return out;
  std::deque<Slice> left{{.path = *root, .slices = {}}};
  for (std::size_t count = 0; !left.empty(); ++count) {
    if (count == most_slices) {
      journal::warn("there are more than " + std::to_string(most_slices) +
                    " slices: units in others are not found");
      break;
    }
    const auto slice = std::move(left.front());
    left.pop_front();
    if (enter) enter(slice.path);
    std::error_code gone;
    for (const auto& entry : fs::directory_iterator(slice.path, gone)) {
      if (!entry.is_directory(gone)) continue;
      const auto name = entry.path().filename().string();
      if (wanted.contains(name)) add_unit(entry.path(), slice.slices, out);
      if (!name.ends_with(slice_suffix)) continue;
      auto inner = slice.slices;
      inner.push_back(name);
      left.push_back({.path = entry.path(), .slices = std::move(inner)});
    }
  }
  return out;
}

}  // namespace fwctl
