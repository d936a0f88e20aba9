// Whether programs besides this one change table inet fwctl: what the kernel tells everybody of
// each transaction.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>

#include "daemon/netlink/socket.h"

namespace fwctl::netlink {

class ForeignChanges {
 public:
  // Listens from now on. `own`: the netlink port of the socket whose changes are not foreign.
  // `generation` asks for the ruleset's.
  static Result<ForeignChanges> open(std::uint32_t own,
                                     const std::function<Result<std::uint32_t>()>& generation);

  // Whether somebody changed the table since the last such call, up to the ruleset's generation
  // `until`, which has been. True, too, where it cannot be told: the first time, and where messages
  // were lost.
  bool any(std::uint32_t until);

  // Who made the last of these, "nft (process 4711)"; empty where that is not known.
  const std::string& last() const { return last_; }

  // Becomes readable with any change, until that is read here.
  int fd() const { return socket_.fd(); }

  // Reads what is queued, so that it does not fill.
  void catch_up();

  // A transaction of our own so big that telling of it would take longer than doing it goes between
  // these two; with the generations before and after it.
  void pause();
  void go_on(std::uint32_t before, std::uint32_t after);

 private:
  ForeignChanges(Socket socket, std::uint32_t own) : socket_(std::move(socket)), own_(own) {}
  bool told_of(std::uint32_t generation) const;
  void note(const nlmsghdr& message);

  Socket socket_;
  std::uint32_t own_;
  std::uint32_t newest_ = 0;  // generation that was told of
  bool touched_ = true;
  bool in_this_one_ = false;  // so far, in the transaction that is being told of
  std::string last_;
};

}  // namespace fwctl::netlink
