#include "daemon/netlink/foreign_changes.h"

#include <netinet/in.h>  // before linux/netfilter.h

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <poll.h>

#include <utility>

#include "daemon/netlink/attributes.h"
#include "daemon/netlink/decode.h"
#include "rules/nft/ruleset.h"

namespace fwctl::netlink {
namespace {

// Others may load big tables meanwhile. The memory is used only while messages are queued.
constexpr int queue_bytes = 2 << 20;
// A transaction counts as done a moment before it is told of.
constexpr int patience_ms = 200;

// Whose transaction it was.
std::string program(const Attributes& generation) {
  auto name = generation.text(NFTA_GEN_PROC_NAME);
  const auto process = generation.be32(NFTA_GEN_PROC_PID);
  if (name.empty() || !process) return name;
  return name + " (process " + std::to_string(*process) + ")";
}

}  // namespace

Result<ForeignChanges> ForeignChanges::open(
    std::uint32_t own, const std::function<Result<std::uint32_t>()>& generation) {
  auto socket = Socket::open(NETLINK_NETFILTER);
  if (!socket) return tl::unexpected(socket.error());
  socket->limit_queue(queue_bytes);
  if (auto joined = socket->join(NFNLGRP_NFTABLES); !joined) return tl::unexpected(joined.error());
  const auto current = generation();
  if (!current) return tl::unexpected(current.error());
  ForeignChanges out(std::move(*socket), own);
  out.newest_ = *current;
  return out;
}

// They are counted up, and begin again at 0 some day.
bool ForeignChanges::told_of(std::uint32_t generation) const {
  return static_cast<std::int32_t>(newest_ - generation) >= 0;
}

bool ForeignChanges::any(std::uint32_t until) {
  catch_up();
  while (!touched_ && !told_of(until)) {
    pollfd waiting{.fd = socket_.fd(), .events = POLLIN, .revents = 0};
    if (poll(&waiting, 1, patience_ms) <= 0) touched_ = true;
    catch_up();
  }
  if (!told_of(until)) newest_ = until;  // it will not be
  return std::exchange(touched_, false);
}

void ForeignChanges::catch_up() {
  for (;;) {
    const auto datagram = socket_.receive_queued();
    if (!datagram) {
      touched_ = true;  // ENOBUFS: some were lost
      last_.clear();
      if (datagram.error().code != ENOBUFS) return;
      continue;
    }
    const auto& queued = *datagram;
    if (!queued) return;
    for_each_message(*queued, [this](const nlmsghdr& message) { note(message); });
  }
}

void ForeignChanges::note(const nlmsghdr& message) {
  if (message.nlmsg_type >> 8 != NFNL_SUBSYS_NFTABLES ||
      mnl_nlmsg_get_payload_len(&message) < sizeof(nfgenmsg))
    return;
  if ((message.nlmsg_type & 0xff) == NFT_MSG_NEWGEN) {
    const Attributes of_it(message, sizeof(nfgenmsg));
    newest_ = of_it.be32(NFTA_GEN_ID).value_or(newest_);
    if (std::exchange(in_this_one_, false)) last_ = program(of_it);
    return;
  }
  const auto* header = static_cast<const nfgenmsg*>(mnl_nlmsg_get_payload(&message));
  if (message.nlmsg_pid != own_ && header->nfgen_family == NFPROTO_INET &&
      table_of(message) == nft::table_name)
    touched_ = in_this_one_ = true;
}

void ForeignChanges::pause() {
  catch_up();
  if (!socket_.leave(NFNLGRP_NFTABLES)) touched_ = true;
}

void ForeignChanges::go_on(std::uint32_t before, std::uint32_t after) {
  if (!socket_.join(NFNLGRP_NFTABLES)) touched_ = true;
  catch_up();
  if (!told_of(before) || after - before > 1) touched_ = true;
  newest_ = after;
}

}  // namespace fwctl::netlink
