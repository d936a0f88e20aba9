// A connection's bytes and time; the time is the test's.
#include "daemon/connection.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <string>
#include <string_view>
#include <utility>

namespace fwctl {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;
using Input = Connection::Input;

constexpr auto idle = 60s;
constexpr auto request = 120s;

std::array<int, 2> socket_pair() {
  std::array<int, 2> ends{};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends.data()) < 0) ends = {-1, -1};
  return ends;
}

class ConnectionTest : public testing::Test {
 protected:
  ~ConnectionTest() override { hang_up(); }

  void hang_up() {
    if (far_ >= 0) close(std::exchange(far_, -1));
  }

  void arrives(std::string_view text) const {
    ASSERT_EQ(::send(far_, text.data(), text.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(text.size()));
  }

  bool expired(std::chrono::seconds after) const {
    return connection_.expired(start_ + after, idle, request);
  }

  const Connection::Time start_{1000s};
  std::array<int, 2> ends_ = socket_pair();
  int far_ = ends_[0];
  Connection connection_{ends_[1], Peer{}, 1000, start_};
};

TEST_F(ConnectionTest, ASilentOneExpires) {
  EXPECT_EQ(connection_.deadline(idle, request), start_ + idle);
  EXPECT_FALSE(expired(59s));
  EXPECT_TRUE(expired(60s));
}

TEST_F(ConnectionTest, WhatArrivesMovesTheDeadline) {
  arrives("x");
  ASSERT_TRUE(connection_.receive(start_ + 50s));
  EXPECT_EQ(connection_.deadline(idle, request), start_ + 110s);
  EXPECT_FALSE(expired(109s));
  EXPECT_TRUE(expired(110s));
}

TEST_F(ConnectionTest, ARequestHasItsTimeHoweverItTrickles) {
  for (int i = 0; i < 4; ++i) {
    arrives("x");
    ASSERT_TRUE(connection_.receive(start_ + i * 30s));
  }
  EXPECT_EQ(connection_.deadline(idle, request), start_ + 120s);
  arrives("x");
  EXPECT_FALSE(expired(119s));
  EXPECT_TRUE(expired(120s));
}

TEST_F(ConnectionTest, TheNextRequestHasItsOwnTime) {
  arrives("x");
  ASSERT_TRUE(connection_.receive(start_));
  arrives("\0y"s);
  ASSERT_TRUE(connection_.receive(start_ + 100s));
  ASSERT_EQ(connection_.input(), Input::complete);
  connection_.take_request(start_ + 100s);
  arrives("y");
  ASSERT_TRUE(connection_.receive(start_ + 190s));
  EXPECT_FALSE(expired(219s));
  EXPECT_TRUE(expired(220s));
}

TEST_F(ConnectionTest, IsNotSilentWhenWeAreSlow) {
  arrives("x");
  EXPECT_FALSE(expired(1000s)) << "it has not been received";
  arrives("\0"s);
  ASSERT_TRUE(connection_.receive(start_));
  EXPECT_FALSE(expired(1000s)) << "the request has not been taken";
  connection_.take_request(start_);
  EXPECT_TRUE(expired(1000s));
}

TEST_F(ConnectionTest, APeerThatDoesNotReadIsSilent) {
  ASSERT_TRUE(connection_.send(std::string(1'000'000, 'x'), start_));
  ASSERT_GT(connection_.unsent(), 0);
  arrives("more");
  EXPECT_TRUE(expired(60s));
  std::array<char, 65536> piece{};
  while (recv(far_, piece.data(), piece.size(), 0) > 0) continue;
  EXPECT_FALSE(expired(60s)) << "there is room again";
  const auto unsent = connection_.unsent();
  ASSERT_TRUE(connection_.flush(start_ + 50s));
  EXPECT_LT(connection_.unsent(), unsent);
  EXPECT_FALSE(expired(109s));
}

TEST_F(ConnectionTest, APeerThatLeavesNoRoomForItsNextReplyIsSilent) {
  while (connection_.unsent() == 0) ASSERT_TRUE(connection_.send(std::string(1000, 'x'), start_));
  std::array<char, 1000> piece{};
  recv(far_, piece.data(), piece.size(), 0);
  ASSERT_TRUE(connection_.flush(start_));
  ASSERT_EQ(connection_.unsent(), 0);
  arrives("\0"s);
  ASSERT_TRUE(connection_.receive(start_));
  ASSERT_TRUE(connection_.has_request());
  EXPECT_TRUE(expired(60s));
}

TEST_F(ConnectionTest, IsDoneWhenThePeerEndedAndAllIsSent) {
  EXPECT_FALSE(connection_.done());
  ASSERT_TRUE(connection_.send(std::string(1'000'000, 'x'), start_));
  shutdown(far_, SHUT_WR);
  ASSERT_TRUE(connection_.receive(start_));
  EXPECT_FALSE(connection_.done());
  std::array<char, 65536> piece{};
  while (connection_.unsent() > 0) {
    recv(far_, piece.data(), piece.size(), 0);
    ASSERT_TRUE(connection_.flush(start_));
  }
  EXPECT_TRUE(connection_.done());
}

TEST_F(ConnectionTest, ABrokenOneIsSaid) {
  hang_up();
  EXPECT_FALSE(connection_.send("x", start_));
}

}  // namespace
}  // namespace fwctl
