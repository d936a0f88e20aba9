// What rules with a log send: the packets of one NFLOG group of this network namespace.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "daemon/result.h"

namespace fwctl {

namespace netlink {
class Socket;
}

struct LoggedPacket {
  std::string prefix;  // of the rule
  enum class At : std::uint8_t { input, forward, output, elsewhere } at = At::elsewhere;
  std::string in;          // interfaces; empty where there is none
  std::string out;         //
  std::string mac;         // the sender's 6 bytes, or empty
  std::string_view bytes;  // the first of the packet, from its IP header on; valid during the visit
};

class NflogReader {
 public:
  // EPERM: another program reads this group already. There is one reader for each.
  static Result<NflogReader> open(std::uint16_t group);
  NflogReader(NflogReader&& other) noexcept;
  NflogReader& operator=(NflogReader&& other) noexcept;
  NflogReader(const NflogReader&) = delete;
  NflogReader& operator=(const NflogReader&) = delete;
  ~NflogReader();

  // Readable when there is something. It stays this object's.
  int descriptor() const;
  // Hands over some of what is there; the rest stays for the next time. ENOBUFS: packets were lost
  // since the last time; what is there is good.
  Result<void> read(const std::function<void(const LoggedPacket&)>& visit);

 private:
  explicit NflogReader(netlink::Socket socket);

  std::unique_ptr<netlink::Socket> socket_;
};

}  // namespace fwctl
