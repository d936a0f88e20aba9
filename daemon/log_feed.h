// The log of the rules as the daemon keeps it: reads what the kernel hands over, writes it to the
// journal, keeps the newest and tells those who follow.
#pragma once

#include <systemd/sd-event.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/event_source.h"
#include "daemon/firewall.h"
#include "daemon/nflog.h"
#include "daemon/packet_log.h"
#include "daemon/stream.h"

namespace fwctl {

class LogFeed {
 public:
  // `firewall`, which says what a rule's id means, must outlive it.
  explicit LogFeed(const Firewall& firewall);

  // Reads from now on. Where it may not, it says so in the daemon's log and in answers, and tries
  // again at each call of answer(). An error: there is no memory for the event loop. `event` must
  // outlive this.
  Result<void> start(sd_event* event);

  // Of method Log.
  Answer answer(const protocol::Json& parameters, bool more);

 private:
  Result<void> open();
  void read();
  void take(const LoggedPacket& packet);
  void told(const LogEntry& entry);
  void settle();
  void settle_later();

  const Firewall& firewall_;
  PacketLog log_;
  sd_event* event_ = nullptr;
  std::optional<NflogReader> reader_;
  std::string problem_;  // why there is no reader
  EventSource io_;
  EventSource timer_;
  std::vector<std::weak_ptr<Stream>> followers_;
  PacketLog::Time loss_told_;
};

}  // namespace fwctl
