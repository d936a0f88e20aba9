#include "daemon/netlink/kernel.h"

#include <netinet/in.h>  // before linux/netfilter.h

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include <utility>

#include "daemon/netlink/encode.h"
#include "daemon/netlink/foreign_changes.h"
#include "daemon/netlink/socket.h"
#include "daemon/netlink/table_reader.h"

namespace fwctl {
namespace {

using netlink::Batch;
using netlink::Ending;
using netlink::ForeignChanges;
using netlink::Socket;

// Of a transaction. To be told of one takes about as long as to send it.
constexpr std::size_t many_bytes = std::size_t{64} << 10;

class NetlinkKernel final : public Kernel {
 public:
  explicit NetlinkKernel(Socket socket) : socket_(std::move(socket)) {}

  Result<void> listen() {
    const auto own = socket_.port();
    if (!own) return tl::unexpected(own.error());
    own_port_ = *own;
    auto others = ForeignChanges::open(*own, [this] { return revision(); });
    if (!others) return tl::unexpected(others.error());
    others_.emplace(std::move(*others));
    return {};
  }

  Result<std::optional<nft::Ruleset>> read() override {
    return netlink::read_table(socket_, sequence_, netlink::Elements::all);
  }

  Result<std::optional<nft::Ruleset>> read_hits() override {
    return netlink::read_table(socket_, sequence_, netlink::Elements::counting);
  }

  // By trying: which kernels have it is nowhere to be read. Nothing is made, not even for a moment.
  Result<void> try_owning() {
    batch_.encode_trial_of_owning(sequence_);
    const auto outcome = transact_encoded();
    if (!outcome && outcome.error().refusals.empty()) return tl::unexpected(outcome.error().error);
    can_own_ = outcome.has_value();
    return {};
  }
  bool can_own() const override { return can_own_; }

  Result<Owner> owner() override {
    const auto owner = netlink::read_owner(socket_, sequence_);
    if (!owner) return tl::unexpected(owner.error());
    if (!*owner) return Owner::anyone;
    return **owner == own_port_ ? Owner::us : Owner::another;
  }

  bool touched(std::uint32_t until) override { return others_->any(until); }
  std::string toucher() const override { return others_->last(); }
  int notices() const override { return others_->fd(); }

  Result<std::uint32_t> revision() override { return netlink::read_generation(socket_, sequence_); }

  tl::expected<void, TransactionError> check(const nft::Changes& changes) override {
    return transact(changes, Ending::check_only);
  }

  tl::expected<void, TransactionError> apply(const nft::Changes& changes) override {
    return transact(changes, Ending::commit);
  }

 private:
  tl::expected<void, TransactionError> transact(const nft::Changes& changes, Ending ending) {
    if (changes.empty()) return {};
    batch_.encode(changes, sequence_, ending);
    return transact_encoded();
  }

  tl::expected<void, TransactionError> transact_encoded() {
    auto outcome = send_batch();
    sequence_ = batch_.last_sequence() + 1;
    batch_.clear();
    return outcome;
  }

  tl::expected<void, TransactionError> send_batch() {
    const std::string_view messages = batch_.messages();
    if (batch_.overflowed())
      return tl::unexpected(TransactionError{failed("encode", "a rule", EMSGSIZE).value(), {}});
    if (messages.size() < many_bytes) {
      auto outcome = exchange(messages);
      others_->catch_up();
      return outcome;
    }
    const auto before = revision();
    others_->pause();
    auto outcome = exchange(messages);
    const auto after = revision();
    // Nobody knows then: more than one.
    others_->go_on(before.value_or(0), after.value_or(2));
    return outcome;
  }

  tl::expected<void, TransactionError> exchange(std::string_view messages) {
    if (auto sent = socket_.send(messages); !sent)
      return tl::unexpected(TransactionError{sent.error(), {}});
    return collect_replies();
  }

  // The kernel has queued all it has to say by now, and says nothing when it took everything.
  tl::expected<void, TransactionError> collect_replies() {
    TransactionError refused;
    for (;;) {
      const auto datagram = socket_.receive_queued();
      if (!datagram) {
        // ENOBUFS: so many were refused that replies were lost. The rest of the queue is still
        // good.
        refused.error = datagram.error();
        if (datagram.error().code != ENOBUFS) break;
        continue;
      }
      const auto& queued = *datagram;
      if (!queued) break;
      netlink::for_each_message(*queued,
                                [&](const nlmsghdr& message) { note_reply(message, refused); });
    }
    if (!refused.refusals.empty())
      refused.error = Error{"change", "table inet fwctl", refused.refusals.front().code, {}};
    if (refused.error.code == 0) return {};
    return tl::unexpected(std::move(refused));
  }

  void note_reply(const nlmsghdr& message, TransactionError& refused) const {
    if (message.nlmsg_type != NLMSG_ERROR) return;
    const int code = netlink::error_in(message);
    if (code == 0) return;
    if (const auto change = batch_.change_of(message.nlmsg_seq)) {
      const bool known = !refused.refusals.empty() && refused.refusals.back().index == *change;
      if (!known) refused.refusals.push_back({*change, code});
    } else if (message.nlmsg_seq == batch_.first_sequence()) {
      refused.error = Error{"change", "table inet fwctl", code, {}};
    }
  }

  // All that is written goes through this one, since it is who owns the table.
  Socket socket_;
  std::uint32_t own_port_ = 0;
  bool can_own_ = false;
  std::optional<ForeignChanges> others_;
  Batch batch_;
  std::uint32_t sequence_ = 1;
};

}  // namespace

Result<std::unique_ptr<Kernel>> open_kernel() {
  auto socket = Socket::open(NETLINK_NETFILTER);
  if (!socket) return tl::unexpected(socket.error());
  auto kernel = std::make_unique<NetlinkKernel>(std::move(*socket));
  if (auto listening = kernel->listen(); !listening) return tl::unexpected(listening.error());
  if (auto tried = kernel->try_owning(); !tried) return tl::unexpected(tried.error());
  return kernel;
}

}  // namespace fwctl
