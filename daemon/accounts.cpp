#include "daemon/accounts.h"

#include <grp.h>
#include <pwd.h>

#include <cerrno>
#include <vector>

namespace fwctl {
namespace {

// Beyond what any group's list of members takes.
constexpr std::size_t largest_entry = 16UL << 20;

// Calls one of getpwnam_r, getpwuid_r and getgrnam_r with room for what it finds.
template <typename Key, typename Entry, typename Look>
const Entry* look_up(Key key, Entry& entry, std::vector<char>& room, Look look) {
  room.resize(4096);
  while (true) {
    Entry* found = nullptr;
    const int code = look(key, &entry, room.data(), room.size(), &found);
    if (code != ERANGE || room.size() > largest_entry) return found;
    room.resize(room.size() * 2);
  }
}

void list_users(policy::Surroundings::Numbers& into) {
  ::setpwent();
  while (const auto* user = ::getpwent()) into.emplace(user->pw_name, user->pw_uid);
  ::endpwent();
}

void list_groups(policy::Surroundings::Numbers& into) {
  ::setgrent();
  while (const auto* group = ::getgrent()) into.emplace(group->gr_name, group->gr_gid);
  ::endgrent();
}

}  // namespace

policy::Surroundings find_accounts(const policy::Names& wanted) {
  policy::Surroundings out;
  std::vector<char> room;
  for (const auto& name : wanted.users) {
    passwd entry{};
    if (const auto* found = look_up(name.c_str(), entry, room, ::getpwnam_r))
      out.users.emplace(name, found->pw_uid);
  }
  for (const auto& name : wanted.groups) {
    group entry{};
    if (const auto* found = look_up(name.c_str(), entry, room, ::getgrnam_r))
      out.groups.emplace(name, found->gr_gid);
  }
  const auto missing = out.to_look_up(wanted);
  if (!missing.users.empty()) list_users(out.users);
  if (!missing.groups.empty()) list_groups(out.groups);
  return out;
}

std::string user_name(uid_t uid) {
  passwd entry{};
  std::vector<char> room;
  const auto* found = look_up(uid, entry, room, ::getpwuid_r);
  return found != nullptr ? found->pw_name : std::string();
}

}  // namespace fwctl
