// Forwards and masquerades as text: their own words, the command line's grammar, and YAML.
//
//   forward 8080/tcp to 10.0.0.5:80 from 192.0.2.0/24 on eth0 comment 'the shop'
//   masquerade out on eth0 from 10.0.0.0/8
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "rules/diagnostic.h"
#include "rules/policy/items.h"
#include "rules/policy/model.h"

namespace fwctl::policy {

// Where a forward leads: "10.0.0.5", "10.0.0.5:80", "2001:db8::5", "[2001:db8::5]:80".
struct Target {
  Address address;
  std::optional<std::uint16_t> port;
};
Parsed<Target> parse_target(std::string_view text);
std::string target_text(const Forward& forward);

using Translation = std::variant<Forward, Masquerade>;

// Whether a list of words begins as a translation does.
bool begins_translation(std::string_view word);

// FORWARD    = forward PORTS to TARGET [from ADDRESSES] [on INTERFACES] [comment TEXT]
// MASQUERADE = masquerade out on INTERFACES [from ADDRESSES] [comment TEXT]
// The clauses behind the first may stand in any order. Diagnostics as of parse_rule(). Comes back
// only without errors; `source` and `managed` are the caller's to set.
std::optional<Translation> parse_translation(const std::vector<std::string>& words,
                                             Diagnostics& diagnostics);

// In that grammar, without the comment.
std::string command_text(const Forward& forward);
std::string command_text(const Masquerade& masquerade);

}  // namespace fwctl::policy
