#include "tests/kernel/packet_lab.h"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/fsuid.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <initializer_list>
#include <iostream>
#include <utility>

#include "daemon/netlink/kernel.h"
#include "rules/nft/plan.h"
#include "tests/kernel/own_namespace.h"
#include "tests/kernel/packet_bytes.h"
#include "tests/kernel/witness.h"

namespace fwctl::testing {
namespace {

// Marks, tables and DSCPs: 1 is the host itself, first_route + N goes out on interface N.
constexpr std::uint8_t local_route = 1;
constexpr std::uint8_t first_route = 2;
// So many packets may be under way at once; the kernel's own queue holds 1000.
constexpr std::size_t at_once = 64;
constexpr std::chrono::seconds patience(10);

std::string why(const std::string& call) {
  return call + ": " + std::strerror(errno);
}

// In a container /proc/sys may be read-only for the sake of the host; what we change is ours alone.
std::string make_settings_writable() {
  struct statvfs found{};
  if (statvfs("/proc/sys", &found) != 0 || (found.f_flag & ST_RDONLY) == 0) return {};
  if (unshare(CLONE_NEWNS) != 0) return why("unshare(CLONE_NEWNS)");
  if (mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      mount("proc", "/proc", "proc", 0, nullptr) != 0)
    return why("mount /proc");
  return {};
}

std::string set(const std::string& name, const std::string& value) {
  std::ofstream file("/proc/sys/net/" + name);
  file << value << "\n" << std::flush;
  return file.good() ? "" : "cannot set " + name;
}

std::string set_all() {
  for (const auto& [name, value] : std::initializer_list<std::pair<const char*, const char*>>{
           {"ipv4/ip_forward", "1"},
           {"ipv4/conf/all/rp_filter", "0"},
           {"ipv4/conf/default/rp_filter", "0"},
           {"ipv4/conf/all/accept_local", "1"},
           {"ipv4/conf/all/route_localnet", "1"},
           {"ipv4/conf/all/send_redirects", "0"},
           {"ipv4/conf/default/send_redirects", "0"},
           {"ipv6/conf/all/forwarding", "1"},
           {"ipv6/conf/default/addr_gen_mode", "1"},  // no addresses of the kernel's own
           // Every refusal is answered, however many.
           {"ipv4/icmp_ratelimit", "0"},
           {"ipv4/icmp_ratemask", "0"},
           {"ipv6/icmp/ratelimit", "0"},
           {"ipv6/icmp/ratemask", ""},
           {"netfilter/nf_conntrack_checksum", "0"},
           {"netfilter/nf_conntrack_tcp_be_liberal", "1"},
           // What openers left is soon gone.
           {"netfilter/nf_conntrack_udp_timeout", "2"},
           {"netfilter/nf_conntrack_generic_timeout", "2"},
           {"netfilter/nf_conntrack_icmp_timeout", "2"},
           {"netfilter/nf_conntrack_icmpv6_timeout", "2"},
           {"netfilter/nf_conntrack_tcp_timeout_syn_sent", "2"},
           {"netfilter/nf_conntrack_sctp_timeout_cookie_wait", "2"},
           {"netfilter/nf_conntrack_sctp_timeout_closed", "2"}})
    if (auto problem = set(name, value); !problem.empty()) return problem;
  return {};
}

// Of interface N.
std::string hardware_address(std::size_t number) {
  return std::string("\x02\0\0\0\0", 5) + static_cast<char>(number + 1);
}

std::string printed(const std::string& hardware_address) {
  std::string out;
  for (const char byte : hardware_address) {
    const auto value = static_cast<std::uint8_t>(byte);
    out += out.empty() ? "" : ":";
    out += "0123456789abcdef"[value / 16];
    out += "0123456789abcdef"[value % 16];
  }
  return out;
}

std::string link_batch(const std::vector<std::string>& interfaces) {
  std::string out = "link set lo up\naddress add " + PacketLab::own_address(Family::ipv4).text() +
                    "/32 dev lo\naddress add " + PacketLab::own_address(Family::ipv6).text() +
                    "/128 dev lo nodad\n";
  for (std::size_t number = 0; number < interfaces.size(); ++number) {
    const std::string peer = "outer" + std::to_string(number);
    out += "link add name " + interfaces[number] + " type veth peer name " + peer + "\nlink set " +
           interfaces[number] + " address " + printed(hardware_address(number)) + " up\nlink set " +
           peer + " up\n";
  }
  return out;
}

std::string route_batch(const std::string& family, const std::vector<std::string>& interfaces) {
  std::string out = "route add local default dev lo table local\n";
  const auto rule = [&](std::size_t order, const std::string& what, const std::string& table) {
    out += "rule add pref " + std::to_string(order) + " " + what + " lookup " + table + "\n";
  };
  rule(10, "fwmark " + std::to_string(local_route), "local");
  for (std::size_t number = 0; number < interfaces.size(); ++number) {
    const std::string table = std::to_string(100 + number);
    out += "route add default dev " + interfaces[number] + " table " + table + "\n";
    rule(11 + number, "fwmark " + std::to_string(first_route + number), table);
  }
  // What the kernel sends of its own accord leaves the host, so that the firewall meets it. With
  // IPv6, nft's fib asks for routes in the same way, but without ports; what the kernel sends has
  // some, or an ICMP type, which is in their place. Rules take no port 65535.
  if (family == "-4") rule(90, "iif lo", "100");
  if (family == "-6")
    for (const auto* port : {"sport", "dport"})
      rule(90, "iif lo " + std::string(port) + " 1-65534", "100");
  rule(91, "", "local");
  return out + "rule del pref 0\n";
}

std::string ip_command(const std::string& family, const std::string& batch) {
  const auto done = run("ip " + family + " -batch -", batch);
  return done.status == 0 ? "" : "ip " + family + ": " + done.output;
}

// The queue of one CPU hands packets on in the order in which they were sent.
std::string stay_on_this_cpu() {
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(static_cast<std::size_t>(sched_getcpu()), &one);
  return sched_setaffinity(0, sizeof one, &one) == 0 ? "" : why("sched_setaffinity");
}

void send_all(int socket, const std::string& bytes, const sockaddr* to, socklen_t length) {
  while (sendto(socket, bytes.data(), bytes.size(), 0, to, length) < 0 && errno == EINTR) {
  }  // EPERM is the firewall's own word; other refusals show as packets that never arrived
}

bool needs_link(const in6_addr& address) {
  return IN6_IS_ADDR_LINKLOCAL(&address) || IN6_IS_ADDR_MULTICAST(&address);
}

std::string refusal(const TransactionError& error) {
  return error.error.message() + " (" + std::to_string(error.refusals.size()) + " refusals)";
}

// Where an answer goes is where the packet came from.
bool goes_back(std::string_view answer, std::string_view sent) {
  const bool v6 = static_cast<std::uint8_t>(sent[0]) >> 4 == 6;
  return v6 ? answer.substr(24, 16) == sent.substr(8, 16)
            : answer.substr(16, 4) == sent.substr(12, 4);
}

}  // namespace

Address PacketLab::own_address(Family family) {
  return *Address::parse(family == Family::ipv4 ? "192.0.2.1" : "2001:db8:ffff::1");
}

PacketLab::~PacketLab() {
  if (outside_ >= 0) close(outside_);
  for (const auto& [asked, sockets] : raw_)
    for (const int socket : {sockets.ipv4, sockets.ipv6})
      if (socket >= 0) close(socket);
}

std::unique_ptr<PacketLab> PacketLab::open(const std::vector<std::string>& interfaces,
                                           std::string& problem) {
  std::unique_ptr<PacketLab> lab(new PacketLab);
  problem = lab->set_up(interfaces);
  return problem.empty() ? std::move(lab) : nullptr;
}

std::string PacketLab::set_up(const std::vector<std::string>& interfaces) {
  interfaces_ = interfaces;
  if (auto problem = enter_new_network_namespace(); !problem.empty()) return problem;
  if (auto problem = stay_on_this_cpu(); !problem.empty()) return problem;
  std::string problem;
  // First, for with it comes connection tracking and its settings.
  witness_ = Witness::open(first_route + static_cast<int>(interfaces.size()) - 1, problem);
  if (witness_ == nullptr) return problem;
  if (problem = make_settings_writable(); !problem.empty()) return problem;
  if (problem = set_all(); !problem.empty()) return problem;
  if (problem = ip_command("", link_batch(interfaces)); !problem.empty()) return problem;
  for (const auto* family : {"-4", "-6"})
    if (problem = ip_command(family, route_batch(family, interfaces)); !problem.empty())
      return problem;
  lo_ = if_nametoindex("lo");
  for (std::size_t number = 0; number < interfaces.size(); ++number) {
    indices_.push_back(if_nametoindex(interfaces[number].c_str()));
    outer_indices_.push_back(if_nametoindex(("outer" + std::to_string(number)).c_str()));
  }
  auto kernel = open_kernel();
  if (!kernel) return kernel.error().message();
  kernel_ = std::move(*kernel);
  return open_sockets();
}

std::string PacketLab::open_sockets() {
  outside_ = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
  return outside_ < 0 ? why("socket") : "";
}

// Of the packet's choice, where there are cgroups for the unit.
PacketLab::Owner PacketLab::owner_of(const Packet& packet) const {
  Owner out{.user = packet.user.value_or(0), .group = packet.group.value_or(0), .units = {}};
  if (!packet.units.empty() && units().contains(packet.units.back())) out.units = packet.units;
  return out;
}

// Of a user and group of the packet's choice, where this process may be those.
const PacketLab::RawSockets& PacketLab::sockets_of(const Packet& packet) {
  const Owner asked = owner_of(packet);
  const auto [place, fresh] = raw_.emplace(asked, RawSockets{});
  if (!fresh) return place->second;
  auto& sockets = place->second;
  if (!asked.units.empty() && cgroups_.enter(asked.units.back())) sockets.owner.units = asked.units;
  setfsgid(asked.group);
  setfsuid(asked.user);
  // Each returns what was before.
  sockets.owner.user = static_cast<std::uint32_t>(setfsuid(asked.user));
  sockets.owner.group = static_cast<std::uint32_t>(setfsgid(asked.group));
  sockets.ipv4 = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
  sockets.ipv6 = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
  setfsuid(0);
  setfsgid(0);
  if (!sockets.owner.units.empty()) cgroups_.leave();
  if (sockets.ipv4 >= 0 && sockets.ipv6 >= 0) return sockets;
  std::cerr << why("socket") << "\n";
  std::abort();
}

std::string PacketLab::load(const nft::Ruleset& ruleset) {
  nft::Ruleset wanted = ruleset;
  wanted.chains.push_back({.name = std::string(nft::marker_chain), .comment = "1"});
  std::sort(wanted.chains.begin(), wanted.chains.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  const auto plan = nft::plan(loaded_, wanted, ++version_);
  const auto collected = nft::collect(plan.result);
  for (const auto* changes : {&plan.prepare, &plan.changes, &collected.changes})
    if (auto done = kernel_->apply(*changes); !done) {
      auto left = kernel_->read();
      if (!left) return refusal(done.error()) + ", then " + left.error().message();
      loaded_ = std::move(*left);
      return refusal(done.error());
    }
  loaded_ = collected.result;
  return {};
}

std::size_t PacketLab::number_of(const std::string& interface) const {
  const auto found = std::find(interfaces_.begin(), interfaces_.end(), interface);
  if (found != interfaces_.end())
    return static_cast<std::size_t>(std::distance(interfaces_.begin(), found));
  std::cerr << "the laboratory has no interface " << interface << "\n";
  std::abort();
}

unsigned PacketLab::index_of(const std::string& interface) const {
  return interface == "lo" ? lo_ : indices_[number_of(interface)];
}

std::uint8_t PacketLab::route_of(const Packet& packet) const {
  if (packet.traffic != policy::Traffic::routed) return 0;
  return static_cast<std::uint8_t>(first_route + static_cast<int>(number_of(packet.out_interface)));
}

void PacketLab::emit_from_outside(const Packet& packet, const std::string& bytes) {
  const auto interface = number_of(packet.interface);
  sockaddr_ll to{};
  to.sll_family = AF_PACKET;
  to.sll_ifindex = static_cast<int>(outer_indices_[interface]);
  const std::string type =
      packet.from.family() == Family::ipv4 ? std::string("\x08\x00", 2) : "\x86\xdd";
  const auto source = packet.mac.value_or(MacAddress{{0x02, 0, 0, 0, 1, 0}}).bytes;
  const std::string frame =
      hardware_address(interface) + std::string(source.begin(), source.end()) + type + bytes;
  send_all(outside_, frame, reinterpret_cast<const sockaddr*>(&to), sizeof to);
}

void PacketLab::emit_from_host(std::uint32_t mark, const Packet& packet, const std::string& bytes) {
  const bool v6 = packet.to.family() == Family::ipv6;
  const auto& sockets = sockets_of(packet);
  const int socket = v6 ? sockets.ipv6 : sockets.ipv4;
  (void)setsockopt(socket, SOL_SOCKET, SO_MARK, &mark, sizeof mark);
  const auto destination = v6 ? bytes.substr(24, 16) : bytes.substr(16, 4);
  if (!v6) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    std::memcpy(&to.sin_addr, destination.data(), destination.size());
    send_all(socket, bytes, reinterpret_cast<const sockaddr*>(&to), sizeof to);
    return;
  }
  sockaddr_in6 to{};
  to.sin6_family = AF_INET6;
  std::memcpy(&to.sin6_addr, destination.data(), destination.size());
  if (needs_link(to.sin6_addr))
    to.sin6_scope_id = mark == local_route ? lo_ : index_of(packet.interface);
  send_all(socket, bytes, reinterpret_cast<const sockaddr*>(&to), sizeof to);
}

void PacketLab::emit(const Packet& packet, const std::string& bytes) {
  if (packet.interface == "lo")
    emit_from_host(local_route, packet, bytes);
  else if (packet.traffic == policy::Traffic::outgoing)
    emit_from_host(static_cast<std::uint32_t>(first_route + number_of(packet.interface)), packet,
                   bytes);
  else if (comes_in_fragments(packet))
    for (const auto& fragment : fragments_of(bytes)) emit_from_outside(packet, fragment);
  else
    emit_from_outside(packet, bytes);
}

// Over lo, which every policy lets pass.
void PacketLab::open_flow(const Packet& packet) {
  const auto opener = opener_of(packet);
  if (!opener) return;
  begun_.insert(ends_of(*opener));
  emit_from_host(local_route, packet, *opener);
}

std::vector<Fate> PacketLab::send(const std::vector<Packet>& packets) {
  std::vector<Fate> fates(packets.size());
  std::vector<std::string> sent;
  for (const auto& packet : packets) {
    open_flow(packet);
    const auto id = static_cast<std::uint16_t>(sent.size() + 1);
    sent.push_back(bytes_of(packet, id, route_of(packet)));
    emit(packet, sent.back());
    const auto ends = ends_of(sent.back());
    fates[id - 1U].begun = begun_.contains(ends);
    if (packet.interface == "lo") begun_.insert(ends);
    if (packet.traffic == policy::Traffic::outgoing) {
      const auto& owner = sockets_of(packet).owner;
      fates[id - 1U].user = owner.user;
      fates[id - 1U].group = owner.group;
      fates[id - 1U].units = owner.units;
    }
    if (sent.size() % at_once == 0 || sent.size() == packets.size()) settle(sent, packets, fates);
  }
  return fates;
}

Fate PacketLab::send_later_fragment(const Packet& packet) {
  std::vector<Fate> fates(1);
  const auto fragment = fragments_of(bytes_of(packet, 1, route_of(packet))).back();
  emit_from_outside(packet, fragment);
  settle({fragment}, {packet}, fates);
  return fates.front();
}

void PacketLab::settle(const std::vector<std::string>& sent, const std::vector<Packet>& packets,
                       std::vector<Fate>& fates) {
  // Queues keep the order: once this one is seen, the others have met their fate.
  const Packet last{.from = *Address::parse("192.0.2.2"),
                    .to = own_address(Family::ipv4),
                    .protocol = udp,
                    .interface = interfaces_.front()};
  last_marker_ = static_cast<std::uint16_t>(0x8000 | (last_marker_ + 1));
  const auto marker = bytes_of(last, last_marker_);
  emit(last, marker);
  bool settled = false;
  const auto note = [&](const Sighting& seen) {
    if (seen.place == Place::received) {
      settled = settled || same_packet(seen.bytes, marker);
      return;
    }
    const std::size_t index = id_of(seen.bytes) - 1U;
    if (seen.place == Place::leaving) {
      // The next that leaves once a packet has passed is that packet.
      if (index < sent.size() && fates[index].passed && !fates[index].left_from)
        fates[index].left_from = source_in(seen.bytes);
      return;
    }
    if (index < sent.size() && same_origin(seen.bytes, sent[index])) {
      const auto& packet = packets[index];
      // What goes over lo is met twice.
      if (seen.traffic != packet.traffic || seen.interface != index_of(packet.interface)) return;
      if (seen.place == Place::before) {
        fates[index].state = seen.state;
        fates[index].tracked = seen.tracked;
        fates[index].to = destination_in(seen.bytes, packet.protocol);
      }
      if (seen.place == Place::behind) fates[index].passed = true;
      return;
    }
    const auto answer = answer_in(seen.bytes);
    if (seen.place != Place::behind || !answer) return;
    const std::size_t refused = answer->id - 1U;
    if (refused >= sent.size() || !goes_back(seen.bytes, sent[refused])) return;
    (answer->reset ? fates[refused].reset : fates[refused].unreachable) = true;
  };
  while (!settled)
    if (!witness_->read(note, patience)) {
      std::cerr << "packets sent in the laboratory do not arrive\n";
      std::abort();
    }
}

}  // namespace fwctl::testing
