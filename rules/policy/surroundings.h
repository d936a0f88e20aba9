// What names in rules mean that only the running system can say: a pure value. The daemon gathers
// it, check() resolves names with it, and each generation keeps what its own rules name, so that a
// start needs nothing but the generation: no name service, no network.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "rules/policy/model.h"

namespace fwctl::policy {

// The names that a policy has, each kind sorted.
struct Names {
  std::set<std::string, std::less<>> users;
  std::set<std::string, std::less<>> groups;

  bool wan = false;  // the interface of that name
  std::set<std::string, std::less<>> hosts;

  bool empty() const { return users.empty() && groups.empty() && !wan && hosts.empty(); }
};

// As the name of an interface: those of the default routes.
constexpr std::string_view wan_name = "wan";

Names names(const Policy& policy);

struct Surroundings {
  using Numbers = std::map<std::string, std::uint32_t, std::less<>>;
  Numbers users;   // to their uid
  Numbers groups;  // to their gid
  // Interfaces of the default routes, sorted, or a real interface called wan. Empty: there is none;
  // nullopt: nobody has looked.
  std::optional<std::vector<std::string>> wan;
  // Addresses of host names, sorted, each once. One that was never resolved is not there.
  using Hosts = std::map<std::string, std::vector<Address>, std::less<>>;
  Hosts hosts;

  bool operator==(const Surroundings&) const = default;

  // Those of `wanted` to look at on the host: accounts without a meaning here, and all that changes
  // by itself.
  Names to_look_up(const Names& wanted) const;
  // Without what `wanted` does not name.
  Surroundings only(const Names& wanted) const;
  // Accounts that have a meaning here keep it; what changes by itself becomes as it is in `now`.
  void update(const Surroundings& now);
};

// The complaint about an account that nobody knows. `kind`: "user" or "group".
std::string unknown_account(const Surroundings::Numbers& known, std::string_view kind,
                            std::string_view name);

// A line for each name and meaning, sorted: "user postgres 113\n". As generations keep it.
std::string text(const Surroundings& surroundings);
// nullopt for any other text than text() makes.
std::optional<Surroundings> parse_surroundings(std::string_view text);

// What differs, of accounts and wan only where both have a meaning: "- user postgres 113", "+ user
// postgres 120".
std::vector<std::string> difference(const Surroundings& before, const Surroundings& after);

}  // namespace fwctl::policy
