// The client against a peer the test scripts, in a process of its own.
#include "cli/client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <thread>

namespace fwctl::cli {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;
using protocol::Json;
using testing::HasSubstr;
using Kind = ClientError::Kind;

void send_text(int socket, std::string_view text) {
  while (!text.empty()) {
    const ssize_t size = send(socket, text.data(), text.size(), MSG_NOSIGNAL);
    if (size <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(size));
  }
}

std::string receive_request(int socket) {
  std::string text;
  char c = 0;
  while (recv(socket, &c, 1, 0) == 1 && c != '\0') text += c;
  return text;
}

class ClientTest : public testing::Test {
 protected:
  ClientTest() {
    std::string name = std::filesystem::temp_directory_path() / "fwctl-client-XXXXXX";
    folder_ = mkdtemp(name.data());
    path_ = folder_ / "socket";
  }

  ~ClientTest() override {
    if (daemon_ > 0) waitpid(daemon_, nullptr, 0);
    std::filesystem::remove_all(folder_);
  }

  int listener() const {
    const int listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path_.string().copy(static_cast<char*>(address.sun_path), sizeof address.sun_path - 1);
    EXPECT_EQ(bind(listening, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(listen(listening, 8), 0);
    return listening;
  }

  // Serves one connection with `script`.
  void serve(const std::function<void(int socket)>& script) {
    const int listening = listener();
    daemon_ = fork();
    if (daemon_ == 0) {
      alarm(60);
      const int socket = accept(listening, nullptr, nullptr);
      script(socket);
      _exit(0);
    }
    close(listening);
  }

  ClientError refused() const {
    const auto client = Client::connect(path_);
    return client ? ClientError{Kind::failed, "connected"} : client.error();
  }

  std::filesystem::path folder_;
  std::filesystem::path path_;
  pid_t daemon_ = 0;
};

TEST_F(ClientTest, Calls) {
  serve([](int socket) {
    const auto first = protocol::decode_call(receive_request(socket));
    send_text(socket, encode(protocol::Reply{{{"was", first->method}}, {}, false}));
    const auto second = protocol::decode_call(receive_request(socket));
    send_text(socket, encode(protocol::Reply{second->parameters, "a.Error", false}));
  });
  auto client = Client::connect(path_);
  ASSERT_TRUE(client) << client.error().message;
  const auto first = client->call("Status", Json::object());
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_EQ(first->parameters, Json({{"was", "org.fwctl.Firewall.Status"}}));
  const auto second = client->call("org.varlink.service.GetInfo", {{"x", 1}});
  ASSERT_TRUE(second) << second.error().message;
  EXPECT_EQ(second->error, "a.Error");
  EXPECT_EQ(second->parameters, Json({{"x", 1}}));
}

TEST_F(ClientTest, StreamsUntilTheLastReply) {
  serve([](int socket) {
    const auto call = protocol::decode_call(receive_request(socket));
    std::string all;
    for (const int number : {1, 2, 3})
      all += encode(protocol::Reply{{{"more", call->more}, {"number", number}}, {}, number < 3});
    send_text(socket, all);
  });
  auto client = Client::connect(path_);
  ASSERT_TRUE(client) << client.error().message;
  std::string seen;
  const auto last = client->stream("Log", Json::object(), [&](const protocol::Reply& reply) {
    seen += reply.parameters.dump() + "\n";
    return true;
  });
  ASSERT_TRUE(last) << last.error().message;
  EXPECT_FALSE(last->continues);
  EXPECT_EQ(seen,
            "{\"more\":true,\"number\":1}\n{\"more\":true,\"number\":2}\n"
            "{\"more\":true,\"number\":3}\n");
}

TEST_F(ClientTest, StreamsMayBeSilentAndLeft) {
  serve([](int socket) {
    (void)receive_request(socket);
    send_text(socket, encode(protocol::Reply{{{"number", 1}}, {}, true}));
    std::this_thread::sleep_for(300ms);
    send_text(socket, encode(protocol::Reply{{{"number", 2}}, {}, true}));
    (void)receive_request(socket);
  });
  auto client = Client::connect(path_);
  ASSERT_TRUE(client) << client.error().message;
  const auto left = client->stream(
      "Log", Json::object(),
      [](const protocol::Reply& reply) { return reply.parameters.at("number") != 2; }, 200ms);
  ASSERT_TRUE(left) << left.error().message;
  EXPECT_EQ(left->parameters.at("number"), 2);
}

TEST_F(ClientTest, NoSocketIsNoDaemon) {
  EXPECT_EQ(refused().kind, Kind::no_daemon);
  EXPECT_THAT(refused().message, HasSubstr("No such file"));
}

TEST_F(ClientTest, ASocketNobodyListensOnIsNoDaemon) {
  close(listener());
  EXPECT_EQ(refused().kind, Kind::no_daemon);
  EXPECT_THAT(refused().message, HasSubstr("refused"));
}

TEST_F(ClientTest, ASocketThatMayNotBeOpenedIsNoPermission) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can be somebody else";
  std::filesystem::permissions(folder_, std::filesystem::perms{0755});
  const int listening = listener();
  std::filesystem::permissions(path_, std::filesystem::perms{0600});
  ASSERT_EQ(seteuid(1001), 0);
  const ClientError error = refused();
  ASSERT_EQ(seteuid(0), 0);
  close(listening);
  EXPECT_EQ(error.kind, Kind::no_permission);
}

TEST_F(ClientTest, APathThatIsTooLongIsSaid) {
  const auto client = Client::connect("/" + std::string(200, 'x'));
  ASSERT_FALSE(client);
  EXPECT_EQ(client.error().kind, Kind::failed);
  EXPECT_THAT(client.error().message, HasSubstr("too long"));
}

TEST_F(ClientTest, AConnectionThatEndsIsSaid) {
  serve([](int socket) {
    receive_request(socket);
    send_text(socket, "{\"parameters\"");
  });
  const auto reply = Client::connect(path_)->call("Status", Json::object());
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().kind, Kind::failed);
  EXPECT_THAT(reply.error().message, HasSubstr("closed the connection"));
}

TEST_F(ClientTest, NonsenseIsSaid) {
  serve([](int socket) {
    receive_request(socket);
    send_text(socket, "nonsense\0"s);
  });
  const auto reply = Client::connect(path_)->call("Status", Json::object());
  ASSERT_FALSE(reply);
  EXPECT_THAT(reply.error().message, HasSubstr("not JSON"));
}

TEST_F(ClientTest, TimeRunsOutThoughBytesTrickle) {
  serve([](int socket) {
    receive_request(socket);
    for (int i = 0; i < 40; ++i) {
      send_text(socket, " ");
      usleep(50'000);
    }
  });
  const auto begin = std::chrono::steady_clock::now();
  const auto reply = Client::connect(path_)->call("Status", Json::object(), 300ms);
  const auto took = std::chrono::steady_clock::now() - begin;
  ASSERT_FALSE(reply);
  EXPECT_THAT(reply.error().message, HasSubstr("in time"));
  EXPECT_GE(took, 250ms);
  EXPECT_LT(took, 1500ms);
}

TEST_F(ClientTest, ReadsTheRefusalOfARequestThatWasNotReadToItsEnd) {
  serve([](int socket) {
    char c = 0;
    recv(socket, &c, 1, 0);
    send_text(socket, encode(protocol::firewall_error("TooLarge", {{"message", "no"}})));
  });
  auto client = Client::connect(path_);
  ASSERT_TRUE(client);
  const auto reply = client->call("Apply", {{"policy", std::string(10UL << 20, 'x')}});
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(reply->error, "org.fwctl.Firewall.TooLarge");
}

TEST_F(ClientTest, TakesLargeReplies) {
  serve([](int socket) {
    receive_request(socket);
    send_text(socket, encode(protocol::Reply{{{"text", std::string(20UL << 20, 'x')}}, {}, false}));
  });
  const auto reply = Client::connect(path_)->call("Show", {{"what", "ruleset"}});
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(reply->parameters["text"].get_ref<const std::string&>().size(), 20UL << 20);
}

TEST_F(ClientTest, RefusesEndlessReplies) {
  serve([](int socket) {
    receive_request(socket);
    const std::string piece(1UL << 20, 'x');
    for (int i = 0; i < 300; ++i) send_text(socket, piece);
  });
  const auto reply = Client::connect(path_)->call("Show", Json::object());
  ASSERT_FALSE(reply);
  EXPECT_THAT(reply.error().message, HasSubstr("too large"));
}

TEST_F(ClientTest, CanBeMoved) {
  serve([](int socket) {
    receive_request(socket);
    send_text(socket, encode(protocol::Reply{}));
  });
  auto client = Client::connect(path_);
  ASSERT_TRUE(client);
  Client moved = std::move(*client);
  EXPECT_TRUE(moved.call("Status", Json::object()));
}

}  // namespace
}  // namespace fwctl::cli
