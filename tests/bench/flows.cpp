// Begins new flows from one network namespace to a service in another, one behind the other, and
// says how many a second came through. IPv4.
//
//   flows tcp|udp CLIENT-NETNS SERVER-NETNS ADDRESS PORT SECONDS MOST
//
// Ends after SECONDS or MOST flows, whichever is first, and prints one JSON line: flows that
// arrived, seconds, flows that were lost. Client and service are one thread: the kernel delivers
// over a cable between namespaces on the processor that sends, so nothing waits for the scheduler,
// and the figure is what the path itself costs.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <iostream>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint16_t first_source_port = 1024;
constexpr std::uint16_t source_ports = 64000;
// Sent before they are counted: few enough for the receiver's buffer.
constexpr std::size_t burst = 64;
// How long the last packets of a burst may be under way before they count as lost.
constexpr std::chrono::milliseconds patience(1000);

struct Flows {
  std::uint64_t arrived = 0;
  std::uint64_t lost = 0;
};

// When to end.
struct Bounds {
  Clock::time_point deadline;
  std::uint64_t most;

  [[nodiscard]] bool reached(std::uint64_t done) const {
    return done >= most || Clock::now() >= deadline;
  }
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

sockaddr_in address(const char* text, std::uint16_t port) {
  sockaddr_in made{};
  made.sin_family = AF_INET;
  made.sin_port = htons(port);
  if (inet_pton(AF_INET, text, &made.sin_addr) != 1) throw std::invalid_argument("not an address");
  return made;
}

const sockaddr* plain(const sockaddr_in& made) {
  return reinterpret_cast<const sockaddr*>(&made);
}

int open_service(int type, std::uint16_t port) {
  const int fd = checked(socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), "socket");
  const sockaddr_in any = address("0.0.0.0", port);
  checked(bind(fd, plain(any), sizeof any), "bind");
  if (type == SOCK_STREAM) checked(listen(fd, 128), "listen");
  return fd;
}

double processor_seconds() {
  timespec used{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) * 1e-9;
}

// Ends a connection by a reset, so that no port stays taken.
void reset(int connection) {
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  setsockopt(connection, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  close(connection);
}

// One connection after the other, each established, accepted and reset.
Flows connect_all(int service, const sockaddr_in& target, const Bounds& bounds) {
  Flows flows;
  while (!bounds.reached(flows.arrived + flows.lost)) {
    const int client = checked(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
    const timeval limit{.tv_sec = 0, .tv_usec = std::chrono::microseconds(patience).count()};
    setsockopt(client, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);  // of connect() too
    if (connect(client, plain(target), sizeof target) != 0) {
      ++flows.lost;
    } else {
      ++flows.arrived;
      pollfd ready{service, POLLIN, 0};
      poll(&ready, 1, static_cast<int>(patience.count()));
      const int accepted = accept4(service, nullptr, nullptr, SOCK_CLOEXEC);
      if (accepted >= 0) reset(accepted);
    }
    reset(client);
  }
  return flows;
}

struct Packet {
  udphdr header;
  std::uint64_t payload;
};

// Waits until `expected` packets have arrived, or no more come. How many did.
std::size_t receive(int service, std::size_t expected) {
  std::array<char, 64> buffer{};
  std::size_t arrived = 0;
  while (arrived < expected) {
    if (recv(service, buffer.data(), buffer.size(), 0) >= 0) {
      ++arrived;
      continue;
    }
    pollfd ready{service, POLLIN, 0};
    if (poll(&ready, 1, static_cast<int>(patience.count())) == 0) break;
  }
  return arrived;
}

// Packets from one source port after the other: with at most `source_ports` of them, each is a flow
// of its own.
Flows send_all(int service, int sender, const sockaddr_in& target, const Bounds& bounds) {
  Flows flows;
  std::uint64_t sent = 0;
  while (!bounds.reached(sent)) {
    for (std::size_t i = 0; i < burst; ++i, ++sent) {
      Packet packet{};  // without a checksum, as IPv4 allows
      packet.header.uh_sport =
          htons(static_cast<std::uint16_t>(first_source_port + sent % source_ports));
      packet.header.uh_dport = target.sin_port;
      packet.header.uh_ulen = htons(sizeof packet);
      if (sendto(sender, &packet, sizeof packet, 0, plain(target), sizeof target) < 0)
        fail("sendto");
    }
    const auto arrived = receive(service, burst);
    flows.arrived += arrived;
    flows.lost += burst - arrived;
  }
  return flows;
}

void run(const std::vector<std::string>& arguments) {
  const bool tcp = arguments.at(1) == "tcp";
  if (!tcp && arguments.at(1) != "udp") throw std::invalid_argument("tcp or udp?");
  const auto target =
      address(arguments.at(4).c_str(), static_cast<std::uint16_t>(std::stoul(arguments.at(5))));
  enter(arguments.at(3).c_str());
  const int service = open_service(tcp ? SOCK_STREAM : SOCK_DGRAM, ntohs(target.sin_port));
  enter(arguments.at(2).c_str());
  const int sender =
      tcp ? -1 : checked(socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_UDP), "raw socket");

  const Bounds bounds{Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                         std::chrono::duration<double>(std::stod(arguments.at(6)))),
                      std::stoull(arguments.at(7))};
  const double before = processor_seconds();
  const auto flows =
      tcp ? connect_all(service, target, bounds) : send_all(service, sender, target, bounds);
  std::cout << "{\"arrived\": " << flows.arrived << ", \"lost\": " << flows.lost
            << ", \"seconds\": " << processor_seconds() - before << "}\n";
}

}  // namespace

int main(int argc, char** argv) {
  try {
    run({argv, argv + argc});
    return EXIT_SUCCESS;
  } catch (const std::exception& problem) {
    std::cerr << "flows: " << problem.what() << '\n';
    return EXIT_FAILURE;
  }
}
