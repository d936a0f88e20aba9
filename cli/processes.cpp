#include "cli/processes.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <system_error>

namespace fwctl::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view socket_link = "socket:[";

std::string command(const fs::path& process) {
  std::ifstream file(process / "comm");
  std::string name;
  std::getline(file, name);
  return name;
}

// The inode in "socket:[12345]", 0 for other links.
std::uint64_t socket_inode(const std::string& link) {
  std::uint64_t inode = 0;
  if (link.starts_with(socket_link))
    std::from_chars(link.data() + socket_link.size(), link.data() + link.size(), inode);
  return inode;
}

}  // namespace

Processes Processes::scan() {
  Processes found;
  std::error_code error;
  for (const auto& process : fs::directory_iterator("/proc", error)) {
    const std::string pid = process.path().filename().string();
    if (!std::all_of(pid.begin(), pid.end(), [](char c) { return c >= '0' && c <= '9'; })) continue;
    std::error_code denied;
    for (fs::directory_iterator fds(process.path() / "fd", denied), end; !denied && fds != end;
         fds.increment(denied)) {
      std::error_code gone;
      const auto inode = socket_inode(fs::read_symlink(fds->path(), gone).string());
      if (inode != 0) found.names_.try_emplace(inode, command(process.path()) + " (" + pid + ")");
    }
  }
  return found;
}

std::string Processes::name(std::uint64_t inode) const {
  const auto found = names_.find(inode);
  return found == names_.end() ? std::string() : found->second;
}

}  // namespace fwctl::cli
