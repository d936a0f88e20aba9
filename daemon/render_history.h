// What is kept of earlier generations, as JSON.
#pragma once

#include <cstdint>
#include <tl/expected.hpp>

#include "daemon/firewall.h"
#include "daemon/protocol/message.h"

namespace fwctl {

// All that are kept, the newest first.
protocol::Json history_json(const Firewall& firewall);
// One of them, with what it changed.
tl::expected<protocol::Json, Failure> generation_json(const Firewall& firewall,
                                                      std::uint64_t number);

}  // namespace fwctl
