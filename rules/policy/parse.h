// Policy files to a Policy, with every problem in them at once.
#pragma once

#include <vector>

#include "rules/diagnostic.h"
#include "rules/policy/model.h"
#include "rules/policy/print.h"

namespace fwctl::policy {

// All files of one policy. `managed` are policy.yaml and policy.d/*.yaml in the order they are
// read; `added` is rules.yaml.
struct Sources {
  std::vector<Source> managed;
  Source added{.name = "rules.yaml", .text = {}};
  // The lines of /etc/services that the policy relied on when it was put in force, in the same
  // format, so that it means the same later. Empty while that has not happened.
  std::string services;

  // By Rule::source: the managed files in order, then `added`.
  const Source& at(std::size_t index) const {
    return index < managed.size() ? managed[index] : added;
  }
  bool operator==(const Sources&) const = default;
};

struct ParsedPolicy {
  Policy policy;
  Added added;  // what rules.yaml alone says, to be changed and printed again
};

// Appends what is wrong to `diagnostics`; the result is worth using only if nothing there is an
// error.
ParsedPolicy parse(const Sources& sources, Diagnostics& diagnostics);

}  // namespace fwctl::policy
