#include "daemon/nftrace.h"

#include <netinet/in.h>  // before linux/netfilter.h

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include <optional>
#include <utility>

#include "daemon/netlink/attributes.h"
#include "daemon/netlink/decode.h"
#include "daemon/netlink/interface_name.h"
#include "daemon/netlink/message.h"
#include "daemon/netlink/socket.h"

namespace fwctl {
namespace {

using netlink::Attributes;
using netlink::interface_name;
using netlink::Socket;

// Beyond this, steps are lost rather than memory used.
constexpr int queue_bytes = 4 << 20;
// Datagrams of one read(), each a step: others want to be served as well.
constexpr int datagrams_at_once = 256;
// Of reading all rules while others change some.
constexpr int tries = 10;

constexpr std::uint16_t nftables(int message) {
  return static_cast<std::uint16_t>(NFNL_SUBSYS_NFTABLES << 8 | message);
}

std::string family_name(std::uint8_t family) {
  switch (family) {
    case NFPROTO_INET:
      return "inet";
    case NFPROTO_IPV4:
      return "ip";
    case NFPROTO_IPV6:
      return "ip6";
    case NFPROTO_BRIDGE:
      return "bridge";
    case NFPROTO_NETDEV:
      return "netdev";
    case NFPROTO_ARP:
      return "arp";
    default:
      return std::to_string(family);
  }
}

std::string verdict_name(std::uint32_t code) {
  switch (static_cast<int>(code)) {
    case NFT_CONTINUE:
      return "continue";
    case NFT_RETURN:
      return "return";
    case NFT_JUMP:
      return "jump";
    case NFT_GOTO:
      return "goto";
    default:
      break;
  }
  switch (code & NF_VERDICT_MASK) {
    case NF_ACCEPT:
      return "accept";
    case NF_DROP:
      return "drop";
    case NF_STOLEN:
      return "stolen";
    case NF_QUEUE:
      return "queue";
    default:
      return std::to_string(code);
  }
}

std::string bytes(const Attributes& attributes, std::uint16_t type) {
  return std::string(attributes.bytes(type).value_or(std::string_view()));
}

// At the end of a chain the kernel may call it a rule that went on, and there is none.
TraceStep::Kind kind_of(const Attributes& attributes) {
  if (attributes.be32(NFTA_TRACE_TYPE) == NFT_TRACETYPE_POLICY) return TraceStep::Kind::policy;
  return attributes.has(NFTA_TRACE_RULE_HANDLE) ? TraceStep::Kind::rule : TraceStep::Kind::end;
}

TraceStep decode(const nlmsghdr& message) {
  const auto* header = static_cast<const nfgenmsg*>(mnl_nlmsg_get_payload(&message));
  const Attributes attributes(message, sizeof(nfgenmsg));
  const Attributes verdict(attributes.get(NFTA_TRACE_VERDICT));
  const auto kind = kind_of(attributes);
  const auto code = kind == TraceStep::Kind::policy ? attributes.be32(NFTA_TRACE_POLICY)
                                                    : verdict.be32(NFTA_VERDICT_CODE);
  return {.packet = attributes.be32(NFTA_TRACE_ID).value_or(0),
          .family = family_name(header->nfgen_family),
          .table = attributes.text(NFTA_TRACE_TABLE),
          .chain = attributes.text(NFTA_TRACE_CHAIN),
          .kind = kind,
          .handle = attributes.be64(NFTA_TRACE_RULE_HANDLE).value_or(0),
          .verdict = verdict_name(code.value_or(static_cast<std::uint32_t>(NFT_CONTINUE))),
          .target = verdict.text(NFTA_VERDICT_CHAIN),
          .header = bytes(attributes, NFTA_TRACE_NETWORK_HEADER),
          .transport = bytes(attributes, NFTA_TRACE_TRANSPORT_HEADER),
          .in = interface_name(attributes.be32(NFTA_TRACE_IIF)),
          .out = interface_name(attributes.be32(NFTA_TRACE_OIF))};
}

}  // namespace

NftraceReader::NftraceReader(Socket socket)
    : socket_(std::make_unique<Socket>(std::move(socket))) {}
NftraceReader::NftraceReader(NftraceReader&& other) noexcept = default;
NftraceReader& NftraceReader::operator=(NftraceReader&& other) noexcept = default;
NftraceReader::~NftraceReader() = default;

Result<NftraceReader> NftraceReader::open() {
  auto socket = Socket::open(NETLINK_NETFILTER);
  if (!socket) return tl::unexpected(socket.error());
  socket->limit_queue(queue_bytes);
  if (auto joined = socket->join(NFNLGRP_NFTRACE); !joined) return tl::unexpected(joined.error());
  return NftraceReader(std::move(*socket));
}

int NftraceReader::descriptor() const {
  return socket_->fd();
}

Result<void> NftraceReader::read(const std::function<void(TraceStep)>& visit) {
  return netlink::for_each_queued(*socket_, datagrams_at_once, [&](const nlmsghdr& message) {
    if (message.nlmsg_type == nftables(NFT_MSG_TRACE) &&
        mnl_nlmsg_get_payload_len(&message) >= sizeof(nfgenmsg))
      visit(decode(message));
  });
}

Result<std::map<std::uint64_t, nft::Rule>> rules_by_handle() {
  auto socket = Socket::open(NETLINK_NETFILTER);
  if (!socket) return tl::unexpected(socket.error());
  netlink::MessageWriter request;
  request.begin(nftables(NFT_MSG_GETRULE), NLM_F_DUMP, 1, NFPROTO_INET);
  request.put_text(NFTA_RULE_TABLE, nft::table_name);
  std::map<std::uint64_t, nft::Rule> rules;
  // What was read before somebody changed something is good: a handle means the same rule for ever.
  for (int left = tries; left > 0; --left) {
    auto dumped = socket->dump(request.finish(), 1, [&](const nlmsghdr& message) -> Result<void> {
      if (netlink::table_of(message) != nft::table_name) return {};
      const auto handle = Attributes(message, sizeof(nfgenmsg)).be64(NFTA_RULE_HANDLE);
      auto rule = netlink::decode_rule(message);
      if (handle && rule) rules[*handle] = std::move(rule->rule);
      return {};
    });
    if (dumped) break;
    if (dumped.error().code != EINTR) return tl::unexpected(dumped.error());
  }
  return rules;
}

}  // namespace fwctl
