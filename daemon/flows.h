// The connections that connection tracking knows, which go on whatever a new policy says.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "daemon/result.h"
#include "rules/address.h"

namespace fwctl {

// As its first packet was, before anything was translated. Ports are in host order, 0 of protocols
// without.
struct Flow {
  std::uint8_t protocol = 0;
  Address from;
  std::uint16_t from_port = 0;
  Address to;
  std::uint16_t to_port = 0;
  // Who answers: `to` unless another destination took its place.
  Address answers;
  std::uint16_t answers_port = 0;
  bool answered = false;  // packets of both directions were seen: they pass as established
  bool over = false;      // of TCP: closed, and only waits to be forgotten
  std::string identity;   // for end_tracking()
};

// Calls visit(flow) for each in the network namespace we are in, until it says false. What comes
// and goes meanwhile may be left out.
Result<void> each_flow(const std::function<bool(const Flow&)>& visit);

// Its next packet is judged as that of a new connection. False: it was over by itself.
Result<bool> end_tracking(const Flow& flow);

}  // namespace fwctl
