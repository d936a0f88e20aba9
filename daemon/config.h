// The folder of policy files, /etc/fwctl, and what the host says of services. Reading only: who
// writes what is the firewall's business.
#pragma once

#include <filesystem>
#include <vector>

#include "daemon/result.h"
#include "rules/policy/parse.h"
#include "rules/policy/services.h"

namespace fwctl {

class ConfigFolder {
 public:
  explicit ConfigFolder(std::filesystem::path folder) : folder_(std::move(folder)) {}

  std::filesystem::path policy_file() const { return folder_ / "policy.yaml"; }
  std::filesystem::path added_file() const { return folder_ / "rules.yaml"; }
  std::filesystem::path enabled_file() const { return folder_ / "enabled"; }

  // policy.yaml, then policy.d/*.yaml in byte order of their names, services.d/*.yaml likewise,
  // rules.yaml, and the files of sets; absent files are left out, an absent rules.yaml is empty.
  // Sources bear their paths as names.
  Result<policy::Sources> read() const;

  // Makes `sources.set_files` those that its sets are read from. Files that it has already stay as
  // they are, others are read; absent ones are left out.
  Result<void> read_sets(policy::Sources& sources) const;

 private:
  std::filesystem::path folder_;
};

// Where a host says what names of services mean, besides the policy.
struct ServicePlaces {
  std::filesystem::path services = "/etc/services";
  // Folders of application profiles; what a later one says of a name counts.
  std::vector<std::filesystem::path> profiles = {"/etc/ufw/applications.d",
                                                 "/etc/fwctl/applications.d"};

  // With fwctl's own profiles below `config` instead.
  static ServicePlaces beside(const std::filesystem::path& config);
};

struct HostServices {
  policy::ServiceTable table;
  Diagnostics warnings;  // of profiles and files that were left out
};

// Never fails: what cannot be read is not there, and said.
HostServices read_services(const ServicePlaces& places);

}  // namespace fwctl
