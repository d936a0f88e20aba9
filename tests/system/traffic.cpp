// Sends UDP packets of new flows from one network namespace to an allowed and a denied port in
// another, over IPv4 and IPv6, at a given rate, and counts what arrives.
//
//   traffic CLIENT-NETNS SERVER-NETNS ADDRESS4 ADDRESS6 ALLOWED-PORT DENIED-PORT PACKETS-PER-SECOND
//
// Reads commands from standard input, a line each, and answers each with one JSON line of counters:
// "count" (now) and "stop" (ends the sending, waits until nothing arrives any more). End of input
// ends it. The receiving sockets stay open until then, so that their drops can be read meanwhile.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::array<const char*, 4> stream_names{"allowed4", "denied4", "allowed6", "denied6"};
constexpr std::size_t streams = stream_names.size();
// Source ports are reused in turn: without an answer a UDP flow stays new for connection tracking,
// and the tracking table stays small.
constexpr std::uint16_t first_source_port = 20000;
constexpr std::uint16_t source_ports = 8192;

struct Counters {
  std::array<std::atomic<std::uint64_t>, streams> sent{};
  std::array<std::atomic<std::uint64_t>, streams> received{};
  std::atomic<std::uint64_t> refused_by_the_sender{0};
};

struct Packet {
  udphdr header;
  std::uint64_t payload;
};

[[noreturn]] void fail(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

int checked(int result, const char* what) {
  if (result < 0) fail(what);
  return result;
}

void enter(const char* path) {
  const int file = checked(open(path, O_RDONLY | O_CLOEXEC), path);
  checked(setns(file, CLONE_NEWNET), "setns");
  close(file);
}

sockaddr_storage address(bool v6, const char* text, std::uint16_t port) {
  sockaddr_storage storage{};
  int parsed = 1;
  if (v6) {
    sockaddr_in6 in6{};
    in6.sin6_family = AF_INET6;
    in6.sin6_port = htons(port);
    if (text != nullptr) parsed = inet_pton(AF_INET6, text, &in6.sin6_addr);
    std::memcpy(&storage, &in6, sizeof in6);
  } else {
    sockaddr_in in4{};
    in4.sin_family = AF_INET;
    in4.sin_port = htons(port);
    if (text != nullptr) parsed = inet_pton(AF_INET, text, &in4.sin_addr);
    std::memcpy(&storage, &in4, sizeof in4);
  }
  if (parsed != 1) throw std::invalid_argument("not an address");
  return storage;
}

socklen_t length(bool v6) {
  return v6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
}

const sockaddr* plain(const sockaddr_storage& storage) {
  return static_cast<const sockaddr*>(static_cast<const void*>(&storage));
}

int open_receiver(bool v6, std::uint16_t port) {
  const int fd = checked(socket(v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0), "socket");
  const int on = 1;
  const int size = 64 << 20;
  if (v6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) != 0) {
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
  }
  const sockaddr_storage any = address(v6, nullptr, port);
  checked(bind(fd, plain(any), length(v6)), "bind");
  return fd;
}

int open_sender(bool v6) {
  const int fd = checked(socket(v6 ? AF_INET6 : AF_INET, SOCK_RAW, IPPROTO_UDP), "raw socket");
  const int checksum_offset = 6;  // IPv4 does without
  if (v6) {
    checked(setsockopt(fd, IPPROTO_IPV6, IPV6_CHECKSUM, &checksum_offset, sizeof checksum_offset),
            "IPV6_CHECKSUM");
  }
  return fd;
}

// Counts everything that arrives on `sockets` until told to end.
void receive(const std::array<int, streams>& sockets, Counters& counters,
             const std::atomic<bool>& end) {
  std::array<pollfd, streams> ready{};
  for (std::size_t i = 0; i < streams; ++i) ready[i] = {sockets[i], POLLIN, 0};
  std::array<char, 64> buffer{};
  while (!end) {
    poll(ready.data(), ready.size(), 50);
    for (std::size_t i = 0; i < streams; ++i) {
      while (recv(sockets[i], buffer.data(), buffer.size(), 0) >= 0) ++counters.received[i];
    }
  }
}

// One packet to each stream, all from the same source port.
class Sender {
 public:
  Sender(const char* address4, const char* address6, std::uint16_t allowed, std::uint16_t denied)
      : ports_{allowed, denied, allowed, denied},
        targets_{address(false, address4, 0), address(true, address6, 0)},
        sockets_{open_sender(false), open_sender(true)} {}

