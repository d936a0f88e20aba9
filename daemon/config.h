// The folder of policy files, /etc/fwctl. Reading only: who writes what is the firewall's business.
#pragma once

#include <filesystem>

#include "daemon/result.h"
#include "rules/policy/parse.h"

namespace fwctl {

class ConfigFolder {
 public:
  explicit ConfigFolder(std::filesystem::path folder) : folder_(std::move(folder)) {}

  std::filesystem::path policy_file() const { return folder_ / "policy.yaml"; }
  std::filesystem::path added_file() const { return folder_ / "rules.yaml"; }

  // policy.yaml, then policy.d/*.yaml in byte order of their names, and rules.yaml; absent files
  // are left out, an absent rules.yaml is empty. Sources bear their paths as names.
  Result<policy::Sources> read() const;

 private:
  std::filesystem::path folder_;
};

}  // namespace fwctl
