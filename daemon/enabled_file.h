// The file /etc/fwctl/enabled: there while the firewall is. The store says that too, and better;
// the file counts where there is no store: on a host that has lost /var, and on a new one.
#pragma once

#include <filesystem>

#include "daemon/result.h"

namespace fwctl {

class EnabledFile {
 public:
  explicit EnabledFile(std::filesystem::path path) : path_(std::move(path)) {}

  const std::filesystem::path& path() const { return path_; }
  bool is_there() const;
  // On disk when it returns. Does nothing where that is so already.
  Result<void> put(bool there) const;

 private:
  std::filesystem::path path_;
};

}  // namespace fwctl
