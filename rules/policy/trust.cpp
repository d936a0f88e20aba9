#include "rules/policy/trust.h"

#include <array>
#include <cassert>
#include <string>
#include <utility>

#include "rules/policy/grammar.h"

namespace fwctl::policy {
namespace {

// In the command line's grammar. docs/policy.md says of each line what it is for.
constexpr std::array definitions{
    std::pair{"tailscale", "allow in on tailscale0"},
    std::pair{"tailscale", "allow 41641/udp"},
    std::pair{"docker", "route allow in on docker*,br-????????????"},
    std::pair{"podman", "allow in on podman*,cni-podman* 53"},
    std::pair{"podman", "route allow in on podman*,cni-podman*"},
    std::pair{"libvirt", "allow in on virbr* 53"},
    std::pair{"libvirt", "allow in on virbr* 67,547/udp"},
    std::pair{"libvirt", "route allow in on virbr*"},
    std::pair{"k3s", "allow in on cni0,flannel.1"},
    std::pair{"k3s", "route allow in on cni0,flannel.1"},
};

Rule parsed(const std::string& line) {
  Diagnostics problems;
  auto rule = parse_rule(line, {.name = "trust", .text = line}, {}, problems);
  assert(rule.has_value());
  return *std::move(rule);
}

}  // namespace

std::vector<std::string_view> trust_names() {
  std::vector<std::string_view> names;
  for (const auto& [name, line] : definitions)
    if (names.empty() || names.back() != name) names.emplace_back(name);
  return names;
}

std::vector<Rule> rules_of(const Trust& trust) {
  std::vector<Rule> rules;
  for (const auto& [name, line] : definitions) {
    if (trust.name != name) continue;
    Rule rule = parsed(line);
    rule.comment = "trust: " + trust.name;
    rule.source = trust.source;
    rule.at = trust.at;
    rule.layer = Layer::trusted;
    rules.push_back(std::move(rule));
  }
  return rules;
}

}  // namespace fwctl::policy
