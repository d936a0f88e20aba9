// Policies from text, for tests.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <utility>

#include "rules/policy/check.h"
#include "rules/policy/unit.h"

namespace fwctl::testing {

// In place of the machine's own file.
constexpr std::string_view etc_services =
    "# A comment, then names with aliases\n"
    "ssh\t\t22/tcp\t\t\t# SSH\n"
    "smtp\t\t25/tcp\t\tmail\n"
    "domain\t\t53/tcp\n"
    "domain\t\t53/udp\n"
    "http\t\t80/tcp\t\twww\n"
    "ntp\t\t123/udp\n"
    "https\t\t443/tcp\n"
    "https\t\t443/udp\n";

// Users and groups alike, and their numbers: what sources() say of this host. "null" is a word of
// YAML's own.
constexpr std::array<std::pair<std::string_view, std::uint32_t>, 4> accounts{
    {{"postgres", 113}, {"www-data", 33}, {"null", 70000}, {"_apt.2@x$", 33}}};
policy::Surroundings surroundings();

// Units that run on this host.
const policy::Units& units();
// Of those that rules name: the ones that run, slices of theirs, and one that does not run.
constexpr std::array<std::string_view, 6> named_units{"cron.service",   "getty@tty1.service",
                                                      "my_app.service", "apps-front.slice",
                                                      "system.slice",   "idle.service"};

policy::Sources sources(std::string policy_yaml, std::string rules_yaml = {});

// All that load() says about the files, as people read it.
std::string problems(const policy::Sources& sources);
// The same about one policy.yaml.
std::string problems(const std::string& policy_yaml);

// Ends the process with the problems when there are errors; warnings are let pass.
policy::CheckedPolicy load(const policy::Sources& sources);
policy::CheckedPolicy load(const std::string& policy_yaml);

// By way of the text that prints it.
policy::CheckedPolicy load(const policy::Policy& policy);

// A rule from one line in the command line's grammar; ends the process when it is none.
policy::Rule rule(const std::string& line);

Address address(std::string_view text);

}  // namespace fwctl::testing

namespace fwctl::policy {

// For the messages of googletest.
void PrintTo(const Rule& rule, std::ostream* out);

}  // namespace fwctl::policy
