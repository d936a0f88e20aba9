#include "daemon/authorise.h"

#include <algorithm>
#include <array>

namespace fwctl {
namespace {

constexpr std::array table{
    MethodRole{"org.varlink.service.GetInfo", Role::none},
    MethodRole{"org.varlink.service.GetInterfaceDescription", Role::none},

    MethodRole{"org.fwctl.Firewall.Status", Role::look},
    MethodRole{"org.fwctl.Firewall.Diff", Role::look},
    MethodRole{"org.fwctl.Firewall.Show", Role::look},
    MethodRole{"org.fwctl.Firewall.Ports", Role::look},
    MethodRole{"org.fwctl.Firewall.Explain", Role::look},
    MethodRole{"org.fwctl.Firewall.Services", Role::look},
    MethodRole{"org.fwctl.Firewall.Sets", Role::look},
    MethodRole{"org.fwctl.Firewall.Bans", Role::look},
    MethodRole{"org.fwctl.Firewall.Log", Role::look},
    MethodRole{"org.fwctl.Firewall.History", Role::look},

    // It puts rules into the kernel, and shows whose packets come and go.
    MethodRole{"org.fwctl.Firewall.Trace", Role::change},
    MethodRole{"org.fwctl.Firewall.Add", Role::change},
    MethodRole{"org.fwctl.Firewall.Delete", Role::change},
    MethodRole{"org.fwctl.Firewall.SetDefault", Role::change},
    MethodRole{"org.fwctl.Firewall.SetLogging", Role::change},
    MethodRole{"org.fwctl.Firewall.EditSet", Role::change},
    MethodRole{"org.fwctl.Firewall.Ban", Role::change},
    MethodRole{"org.fwctl.Firewall.Unban", Role::change},
    MethodRole{"org.fwctl.Firewall.Enable", Role::change},
    MethodRole{"org.fwctl.Firewall.Disable", Role::change},
    MethodRole{"org.fwctl.Firewall.Cut", Role::change},
    MethodRole{"org.fwctl.Firewall.Panic", Role::change},
    MethodRole{"org.fwctl.Firewall.Reload", Role::change},
    MethodRole{"org.fwctl.Firewall.UpdateServices", Role::change},
    MethodRole{"org.fwctl.Firewall.Apply", Role::change},
    MethodRole{"org.fwctl.Firewall.Reset", Role::change},
    MethodRole{"org.fwctl.Firewall.Rollback", Role::change},
    MethodRole{"org.fwctl.Firewall.Confirm", Role::change},
};

bool is_in_group(const Peer& peer, gid_t group) {
  return peer.gid == group || std::ranges::find(peer.groups, group) != peer.groups.end();
}

}  // namespace

std::string_view name(Role role) {
  switch (role) {
    case Role::none:
      return "none";
    case Role::look:
      return "look";
    case Role::change:
      return "change";
  }
  return "change";
}

std::span<const MethodRole> method_roles() {
  return table;
}

std::optional<Role> required_role(std::string_view method) {
  const auto* const entry = std::ranges::find(table, method, &MethodRole::method);
  if (entry == table.end()) return {};
  return entry->role;
}

Role role_of(const Access& access, const Peer& peer) {
  if (peer.uid == 0) return Role::change;
  Role highest = Role::none;
  for (const auto& [user, role] : access.users)
    if (peer.uid == user) highest = std::max(highest, role);
  for (const auto& [group, role] : access.groups)
    if (is_in_group(peer, group)) highest = std::max(highest, role);
  return highest;
}

bool allowed(const Access& access, const Peer& peer, std::string_view method) {
  const auto required = required_role(method);
  return required && role_of(access, peer) >= *required;
}

}  // namespace fwctl
