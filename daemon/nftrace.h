// What the kernel reports of packets that a rule has marked (`meta nftrace set 1`): step by step,
// through the chains of all tables of this network namespace.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "daemon/result.h"
#include "rules/nft/ruleset.h"

namespace fwctl {

namespace netlink {
class Socket;
}

// A rule that matched, or what became of the packet at the end of a base chain.
struct TraceStep {
  std::uint32_t packet = 0;  // the same for all steps of one; numbers of packets gone come again
  std::string family;        // of the table, as nft calls it: "inet", "ip"
  std::string table;
  std::string chain;
  enum class Kind : std::uint8_t { rule, policy, end } kind = Kind::rule;
  std::uint64_t handle = 0;  // of the rule
  std::string verdict;       // accept, drop, continue, jump, goto, return, queue or stolen
  std::string target;        // of jump and goto
  // Of the packet, there with the first step in each base chain: the IP header, at most 40 bytes,
  // and 20 bytes of what follows behind its extensions.
  std::string header;
  std::string transport;
  std::string in;  // interfaces
  std::string out;

  bool operator==(const TraceStep&) const = default;
};

class NftraceReader {
 public:
  static Result<NftraceReader> open();
  NftraceReader(NftraceReader&& other) noexcept;
  NftraceReader& operator=(NftraceReader&& other) noexcept;
  NftraceReader(const NftraceReader&) = delete;
  NftraceReader& operator=(const NftraceReader&) = delete;
  ~NftraceReader();

  // Readable when there is something. It stays this object's.
  int descriptor() const;
  // As of NflogReader.
  Result<void> read(const std::function<void(TraceStep)>& visit);

 private:
  explicit NftraceReader(netlink::Socket socket);

  std::unique_ptr<netlink::Socket> socket_;
};

// The rules of table inet fwctl by the kernel's handles, of which none is used twice in a table.
// Some may be missing when another program changes rules meanwhile.
Result<std::map<std::uint64_t, nft::Rule>> rules_by_handle();

}  // namespace fwctl
