#include "daemon/config.h"

#include <algorithm>
#include <system_error>
#include <vector>

#include "daemon/files.h"

namespace fwctl {
namespace {

Result<std::vector<std::filesystem::path>> yaml_files(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  std::error_code error;
  std::filesystem::directory_iterator entries(folder, error);
  if (error == std::errc::no_such_file_or_directory) return files;
  for (const std::filesystem::directory_iterator end; !error && entries != end;
       entries.increment(error)) {
    const auto& path = entries->path();
    if (path.extension() == ".yaml" && path.filename().string().front() != '.')
      files.push_back(path);
  }
  if (error) return failed("list", folder.string(), error.value());
  std::sort(files.begin(), files.end(),
            [](const auto& a, const auto& b) { return a.native() < b.native(); });
  return files;
}

}  // namespace

Result<policy::Sources> ConfigFolder::read() const {
  policy::Sources sources;
  auto files = yaml_files(folder_ / "policy.d");
  if (!files) return tl::unexpected(files.error());
  files->insert(files->begin(), policy_file());
  for (const auto& path : *files) {
    auto text = read_file(path);
    if (!text) return tl::unexpected(text.error());
    if (*text) sources.managed.push_back({.name = path.string(), .text = std::move(**text)});
  }
  sources.added.name = added_file().string();
  auto added = read_file(added_file());
  if (!added) return tl::unexpected(added.error());
  if (*added) sources.added.text = std::move(**added);
  return sources;
}

}  // namespace fwctl
