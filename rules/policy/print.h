// A policy as text again. What is printed parses to the same value: parse(print(x)) == x.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rules/policy/model.h"

namespace fwctl::policy {

// In the command line's grammar, without the comment: "allow in on eth0 80,443/tcp".
std::string command_text(const Rule& rule);

// What a rule is about, for tables: "80,443/tcp", "any", "esp"; and where from: "anywhere",
// "10.0.0.0/8 port 53", "anywhere to 192.0.2.1".
std::string what_text(const Rule& rule);
std::string from_text(const Rule& rule);

// One item of a YAML list, indented by two, ending with a newline.
std::string yaml_text(const Rule& rule);
std::string yaml_text(const Forward& forward);
std::string yaml_text(const Masquerade& masquerade);

// The whole of rules.yaml: what fwctl itself added, rules and sets, and the defaults and the
// level of logging it was told to override.
struct Added {
  std::vector<Rule> before;
  std::vector<Rule> rules;
  std::vector<AddressSet> sets;
  std::array<std::optional<Verdict>, 3> defaults;  // by Traffic
  std::optional<Logging> logging;
  std::vector<Forward> forwards;
  std::vector<Masquerade> masquerades;
};
// The rules come last, so that one more is one more item at its end.
std::string yaml_text(const Added& added);

// Where, in a rules.yaml as yaml_text() makes it, entries of that set may come behind the others,
// each as ", " and entry_text(). nullopt where it is not there, or no list of entries that stay.
std::optional<std::size_t> end_of_entries(std::string_view text, const std::string& set);
std::string entry_text(const AddressRange& range);

// The policy in force as one file.
std::string yaml_text(const Policy& policy);

// First line of a rules.yaml.
extern const std::string_view machine_written;

}  // namespace fwctl::policy
