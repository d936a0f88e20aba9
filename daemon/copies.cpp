#include "daemon/copies.h"

#include <unistd.h>

#include <algorithm>

#include "daemon/files.h"

namespace fwctl {
namespace {

// "20261122-180000"
std::string for_file_name(Time time) {
  std::string text = time_text(time);
  std::erase_if(text, [](char c) { return c == '-' || c == ':' || c == 'Z'; });
  std::ranges::replace(text, 'T', '-');
  return text;
}

}  // namespace

std::string free_copy_path(const std::filesystem::path& path, Time time) {
  const std::string stamped = path.string() + "." + for_file_name(time);
  std::string out = stamped;
  for (int copy = 2; ::access(out.c_str(), F_OK) == 0; ++copy)
    out = stamped + "-" + std::to_string(copy);
  return out;
}

Copies::~Copies() {
  if (stay_) return;
  for (const auto& [path, copy] : kept_) ::unlink(copy.c_str());
}

Result<void> Copies::keep(const std::filesystem::path& path, std::string_view text, Time time) {
  kept_.emplace_back(path.string(), free_copy_path(path, time));
  if (auto written = write_synced(kept_.back().second, text, for_everyone); !written)
    return written;
  return sync_folder(path.parent_path());
}

}  // namespace fwctl
