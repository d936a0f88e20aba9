// Addresses of host names. A child process asks, so that the event loop never waits for the network
// and no memory that asking takes stays.
#pragma once

#include <sys/types.h>
#include <systemd/sd-event.h>

#include <chrono>
#include <functional>
#include <memory>
#include <set>
#include <string>

#include "daemon/event_source.h"
#include "daemon/result.h"
#include "rules/policy/surroundings.h"

namespace fwctl {

class Resolver {
 public:
  using Names = std::set<std::string, std::less<>>;
  using Answers = policy::Surroundings::Hosts;
  // `answers` is what the wanted names meant when they were last resolved; one that never was is
  // not there. `changed` is called from the event loop when a name there has other addresses than
  // before. `answers` must outlive it.
  static Result<std::unique_ptr<Resolver>> start(sd_event* event, Answers& answers,
                                                 std::function<void()> changed);
  ~Resolver();
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  // These are asked for from now on: at once when one is new, then every few minutes.
  void want(const Names& names);
  // Asks again now, as when the network has come up.
  void ask_again();

 private:
  Resolver(sd_event* event, Answers& answers, std::function<void()> changed)
      : event_(event), answers_(answers), changed_(std::move(changed)) {}
  void ask();
  void take_answers();
  void end_child();
  static int on_answers(sd_event_source* source, int fd, std::uint32_t events, void* data) noexcept;
  static int on_time(sd_event_source* source, std::uint64_t time, void* data) noexcept;

  sd_event* event_;
  Answers& answers_;
  std::function<void()> changed_;
  Names wanted_;
  EventSource timer_;    // when to ask again, or while a child asks, when to give it up
  EventSource reading_;  // while a child asks
  pid_t child_ = -1;
  int answers_fd_ = -1;
  std::string received_;
  bool again_ = false;  // what is wanted has changed since the child was sent
};

}  // namespace fwctl
