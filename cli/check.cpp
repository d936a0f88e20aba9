#include "cli/check.h"

#include <filesystem>
#include <iostream>

#include "cli/arguments.h"
#include "daemon/accounts.h"
#include "daemon/clock.h"
#include "daemon/config.h"
#include "daemon/files.h"
#include "daemon/protocol/diagnostics.h"
#include "rules/joined.h"
#include "rules/policy/check.h"

namespace fwctl::cli {
namespace {

Result<policy::Sources> read(const std::string& path) {
  if (std::filesystem::is_directory(path)) return ConfigFolder(path).read();
  auto text = read_file(path);
  if (!text) return tl::unexpected(text.error());
  if (!*text) return failed("open", path, ENOENT);
  policy::Sources sources;
  sources.managed.push_back({.name = path, .text = std::move(**text)});
  if (auto sets = ConfigFolder(default_folder).read_sets(sources); !sets)
    return tl::unexpected(sets.error());
  return sources;
}

// Routes and DNS are those of the moment in which the policy is put in force, and maybe of another
// machine.
std::vector<std::string> left_to_the_daemon(const policy::Names& names) {
  std::vector<std::string> out;
  if (names.wan) out.emplace_back(policy::wan_name);
  for (const auto& host : names.hosts) out.push_back("host:" + host);
  return out;
}

}  // namespace

int check_files(const std::string& path, bool json) {
  auto sources = read(path);
  if (!sources) {
    std::cerr << "fwctl: " << sources.error().message() << "\n";
    return exit_refused;
  }
  auto services = read_services(
      ServicePlaces::beside(std::filesystem::is_directory(path) ? path : default_folder));
  Diagnostics diagnostics;
  auto parsed = policy::parse(*sources, diagnostics);
  const auto names = policy::names(parsed.policy);
  sources->surroundings = find_accounts(names);
  for (const auto& host : names.hosts) sources->surroundings.hosts[host];  // nobody asks for them
  const auto left = left_to_the_daemon(names);
  const auto policy =
      policy::check(std::move(parsed), *sources, std::move(services.table), diagnostics);
  if (policy) {
    const auto ended = policy::ended(policy->policy(), *sources, now());
    diagnostics.insert(diagnostics.end(), ended.begin(), ended.end());
  }
  diagnostics.insert(diagnostics.end(), services.warnings.begin(), services.warnings.end());
  if (json) {
    std::cout << protocol::Json{{"valid", policy.has_value()},
                                {"notLookedUp", left},
                                {"diagnostics", protocol::to_json(diagnostics)}}
                     .dump(2, ' ', false, protocol::Json::error_handler_t::replace)
              << "\n";
    return policy ? exit_done : exit_refused;
  }
  std::cerr << render(diagnostics);
  if (!policy) return exit_refused;
  const auto files = sources->managed.size() + sources->definitions.size() +
                     sources->set_files.size() + (sources->added.text.empty() ? 0 : 1);
  const auto rules = policy->policy().rules.size();
  std::cout << "Valid: " << rules << (rules == 1 ? " rule" : " rules") << " in " << files
            << (files == 1 ? " file.\n" : " files.\n");
  if (!left.empty())
    std::cout << "Not looked up here, but by fwctld when the policy is put in force: "
              << joined(left) << "\n";
  return exit_done;
}

}  // namespace fwctl::cli