  void send_round(Counters& counters) {
    source_ = static_cast<std::uint16_t>((source_ + 1) % source_ports);
    for (std::size_t i = 0; i < streams; ++i) {
      const bool v6 = i >= 2;
      Packet packet{};
      packet.header.uh_sport = htons(static_cast<std::uint16_t>(first_source_port + source_));
      packet.header.uh_dport = htons(ports_[i]);
      packet.header.uh_ulen = htons(sizeof packet);
      const ssize_t done = sendto(sockets_[v6 ? 1 : 0], &packet, sizeof packet, 0,
                                  plain(targets_[v6 ? 1 : 0]), length(v6));
      ++(done >= 0 ? counters.sent[i] : counters.refused_by_the_sender);
    }
  }

 private:
  std::array<std::uint16_t, streams> ports_;
  std::array<sockaddr_storage, 2> targets_;
  std::array<int, 2> sockets_;
  std::uint16_t source_ = 0;
};

// Keeps to `rate` packets a second. What a late wake-up missed is not made up for beyond a few
// milliseconds: a burst would overflow queues that say nothing about the firewall.
void send(Sender& sender, std::uint64_t rate, Counters& counters, const std::atomic<bool>& end) {
  const std::chrono::nanoseconds interval(1'000'000'000ULL * streams / rate);
  constexpr std::chrono::milliseconds longest_debt(5);
  auto due = Clock::now();
  while (!end) {
    const auto now = Clock::now();
    if (now - due > longest_debt) due = now - longest_debt;
    for (; due <= now; due += interval) sender.send_round(counters);
    std::this_thread::sleep_for(std::chrono::microseconds(500));
  }
}

std::uint64_t sum(const std::array<std::atomic<std::uint64_t>, streams>& values) {
  std::uint64_t total = 0;
  for (const auto& value : values) total += value;
  return total;
}

void wait_until_quiet(const Counters& counters) {
  std::uint64_t before = 0;
  do {
    before = sum(counters.received);
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
  } while (sum(counters.received) != before);
}

void report(const Counters& counters, Clock::time_point start) {
  const auto list = [](const char* name, const auto& values) {
    std::cout << '"' << name << "\": {";
    for (std::size_t i = 0; i < streams; ++i) {
      std::cout << (i == 0 ? "" : ", ") << '"' << stream_names[i] << "\": " << values[i];
    }
    std::cout << "}, ";
  };
  std::cout << '{';
  list("sent", counters.sent);
  list("received", counters.received);
  std::cout << "\"refused_by_the_sender\": " << counters.refused_by_the_sender
            << ", \"seconds\": " << std::chrono::duration<double>(Clock::now() - start).count()
            << '}' << std::endl;
}

void run(const std::vector<std::string>& arguments) {
  const auto allowed = static_cast<std::uint16_t>(std::stoul(arguments.at(5)));
  const auto denied = static_cast<std::uint16_t>(std::stoul(arguments.at(6)));
  enter(arguments.at(2).c_str());
  const std::array<int, streams> receivers{
      open_receiver(false, allowed), open_receiver(false, denied), open_receiver(true, allowed),
      open_receiver(true, denied)};
  enter(arguments.at(1).c_str());
  Sender sender(arguments.at(3).c_str(), arguments.at(4).c_str(), allowed, denied);

  Counters counters;
  std::atomic<bool> stop_sending{false};
  std::atomic<bool> stop_receiving{false};
  const auto start = Clock::now();
  std::thread receiving([&] { receive(receivers, counters, stop_receiving); });
  std::thread sending([&] { send(sender, std::stoull(arguments.at(7)), counters, stop_sending); });
  for (std::string line; std::getline(std::cin, line);) {
    if (line == "stop") {
      stop_sending = true;
      wait_until_quiet(counters);
    }
    report(counters, start);
  }
  stop_sending = true;
  stop_receiving = true;
  sending.join();
  receiving.join();
}

}  // namespace

int main(int argc, char** argv) {
  try {
    run({argv, argv + argc});
    return EXIT_SUCCESS;
  } catch (const std::exception& problem) {
    std::cerr << "traffic: " << problem.what() << '\n';
    return EXIT_FAILURE;
  }
}
