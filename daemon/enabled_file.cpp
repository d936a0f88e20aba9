#include "daemon/enabled_file.h"

#include <string_view>
#include <system_error>

#include "daemon/files.h"

namespace fwctl {
namespace {

constexpr std::string_view content =
    "# 'fwctl enable' makes this file, 'fwctl disable' removes it. It counts where nothing is\n"
    "# stored in /var/lib/fwctl: then it says that the policy of the files is to be in force.\n";

}  // namespace

bool EnabledFile::is_there() const {
  std::error_code unknown;
  return std::filesystem::exists(std::filesystem::symlink_status(path_, unknown));
}

Result<void> EnabledFile::put(bool there) const {
  if (is_there() == there) return {};
  if (!there) return remove_durably(path_);
  auto staged = StagedFile::write(path_, content);
  return staged ? staged->publish() : Result<void>(tl::unexpected(staged.error()));
}

}  // namespace fwctl
