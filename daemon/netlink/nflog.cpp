#include "daemon/nflog.h"

#include <arpa/inet.h>
#include <netinet/in.h>  // before linux/netfilter.h

#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_log.h>

#include <cstring>
#include <utility>

#include "daemon/netlink/attributes.h"
#include "daemon/netlink/interface_name.h"
#include "daemon/netlink/message.h"
#include "daemon/netlink/socket.h"

namespace fwctl {
namespace {

using netlink::Attributes;
using netlink::interface_name;
using netlink::MessageWriter;
using netlink::Socket;

// Headers, also behind a few extensions of IPv6.
constexpr std::uint32_t bytes_of_a_packet = 192;
// Packets the kernel gathers before it wakes us, and how long it waits for them, in 10 ms.
constexpr std::uint32_t packets_at_once = 32;
constexpr std::uint32_t longest_wait = 5;
// Beyond this, packets are lost rather than memory used.
constexpr int queue_bytes = 1 << 20;
// Datagrams of one read(): others want to be served as well.
constexpr int datagrams_at_once = 16;

constexpr std::uint16_t config_message = NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_CONFIG;
constexpr std::uint16_t packet_message = NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_PACKET;

template <typename T>
std::string_view bytes_of(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof(value)};
}

tl::unexpected<Error> not_read(std::uint16_t group, int code) {
  return failed("read", "NFLOG group " + std::to_string(group), code,
                code == EPERM ? "another program reads it" : "");
}

LoggedPacket::At place(const Attributes& attributes) {
  nfulnl_msg_packet_hdr header{};
  const auto bytes = attributes.bytes(NFULA_PACKET_HDR);
  if (!bytes || bytes->size() < sizeof(header)) return LoggedPacket::At::elsewhere;
  std::memcpy(&header, bytes->data(), sizeof(header));
  switch (header.hook) {
    case NF_INET_LOCAL_IN:
      return LoggedPacket::At::input;
    case NF_INET_FORWARD:
      return LoggedPacket::At::forward;
    case NF_INET_LOCAL_OUT:
      return LoggedPacket::At::output;
    default:
      return LoggedPacket::At::elsewhere;
  }
}

std::string hardware_address(const Attributes& attributes) {
  constexpr std::size_t mac_size = 6;
  nfulnl_msg_packet_hw address{};
  const auto bytes = attributes.bytes(NFULA_HWADDR);
  if (!bytes || bytes->size() < sizeof(address)) return {};
  std::memcpy(&address, bytes->data(), sizeof(address));
  if (ntohs(address.hw_addrlen) != mac_size) return {};
  return {reinterpret_cast<const char*>(&address.hw_addr), mac_size};
}

LoggedPacket decode(const nlmsghdr& message) {
  const Attributes attributes(message, sizeof(nfgenmsg));
  return {.prefix = attributes.text(NFULA_PREFIX),
          .at = place(attributes),
          .in = interface_name(attributes.be32(NFULA_IFINDEX_INDEV)),
          .out = interface_name(attributes.be32(NFULA_IFINDEX_OUTDEV)),
          .mac = hardware_address(attributes),
          .bytes = attributes.bytes(NFULA_PAYLOAD).value_or(std::string_view())};
}

std::string bind_request(std::uint16_t group) {
  nfulnl_msg_config_cmd command{};
  command.command = NFULNL_CFG_CMD_BIND;
  nfulnl_msg_config_mode mode{};
  mode.copy_mode = NFULNL_COPY_PACKET;
  mode.copy_range = htonl(bytes_of_a_packet);
  MessageWriter request;
  request.begin(config_message, NLM_F_ACK, 1, AF_UNSPEC, group);
  request.put(NFULA_CFG_CMD, bytes_of(command));
  request.put(NFULA_CFG_MODE, bytes_of(mode));
  request.put_be32(NFULA_CFG_QTHRESH, packets_at_once);
  request.put_be32(NFULA_CFG_TIMEOUT, longest_wait);
  return std::string(request.finish());
}

}  // namespace

NflogReader::NflogReader(Socket socket) : socket_(std::make_unique<Socket>(std::move(socket))) {}
NflogReader::NflogReader(NflogReader&& other) noexcept = default;
NflogReader& NflogReader::operator=(NflogReader&& other) noexcept = default;
NflogReader::~NflogReader() = default;

Result<NflogReader> NflogReader::open(std::uint16_t group) {
  auto socket = Socket::open(NETLINK_NETFILTER);
  if (!socket) return tl::unexpected(socket.error());
  socket->limit_queue(queue_bytes);
  const auto nothing = [](const nlmsghdr& /*message*/) { return Result<void>(); };
  if (auto bound = socket->dump(bind_request(group), 1, nothing); !bound)
    return not_read(group, bound.error().code);
  return NflogReader(std::move(*socket));
}

int NflogReader::descriptor() const {
  return socket_->fd();
}

Result<void> NflogReader::read(const std::function<void(const LoggedPacket&)>& visit) {
  return netlink::for_each_queued(*socket_, datagrams_at_once, [&](const nlmsghdr& message) {
    if (message.nlmsg_type == packet_message) visit(decode(message));
  });
}

}  // namespace fwctl
