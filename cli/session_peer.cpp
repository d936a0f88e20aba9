#include "cli/session_peer.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string_view>

#include "rules/number.h"

namespace fwctl::cli {
namespace {

constexpr std::string_view variable = "SSH_CONNECTION=";
constexpr int most_ancestors = 32;

std::string content(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

std::string first_word(std::string_view text) {
  return std::string(text.substr(0, text.find(' ')));
}

// Of /proc/PID/environ: NAME=VALUE, each ended by a NUL byte.
std::string peer_in(std::string_view environment) {
  while (!environment.empty()) {
    const auto entry = environment.substr(0, environment.find('\0'));
    if (entry.starts_with(variable)) return first_word(entry.substr(variable.size()));
    environment.remove_prefix(std::min(entry.size() + 1, environment.size()));
  }
  return {};
}

// The fourth field of /proc/PID/stat; the second is in parentheses and may have blanks. 0: not
// known.
std::uint64_t parent_of(const std::string& process) {
  const std::string stat = content(process + "/stat");
  const auto name_end = stat.rfind(')');
  if (name_end == std::string::npos || name_end + 4 > stat.size()) return 0;
  const auto field = std::string_view(stat).substr(name_end + 4);  // ") S PPID"
  return parse_number(field.substr(0, field.find(' ')), UINT32_MAX).value_or(0);
}

}  // namespace

std::string session_peer() {
  if (const char* connection = std::getenv("SSH_CONNECTION")) return first_word(connection);
  auto ancestor = static_cast<std::uint64_t>(::getppid());
  for (int steps = 0; ancestor > 1 && steps < most_ancestors; ++steps) {
    const std::string process = "/proc/" + std::to_string(ancestor);
    if (auto peer = peer_in(content(process + "/environ")); !peer.empty()) return peer;
    ancestor = parent_of(process);
  }
  return {};
}

}  // namespace fwctl::cli
