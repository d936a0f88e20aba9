// What the kernel says of packets before and behind the firewall: a table of the test's own, whose
// chains log (NFLOG) what connection tracking found, ahead of the firewall's priority, and what
// passed, behind it, and of that what leaves the host, behind what nat did to it. There everything
// ends: nothing is delivered, sent or remembered by connection tracking, except what goes over lo.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "rules/evaluate.h"

struct mnl_socket;

namespace fwctl::testing {

enum class Place : std::uint8_t { received, before, behind, leaving };

struct Sighting {
  Place place = Place::received;
  policy::Traffic traffic = policy::Traffic::incoming;  // the hook; of `before` and `behind`
  policy::State state = policy::State::fresh;           // of `before` only
  bool tracked = true;                                  // the same
  unsigned interface = 0;                               // index of the one it is in on, else out on
  std::string_view bytes;                               // the beginning of the packet
};

class Witness {
 public:
  // In the network namespace we are in. Packets from outside whose DSCP is 1 to `routes`, 63 at
  // most, are routed with that mark. nullptr, and `problem` says why.
  static std::unique_ptr<Witness> open(int routes, std::string& problem);
  Witness(const Witness&) = delete;
  Witness& operator=(const Witness&) = delete;
  ~Witness();

  // Everything seen so far, in order; waits for the first for at most `patience`. False when
  // nothing came.
  bool read(const std::function<void(const Sighting&)>& visit,
            std::chrono::milliseconds patience = std::chrono::milliseconds(0));

 private:
  explicit Witness(mnl_socket* socket) : socket_(socket) {}
  std::string bind();
  mnl_socket* socket_;
  std::string buffer_;
};

}  // namespace fwctl::testing
