// Users and groups as the name services of this host know them (nsswitch.conf: files, LDAP, ...).
#pragma once

#include <sys/types.h>

#include <string>

#include "rules/policy/surroundings.h"

namespace fwctl {

// What the users and groups among `wanted` are. One that is not known is left out; then every other
// name is in it that the host can list, for whoever asks what may have been meant. May wait for
// name services that are remote.
policy::Surroundings find_accounts(const policy::Names& wanted);

// What the account is called; empty where nobody knows. May wait likewise.
std::string user_name(uid_t uid);

}  // namespace fwctl
