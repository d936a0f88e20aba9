#include "cli/ssh_connections.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <optional>
#include <string_view>

#include "rules/number.h"

namespace fwctl::cli {
namespace {

constexpr const char* variable = "SSH_CONNECTION";
constexpr int most_ancestors = 64;

// What /proc/PID/stat says of it.
struct Process {
  std::string name;
  std::uint64_t parent = 0;
  std::uint64_t terminal = 0;  // device number; 0: none
};

// Empty where it cannot be read. Without a stream: this is read of each ancestor, at each change.
std::string content(const std::string& path) {
  std::string out;
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return out;
  std::array<char, 4096> piece;  // NOLINT(*-member-init): read fills it
  ssize_t size = 0;
  do {
    size = ::read(file, piece.data(), piece.size());
    if (size > 0) out.append(piece.data(), static_cast<std::size_t>(size));
  } while (size == static_cast<ssize_t>(piece.size()));
  ::close(file);
  return out;
}

std::string folder_of(std::uint64_t pid) {
  return "/proc/" + std::to_string(pid);
}

// Leaves what is behind it.
std::string_view next_word(std::string_view& text) {
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  const auto word = text.substr(0, text.find(' '));
  text.remove_prefix(word.size());
  return word;
}

// PID (NAME) STATE PARENT GROUP SESSION TERMINAL ...; the name may have blanks and parentheses.
std::optional<Process> process(std::uint64_t pid) {
  const std::string stat = content(folder_of(pid) + "/stat");
  const auto begin = stat.find('(');
  const auto end = stat.rfind(')');
  if (begin == std::string::npos || end == std::string::npos) return {};
  std::string_view rest = std::string_view(stat).substr(end + 1);
  next_word(rest);
  const auto parent = parse_number(next_word(rest), UINT32_MAX);
  next_word(rest);
  next_word(rest);
  const auto terminal = parse_number(next_word(rest), UINT32_MAX);
  if (!parent) return {};
  return Process{.name = stat.substr(begin + 1, end - begin - 1),
                 .parent = *parent,
                 .terminal = terminal.value_or(0)};
}

// Newer versions have a program of its own for each connection.
bool is_sshd(const Process& process) {
  return process.name == "sshd" || process.name == "sshd-session";
}

bool is_multiplexer(const Process& process) {
  return process.name.starts_with("tmux") || process.name == "screen" || process.name == "SCREEN";
}

// Device numbers as proc_pid_stat(5) packs them; those of pts are the kernel's (devices.txt).
bool is_pseudo_terminal(std::uint64_t device) {
  const auto major = device >> 8U & 0xfffU;
  return major >= 136 && major <= 143;
}

std::optional<SshConnection> parse(std::string_view text) {
  const std::string_view from = next_word(text);
  const auto from_port = parse_number(next_word(text), UINT16_MAX);
  const std::string_view to = next_word(text);
  const auto to_port = parse_number(next_word(text), UINT16_MAX);
  if (!from_port || !to_port) return {};
  return SshConnection{.from = std::string(from),
                       .from_port = static_cast<std::int64_t>(*from_port),
                       .to = std::string(to),
                       .to_port = static_cast<std::int64_t>(*to_port)};
}

// Of /proc/PID/environ, as it was when the program began: NAME=VALUE, each ended by a NUL byte.
std::optional<SshConnection> connection_of(std::uint64_t pid) {
  const std::string environment = content(folder_of(pid) + "/environ");
  const std::string wanted = std::string(variable) + "=";
  for (std::string_view left = environment; !left.empty();) {
    const auto entry = left.substr(0, left.find('\0'));
    if (entry.starts_with(wanted)) return parse(entry.substr(wanted.size()));
    left.remove_prefix(std::min(entry.size() + 1, left.size()));
  }
  return {};
}

// What was handed down; stale in a multiplexer that was started in another session.
std::optional<SshConnection> inherited() {
  const char* text = std::getenv(variable);
  return text != nullptr ? parse(text) : std::nullopt;
}

using Processes = std::map<std::uint64_t, Process>;

Processes all_processes() {
  Processes out;
  std::error_code error;
  for (auto entry = std::filesystem::directory_iterator("/proc", error);
       !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    const auto pid = parse_number(entry->path().filename().string(), INT32_MAX);
    if (!pid) continue;
    if (auto found = process(*pid)) out.emplace(*pid, *std::move(found));
  }
  return out;
}

// What sshd started for a connection, among that process and its ancestors.
std::optional<std::uint64_t> session_of(std::uint64_t pid, const Processes& all) {
  for (int steps = 0; steps < most_ancestors; ++steps) {
    const auto found = all.find(pid);
    if (found == all.end()) return {};
    const auto parent = all.find(found->second.parent);
    if (parent == all.end()) return {};
    if (is_sshd(parent->second) && !is_sshd(found->second)) return pid;
    pid = parent->first;
  }
  return {};
}

void add(std::vector<SshConnection>& to, const std::optional<SshConnection>& connection) {
  if (connection && std::ranges::find(to, *connection) == to.end()) to.push_back(*connection);
}

// Over which people are here now; those at a multiplexer only, if there are any and it is asked
// for.
std::vector<SshConnection> all_connections(bool at_multiplexer) {
  std::vector<SshConnection> with_client;
  std::vector<SshConnection> all;
  const auto processes = all_processes();
  for (const auto& [pid, process] : processes) {
    const auto session = session_of(pid, processes);
    if (!session) continue;
    if (is_multiplexer(process)) add(with_client, connection_of(*session));
    if (*session == pid) add(all, connection_of(pid));
  }
  return at_multiplexer && !with_client.empty() ? with_client : all;
}

}  // namespace

std::vector<SshConnection> ssh_connections(Search search) {
  auto pid = static_cast<std::uint64_t>(::getpid());
  auto one = process(pid);
  const bool interactive =
      (one && is_pseudo_terminal(one->terminal)) || std::getenv(variable) != nullptr;
  bool in_multiplexer = false;
  std::vector<SshConnection> out;
  for (int steps = 0; one && one->parent > 1 && steps < most_ancestors; ++steps) {
    auto parent = process(one->parent);
    if (parent && is_sshd(*parent) && !is_sshd(*one)) {
      // This process knows what sshd told it. Another user's may be closed to us.
      add(out, connection_of(pid));
      if (out.empty()) add(out, inherited());
      return out;
    }
    pid = one->parent;
    one = std::move(parent);
    in_multiplexer = in_multiplexer || (one && is_multiplexer(*one));
  }
  if (interactive && search == Search::thorough) out = all_connections(in_multiplexer);
  if (out.empty()) add(out, inherited());
  return out;
}

}  // namespace fwctl::cli
