#include "tests/unit/policies.h"

#include <cstdlib>
#include <iostream>
#include <utility>

#include "rules/policy/grammar.h"
#include "rules/policy/print.h"

namespace fwctl::testing {

policy::Surroundings surroundings() {
  policy::Surroundings out;
  for (const auto& [name, number] : accounts) {
    out.users.emplace(name, number);
    out.groups.emplace(name, number);
  }
  out.wan = {"eth1", "wg0"};
  out.hosts = {{"home.example.org", {address("10.0.0.1"), address("2001:db8:1:7f::1")}},
               {"nas", {address("10.127.128.255"), address("10.255.0.0")}}};
  return out;
}

const policy::Units& units() {
  static const policy::Units all{
      {"cron.service", {.id = 1001, .level = 2, .slices = {"system.slice"}}},
      {"getty@tty1.service",
       {.id = 0x1'0000'0002, .level = 3, .slices = {"system.slice", "system-getty.slice"}}},
      {"my_app.service", {.id = 1003, .level = 3, .slices = {"apps.slice", "apps-front.slice"}}},
      {"apps-front.slice", {.id = 1004, .level = 2, .slices = {"apps.slice"}}},
      {"system.slice", {.id = 1005, .level = 1, .slices = {}}}};
  return all;
}

policy::Sources sources(std::string policy_yaml, std::string rules_yaml) {
  return {.managed = {{.name = "policy.yaml", .text = std::move(policy_yaml)}},
          .added = {.name = "rules.yaml", .text = std::move(rules_yaml)},
          .surroundings = surroundings()};
}

std::string problems(const policy::Sources& sources) {
  Diagnostics diagnostics;
  (void)policy::load(sources, etc_services, diagnostics);
  return render(diagnostics);
}

std::string problems(const std::string& policy_yaml) {
  return problems(sources(policy_yaml));
}

policy::CheckedPolicy load(const policy::Sources& sources) {
  Diagnostics diagnostics;
  auto policy = policy::load(sources, etc_services, diagnostics);
  if (policy) return *std::move(policy);
  std::cerr << "a policy that a test needs is refused:\n" << render(diagnostics);
  std::abort();
}

policy::CheckedPolicy load(const std::string& policy_yaml) {
  return load(sources(policy_yaml));
}

policy::CheckedPolicy load(const policy::Policy& policy) {
  return load(yaml_text(policy));
}

policy::Rule rule(const std::string& line) {
  Diagnostics diagnostics;
  const Source source{.name = "test", .text = line};
  auto rule = policy::parse_rule(line, source, {.line = 1, .column = 1}, diagnostics);
  if (rule) return *std::move(rule);
  std::cerr << "a rule that a test needs is refused:\n" << render(diagnostics);
  std::abort();
}

Address address(std::string_view text) {
  return Address::parse(text).value();
}

}  // namespace fwctl::testing

namespace fwctl::policy {

void PrintTo(const Rule& rule, std::ostream* out) {
  *out << '\n' << yaml_text(rule);
}

}  // namespace fwctl::policy
