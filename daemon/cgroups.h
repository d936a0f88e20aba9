// The tree of cgroups (version 2), in which systemd runs units.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string_view>

#include "rules/policy/unit.h"

namespace fwctl {

constexpr std::string_view slice_suffix = ".slice";

// Where the whole tree is mounted (proc_pid_mountinfo(5)): /sys/fs/cgroup, or beside version 1
// /sys/fs/cgroup/unified. nullopt: nowhere.
std::optional<std::filesystem::path> cgroup_tree();

// As Firewall::Places wants it. Only slices are looked into, so that nothing below a service, which
// may be a container's own systemd or a user's, passes for a unit of this host. None where there is
// no such tree. `enter` is called with each slice before it is read.
policy::Units find_units(const policy::UnitNames& wanted,
                         const std::function<void(const std::filesystem::path&)>& enter = {});

}  // namespace fwctl
