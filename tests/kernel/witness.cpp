#include "tests/kernel/witness.h"

#include <libmnl/libmnl.h>
#include <netinet/in.h>  // before linux/netfilter.h

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <iostream>

#include "daemon/netlink/message.h"
#include "tests/kernel/own_namespace.h"

namespace fwctl::testing {
namespace {

constexpr std::uint16_t group = 7;
// Of a packet, so many bytes: an ICMP error with the headers of what it is about is shorter.
constexpr std::uint32_t shown = 128;

std::string log(const std::string& prefix) {
  return "log prefix \"" + prefix + "\" group " + std::to_string(group) + " snaplen " +
         std::to_string(shown) + "\n";
}

std::string table(int routes) {
  std::string out = "table inet witness {\n";
  std::string states;
  for (const auto* state : {"invalid", "established", "related", "new", "untracked"}) {
    const std::string name(state);
    out += "chain " + name + "-seen {\n" + log(name) + "}\n";
    states += name + " : jump " + name + "-seen, ";
  }
  // The mark was the route; what the firewall meets has none.
  for (const auto* hook : {"input", "forward", "output"}) {
    const std::string name(hook);
    out += "chain before-" + name + " {\ntype filter hook " + name +
           " priority -150\nmeta mark set 0\nct state vmap { " + states + "}\n}\n";
    out += "chain behind-" + name + " {\ntype filter hook " + name + " priority 300\n" +
           log("behind") + (name == "input" ? "drop\n" : "") + "}\n";
  }
  out += "chain leaving {\ntype filter hook postrouting priority 300\noifname lo accept\n" +
         log("leaving") + "drop\n}\n";
  // Before all else, the mark by which packets from outside are routed.
  out += "chain received {\ntype filter hook prerouting priority -350\niifname lo accept\n" +
         log("received");
  for (const char* family : {"ip", "ip6"})
    for (int route = 1; route <= routes; ++route)
      out += std::string(family) + " dscp " + std::to_string(route) + " meta mark set " +
             std::to_string(route) + " accept\n";
  out += "}\n}\n";
  return out;
}

policy::Traffic traffic_at(std::uint8_t hook) {
  if (hook == NF_INET_LOCAL_OUT) return policy::Traffic::outgoing;
  return hook == NF_INET_FORWARD ? policy::Traffic::routed : policy::Traffic::incoming;
}

// What is not tracked is not known to connection tracking either: new.
policy::State state_of(std::string_view name) {
  if (name == "invalid") return policy::State::invalid;
  if (name == "established") return policy::State::established;
  return name == "related" ? policy::State::related : policy::State::fresh;
}

std::uint32_t read_be32(const char* bytes) {
  std::uint32_t value = 0;
  std::memcpy(&value, bytes, sizeof value);
  return ntohl(value);
}

Sighting sighting(const nlmsghdr* message) {
  Sighting seen;
  std::string_view prefix;
  unsigned in = 0;
  unsigned out = 0;
  const auto* attribute =
      static_cast<const nlattr*>(mnl_nlmsg_get_payload_offset(message, sizeof(nfgenmsg)));
  const auto* end = static_cast<const char*>(mnl_nlmsg_get_payload_tail(message));
  while (mnl_attr_ok(attribute, static_cast<int>(end - reinterpret_cast<const char*>(attribute)))) {
    const auto* payload = static_cast<const char*>(mnl_attr_get_payload(attribute));
    const std::size_t length = mnl_attr_get_payload_len(attribute);
    if (mnl_attr_get_type(attribute) == NFULA_PACKET_HDR)
      seen.traffic = traffic_at(reinterpret_cast<const nfulnl_msg_packet_hdr*>(payload)->hook);
    if (mnl_attr_get_type(attribute) == NFULA_PREFIX) prefix = payload;
    if (mnl_attr_get_type(attribute) == NFULA_IFINDEX_INDEV) in = read_be32(payload);
    if (mnl_attr_get_type(attribute) == NFULA_IFINDEX_OUTDEV) out = read_be32(payload);
    if (mnl_attr_get_type(attribute) == NFULA_PAYLOAD) seen.bytes = {payload, length};
    attribute = mnl_attr_next(attribute);
  }
  seen.interface = in != 0 ? in : out;
  if (prefix == "behind") {
    seen.place = Place::behind;
  } else if (prefix == "leaving") {
    seen.place = Place::leaving;
  } else if (prefix != "received") {
    seen.place = Place::before;
    seen.tracked = prefix != "untracked";
    seen.state = state_of(prefix);
  }
  return seen;
}

[[noreturn]] void give_up(const std::string& call) {
  std::cerr << "the witness cannot go on: " << call << ": " << std::strerror(errno) << "\n";
  std::abort();
}

}  // namespace

std::unique_ptr<Witness> Witness::open(int routes, std::string& problem) {
  const auto loaded = nft("-f -", table(routes));
  if (loaded.status != 0) {
    problem = "nft -f: " + loaded.output;
    return nullptr;
  }
  auto* socket = mnl_socket_open(NETLINK_NETFILTER);
  if (socket == nullptr) {
    problem = std::string("netlink: ") + std::strerror(errno);
    return nullptr;
  }
  std::unique_ptr<Witness> witness(new Witness(socket));
  problem = witness->bind();
  return problem.empty() ? std::move(witness) : nullptr;
}

std::string Witness::bind() {
  buffer_.resize(1 << 18);
  if (mnl_socket_bind(socket_, 0, MNL_SOCKET_AUTOPID) < 0)
    return std::string("bind: ") + std::strerror(errno);
  const int room = 1 << 24;
  (void)setsockopt(mnl_socket_get_fd(socket_), SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room);
  nfulnl_msg_config_cmd command{};
  command.command = NFULNL_CFG_CMD_BIND;
  nfulnl_msg_config_mode mode{};
  mode.copy_mode = NFULNL_COPY_PACKET;
  mode.copy_range = htonl(shown);
  const std::string_view mode_bytes(reinterpret_cast<const char*>(&mode), sizeof mode);
  const std::string_view command_bytes(reinterpret_cast<const char*>(&command), sizeof command);
  netlink::MessageWriter request;
  constexpr std::uint16_t type = NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_CONFIG;
  request.begin(type, NLM_F_REQUEST | NLM_F_ACK, 1, AF_UNSPEC, group);
  request.put(NFULA_CFG_CMD, command_bytes);
  request.put(NFULA_CFG_MODE, mode_bytes);
  request.put_be32(NFULA_CFG_QTHRESH, 1);  // every packet at once
  const auto bytes = request.finish();
  if (mnl_socket_sendto(socket_, bytes.data(), bytes.size()) < 0)
    return std::string("send: ") + std::strerror(errno);
  const auto length = mnl_socket_recvfrom(socket_, buffer_.data(), buffer_.size());
  if (length < 0 ||
      mnl_cb_run(buffer_.data(), static_cast<std::size_t>(length), 1, 0, nullptr, nullptr) < 0)
    return std::string("NFLOG group: ") + std::strerror(errno);
  return {};
}

Witness::~Witness() {
  mnl_socket_close(socket_);
}

bool Witness::read(const std::function<void(const Sighting&)>& visit,
                   std::chrono::milliseconds patience) {
  pollfd waiting{.fd = mnl_socket_get_fd(socket_), .events = POLLIN, .revents = 0};
  bool any = false;
  if (patience.count() > 0) (void)poll(&waiting, 1, static_cast<int>(patience.count()));
  while (true) {
    const auto length = recv(waiting.fd, buffer_.data(), buffer_.size(), MSG_DONTWAIT);
    if (length < 0 && errno == EINTR) continue;
    if (length < 0 && errno != EAGAIN) give_up("recv");  // ENOBUFS: sightings were lost
    if (length < 0) return any;
    any = true;
    int left = static_cast<int>(length);
    const auto* message = reinterpret_cast<const nlmsghdr*>(buffer_.data());
    while (mnl_nlmsg_ok(message, left)) {
      if (message->nlmsg_type == (NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_PACKET))
        visit(sighting(message));
      message = mnl_nlmsg_next(message, &left);
    }
  }
}

}  // namespace fwctl::testing
