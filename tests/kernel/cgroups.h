// Cgroups (version 2) that stand for the units of tests/unit/policies.h, below one of the test's
// own.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "rules/policy/unit.h"

namespace fwctl::testing {

class Cgroups {
 public:
  // Makes them, as far as this process may; they go with the object.
  Cgroups();
  Cgroups(const Cgroups&) = delete;
  Cgroups& operator=(const Cgroups&) = delete;
  ~Cgroups();

  // None where nobody may make any.
  const policy::Units& units() const { return units_; }
  // Into one of units(); the sockets that this process opens then are that unit's.
  bool enter(const std::string& unit) const;
  void leave() const;

 private:
  bool make();
  std::filesystem::path path_of(const std::string& unit) const;

  std::filesystem::path before_;  // where this process was
  std::filesystem::path root_;
  std::vector<std::filesystem::path> made_;
  policy::Units units_;
};

}  // namespace fwctl::testing
