#include "daemon/sockets.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <string>
#include <utility>

#include "tests/kernel/own_namespace.h"

namespace fwctl::testing {
namespace {

class TestSocket {
 public:
  TestSocket(int family, int type) : fd_(socket(family, type | SOCK_CLOEXEC, 0)) {
    if (fd_ < 0) std::abort();
  }
  TestSocket(TestSocket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  TestSocket(const TestSocket&) = delete;
  TestSocket& operator=(const TestSocket&) = delete;
  TestSocket& operator=(TestSocket&&) = delete;
  ~TestSocket() {
    if (fd_ >= 0) close(fd_);
  }
  int fd() const { return fd_; }

 private:
  int fd_;
};

// Where it goes, with 16 bytes of room for either family.
struct Address {
  sockaddr_storage storage{};
  socklen_t length = 0;

  Address(const std::string& address, std::uint16_t port) {
    if (address.find(':') == std::string::npos) {
      sockaddr_in four{};
      four.sin_family = AF_INET;
      four.sin_port = htons(port);
      inet_pton(AF_INET, address.c_str(), &four.sin_addr);
      std::memcpy(&storage, &four, length = sizeof(four));
    } else {
      sockaddr_in6 six{};
      six.sin6_family = AF_INET6;
      six.sin6_port = htons(port);
      inet_pton(AF_INET6, address.c_str(), &six.sin6_addr);
      std::memcpy(&storage, &six, length = sizeof(six));
    }
  }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

TestSocket bound(int type, const std::string& address, std::uint16_t port, bool ipv6_only = false) {
  const Address to(address, port);
  TestSocket made(to.storage.ss_family, type);
  const int only = ipv6_only ? 1 : 0;
  if (to.storage.ss_family == AF_INET6) {
    EXPECT_EQ(setsockopt(made.fd(), IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof(only)), 0);
  }
  EXPECT_EQ(bind(made.fd(), to.get(), to.length), 0) << address << ' ' << strerror(errno);
  if (type == SOCK_STREAM) {
    EXPECT_EQ(listen(made.fd(), 1), 0);
  }
  return made;
}

std::string describe(const ListeningSocket& socket) {
  std::array<char, INET6_ADDRSTRLEN> address{};
  inet_ntop(socket.ipv6 ? AF_INET6 : AF_INET, socket.address.data(), address.data(),
            address.size());
  return std::string(socket.protocol == IPPROTO_TCP ? "tcp " : "udp ") + address.data() + ' ' +
         std::to_string(socket.port) + (socket.ipv6_only ? " only" : "") +
         (socket.interface != 0 ? " %" + std::to_string(socket.interface) : "");
}

class ListeningSockets : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(enter_new_network_namespace(), "");
    ASSERT_EQ(run("ip link set lo up").status, 0);
  }

  static std::vector<std::string> listed() {
    const auto sockets = listening_sockets();
    EXPECT_TRUE(sockets) << sockets.error().message();
    std::vector<std::string> lines;
    if (sockets)
      for (const ListeningSocket& socket : *sockets) lines.push_back(describe(socket));
    return lines;
  }
};

using Lines = std::vector<std::string>;

TEST_F(ListeningSockets, AreNoneInANewNamespace) {
  EXPECT_EQ(listed(), Lines());
}

TEST_F(ListeningSockets, AreListedWithTheirFamilyAndAddressInOrder) {
  const TestSocket sockets[] = {
      bound(SOCK_DGRAM, "127.0.0.1", 53),  bound(SOCK_DGRAM, "::", 500),
      bound(SOCK_STREAM, "::", 80),        bound(SOCK_STREAM, "::", 443, true),
      bound(SOCK_STREAM, "0.0.0.0", 443),  bound(SOCK_STREAM, "::1", 25),
      bound(SOCK_STREAM, "127.0.0.1", 25), bound(SOCK_DGRAM, "0.0.0.0", 68)};
  EXPECT_EQ(listed(),
            (Lines{"tcp 127.0.0.1 25", "tcp ::1 25 only", "tcp :: 80", "tcp 0.0.0.0 443",
                   "tcp :: 443 only", "udp 127.0.0.1 53", "udp 0.0.0.0 68", "udp :: 500"}));
}

TEST_F(ListeningSockets, LeavesOutWhatHasAPeerOrNoPort) {
  const TestSocket server = bound(SOCK_STREAM, "127.0.0.1", 80);
  const TestSocket client(AF_INET, SOCK_STREAM);
  const TestSocket talking = bound(SOCK_DGRAM, "127.0.0.1", 999);
  const TestSocket unbound(AF_INET, SOCK_DGRAM);
  const TestSocket silent(AF_INET, SOCK_STREAM);
  const Address to("127.0.0.1", 80);
  ASSERT_EQ(connect(client.fd(), to.get(), to.length), 0);
  ASSERT_EQ(connect(talking.fd(), to.get(), to.length), 0);
  EXPECT_EQ(listed(), (Lines{"tcp 127.0.0.1 80"}));
}

TEST_F(ListeningSockets, KnowTheInterfaceAndTheOwner) {
  const TestSocket server = bound(SOCK_DGRAM, "0.0.0.0", 67);
  ASSERT_EQ(setsockopt(server.fd(), SOL_SOCKET, SO_BINDTODEVICE, "lo", 2), 0);
  EXPECT_EQ(listed(), (Lines{"udp 0.0.0.0 67 %1"}));
  const auto sockets = listening_sockets();
  ASSERT_TRUE(sockets);
  EXPECT_EQ(sockets->front().uid, geteuid());
  EXPECT_NE(sockets->front().inode, 0U);
}

}  // namespace
}  // namespace fwctl::testing
