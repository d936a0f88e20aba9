#include "tests/kernel/own_namespace.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <optional>

namespace fwctl::testing {
namespace {

std::optional<ino_t> namespace_of(const char* path) {
  struct stat found{};
  if (stat(path, &found) != 0) return std::nullopt;
  return found.st_ino;
}

// Taken before main(), so before anything could have moved us.
const std::optional<ino_t> started_in = namespace_of("/proc/self/ns/net");

bool made_one = false;

std::string why(const std::string& call) {
  return call + ": " + std::strerror(errno);
}

bool write_file(const char* path, const std::string& text) {
  std::ofstream file(path);
  file << text;
  file.flush();
  return file.good();
}

std::string enter_user_namespace() {
  const std::string user = std::to_string(geteuid());
  const std::string group = std::to_string(getegid());
  if (unshare(CLONE_NEWUSER) != 0) return why("unshare(CLONE_NEWUSER)");
  if (!write_file("/proc/self/setgroups", "deny") ||
      !write_file("/proc/self/uid_map", "0 " + user + " 1") ||
      !write_file("/proc/self/gid_map", "0 " + group + " 1"))
    return "cannot map the user into the new user namespace";
  return {};
}

}  // namespace

std::string enter_new_network_namespace() {
  if (unshare(CLONE_NEWNET) != 0) {
    if (errno != EPERM) return why("unshare(CLONE_NEWNET)");
    if (auto refused = enter_user_namespace(); !refused.empty()) return refused;
    if (unshare(CLONE_NEWNET) != 0) return why("unshare(CLONE_NEWNET) in a user namespace");
  }
  made_one = true;
  return in_own_network_namespace() ? "" : "the kernel left us where we were";
}

bool in_own_network_namespace() {
  const auto now = namespace_of("/proc/self/ns/net");
  if (!made_one || !now || !started_in || now == started_in) return false;
  // Not every user may look at process 1; that we left the one we were started in is certain.
  return now != namespace_of("/proc/1/ns/net");
}

CommandResult run(const std::string& command, const std::string& input) {
  if (!in_own_network_namespace()) {
    (void)std::fputs("REFUSED: a test tried to touch a network namespace that isn't its own\n",
                     stderr);
    std::abort();
  }
  std::array<char, 32> path{"/tmp/fwctl-test-XXXXXX"};
  const int file = mkstemp(path.data());
  if (file < 0) return {-1, why("mkstemp")};
  const bool written =
      write(file, input.data(), input.size()) == static_cast<ssize_t>(input.size());
  close(file);
  CommandResult result;
  FILE* pipe = written ? popen((command + " <" + path.data() + " 2>&1").c_str(), "r") : nullptr;
  if (pipe != nullptr) {
    std::array<char, 4096> part{};
    while (const std::size_t length = fread(part.data(), 1, part.size(), pipe))
      result.output.append(part.data(), length);
    const int status = pclose(pipe);
    result.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  unlink(path.data());
  return result;
}

CommandResult nft(const std::string& arguments, const std::string& input) {
  return run("nft " + arguments, input);
}

}  // namespace fwctl::testing
