#include "daemon/config.h"

#include <algorithm>
#include <system_error>
#include <vector>

#include "daemon/files.h"
#include "rules/policy/profiles.h"

namespace fwctl {
namespace {

using Paths = std::vector<std::filesystem::path>;

constexpr std::size_t largest_services = 16UL << 20;
constexpr std::size_t largest_set_file = 64UL << 20;
constexpr std::size_t largest_profile_file = 1UL << 20;

// In byte order; none where there is no such folder.
template <typename Wanted>
Result<Paths> files_in(const std::filesystem::path& folder, Wanted wanted) {
  Paths files;
  std::error_code error;
  std::filesystem::directory_iterator entries(folder, error);
  if (error == std::errc::no_such_file_or_directory) return files;
  for (const std::filesystem::directory_iterator end; !error && entries != end;
       entries.increment(error)) {
    if (wanted(*entries)) files.push_back(entries->path());
  }
  if (error) return failed("list", folder.string(), error.value());
  std::sort(files.begin(), files.end(),
            [](const auto& a, const auto& b) { return a.native() < b.native(); });
  return files;
}

Result<void> read_yaml_files(const std::filesystem::path& folder, std::vector<Source>& into) {
  const auto files = files_in(folder, [](const std::filesystem::directory_entry& entry) {
    const auto& path = entry.path();
    return path.extension() == ".yaml" && path.filename().string().front() != '.';
  });
  if (!files) return tl::unexpected(files.error());
  for (const auto& path : *files) {
    auto text = read_file(path);
    if (!text) return tl::unexpected(text.error());
    if (*text) into.push_back({.name = path.string(), .text = std::move(**text)});
  }
  return {};
}

void read_profiles(const std::filesystem::path& folder, std::vector<Source>& into,
                   Diagnostics& warnings) {
  const auto warn = [&](const std::filesystem::path& path, const Error& error) {
    warnings.push_back(warning_in({.name = path.string(), .text = {}}, {}, error.message()));
  };
  const auto files = files_in(folder, [](const std::filesystem::directory_entry& entry) {
    std::error_code unreadable;
    return policy::is_profile_file(entry.path().filename().string()) &&
           entry.is_regular_file(unreadable);
  });
  if (!files) return warn(folder, files.error());
  for (const auto& path : *files) {
    auto text = read_file(path, largest_profile_file);
    if (!text)
      warn(path, text.error());
    else if (*text)
      into.push_back({.name = path.string(), .text = std::move(**text)});
  }
}

}  // namespace

Result<policy::Sources> ConfigFolder::read() const {
  policy::Sources sources;
  auto policy = read_file(policy_file());
  if (!policy) return tl::unexpected(policy.error());
  if (*policy)
    sources.managed.push_back({.name = policy_file().string(), .text = std::move(**policy)});
  if (auto read = read_yaml_files(folder_ / "policy.d", sources.managed); !read)
    return tl::unexpected(read.error());
  if (auto read = read_yaml_files(folder_ / "services.d", sources.definitions); !read)
    return tl::unexpected(read.error());
  sources.added.name = added_file().string();
  auto added = read_file(added_file());
  if (!added) return tl::unexpected(added.error());
  if (*added) sources.added.text = std::move(**added);
  if (auto sets = read_sets(sources); !sets) return tl::unexpected(sets.error());
  return sources;
}

Result<void> ConfigFolder::read_sets(policy::Sources& sources) const {
  sources.added.name = added_file().string();
  std::vector<Source> files;
  for (auto& path : policy::set_files(sources)) {
    const auto known = std::find_if(sources.set_files.begin(), sources.set_files.end(),
                                    [&](const Source& source) { return source.name == path; });
    if (known != sources.set_files.end()) {
      files.push_back(std::move(*known));
      continue;
    }
    auto text = read_file(path, largest_set_file);
    if (!text) return tl::unexpected(text.error());
    if (*text) files.push_back({.name = std::move(path), .text = std::move(**text)});
  }
  sources.set_files = std::move(files);
  return {};
}

ServicePlaces ServicePlaces::beside(const std::filesystem::path& config) {
  ServicePlaces places;
  places.profiles.back() = config / "applications.d";
  return places;
}

HostServices read_services(const ServicePlaces& places) {
  HostServices out;
  const auto file = read_file(places.services, largest_services);
  const std::string text = file ? file->value_or(std::string()) : std::string();
  if (!file)
    out.warnings.push_back(
        warning_in({.name = places.services.string(), .text = {}}, {}, file.error().message()));
  std::vector<Source> profiles;
  for (const auto& folder : places.profiles) read_profiles(folder, profiles, out.warnings);
  out.table = policy::ServiceTable(text, policy::parse_profiles(profiles, text, out.warnings));
  return out;
}

}  // namespace fwctl
