// Who may call what: one table, method to role, and who has which role.
#pragma once

#include <sys/types.h>

#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/peer.h"

namespace fwctl {

// Each includes those before it.
enum class Role { none, look, change };

std::string_view name(Role role);

struct MethodRole {
  std::string_view method;  // fully qualified
  Role role = Role::change;
};

// Every method there is.
std::span<const MethodRole> method_roles();

// Nullopt: there is no such method.
std::optional<Role> required_role(std::string_view method);

// What is granted besides root, who has every role. An id may stand more than once: the highest
// role counts. The members of group fwctl are an entry here as any other (Role::look).
struct Access {
  std::vector<std::pair<uid_t, Role>> users;
  std::vector<std::pair<gid_t, Role>> groups;
};

Role role_of(const Access& access, const Peer& peer);

// False for a method that is not in the table, whoever calls.
bool allowed(const Access& access, const Peer& peer, std::string_view method);

}  // namespace fwctl
