// The command line of fwctl: what may be typed, and its help.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/style.h"

namespace fwctl::cli {

enum class Verb : std::uint8_t {
  rule,  // `words` begins with allow, deny, reject, limit, route, forward or masquerade
  insert,
  prepend,
  remove,
  set_default,
  set_logging,
  status,
  ports,
  explain,
  log,
  trace,
  enable,
  disable,
  panic,
  cut,
  check,
  apply,
  diff,
  reload,
  show,
  reset,
  confirm,
  rollback,
  history,
  app_list,
  app_info,
  app_update,
  app_default,
  ban,
  unban,
  bans,
  set_list,
  set_show,
  set_edit,
};

struct Arguments {
  Verb verb = Verb::status;
  std::vector<std::string> words;  // of rules, selections and questions; addresses of set and ban;
                                   // of bans, maybe one
  std::int64_t position = 0;       // of insert
  std::string file;                // of check, apply, diff; may be empty for check and diff
  std::string what;           // of show, logging, panic, app default; the verdict of default; what
                              // is done to a set: add, remove, replace, delete
  std::string name;           // of a set; of app info and app update: of a service, or "all"
  bool add_new = false;       // of app update
  bool all = false;           // of unban
  std::string direction;      // of default
  bool verbose = false;       // of status
  bool follow = false;        // of log
  bool connections = false;   // of trace
  std::int64_t packets = 0;   // of trace; 0: no bound
  std::int64_t seconds = 60;  // of trace
  std::int64_t lines = 20;    // of log
  bool force = false;         // don't ask
  bool dry_run = false;
  std::optional<std::chrono::seconds> confirm;  // of every command that changes the policy
  bool allow_lockout = false;                   // of the same, and of cut
  bool cut = false;                             // of the same: end what goes on
  bool denied = false;                          // of cut
  std::optional<std::int64_t> generation;       // of rollback and history
  bool json = false;
  ColorChoice color = ColorChoice::automatic;
  std::string socket;
};

// Exit codes of every command.
constexpr int exit_done = 0;
constexpr int exit_refused = 1;
constexpr int exit_usage = 2;
constexpr int exit_no_permission = 3;
constexpr int exit_no_daemon = 4;

// nullopt when there is nothing left to do (--help, a mistake); `exit_code` is set then.
std::optional<Arguments> parse_arguments(int argc, char** argv, int& exit_code);

}  // namespace fwctl::cli
