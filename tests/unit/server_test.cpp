// The server on a real socket, its event loop stepped between what the peers do.
#include "daemon/server.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <malloc.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "daemon/protocol/message_buffer.h"

namespace fwctl {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;
using protocol::Call;
using protocol::Json;
using protocol::MessageBuffer;
using protocol::Reply;
using Clock = std::chrono::steady_clock;

std::string request(const std::string& method, Json parameters = Json::object(),
                    bool oneway = false) {
  return encode(
      Call{.method = method, .parameters = std::move(parameters), .more = false, .oneway = oneway});
}

std::ptrdiff_t open_descriptors() {
  const std::filesystem::directory_iterator all("/proc/self/fd");
  return std::distance(begin(all), end(all));
}

std::ptrdiff_t memory_in_use() {
  const auto info = mallinfo2();
  return static_cast<std::ptrdiff_t>(info.uordblks + info.hblkhd);
}

// One peer's end. Never blocks.
class TestPeer {
 public:
  explicit TestPeer(const std::string& path)
      : socket_(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(static_cast<char*>(address.sun_path), sizeof address.sun_path - 1);
    if (connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0)
      throw std::system_error(errno, std::generic_category(), "connect");
  }
  TestPeer(TestPeer&& other) noexcept
      : socket_(std::exchange(other.socket_, -1)), input_(std::move(other.input_)) {}
  TestPeer(const TestPeer&) = delete;
  TestPeer& operator=(const TestPeer&) = delete;
  TestPeer& operator=(TestPeer&&) = delete;
  ~TestPeer() { hang_up(); }

  void hang_up() {
    if (socket_ >= 0) close(std::exchange(socket_, -1));
  }
  void end_writing() const { shutdown(socket_, SHUT_WR); }

  // How much went out; nullopt when the server has closed the connection.
  std::optional<std::size_t> write_some(std::string_view text) const {
    const ssize_t size = send(socket_, text.data(), text.size(), MSG_NOSIGNAL);
    if (size >= 0) return static_cast<std::size_t>(size);
    if (errno == EAGAIN) return 0;
    return {};
  }

  // A reply that has arrived.
  std::optional<Reply> read() {
    fill();
    if (input_.state() != MessageBuffer::State::complete) return {};
    return protocol::decode_reply(input_.take()).value();
  }

  bool is_closed() {
    fill();
    return closed_;
  }

 private:
  void fill() {
    std::array<char, 65536> piece{};
    ssize_t size = 0;
    while ((size = recv(socket_, piece.data(), piece.size(), 0)) > 0)
      input_.append({piece.data(), static_cast<std::size_t>(size)});
    if (size == 0 || errno != EAGAIN) closed_ = true;
  }

  int socket_;
  MessageBuffer input_{1UL << 30};
  bool closed_ = false;
};

class ServerTest : public testing::Test {
 protected:
  ServerTest() {
    std::string name = std::filesystem::temp_directory_path() / "fwctl-server-XXXXXX";
    folder_ = mkdtemp(name.data());
    chmod(folder_.c_str(), 0755);
    path_ = folder_ / "socket";
  }

  ~ServerTest() override {
    server_.reset();
    sd_event_unref(event_);
    std::filesystem::remove_all(folder_);
  }

  void start(ServerLimits limits = {}) {
    ASSERT_GE(sd_event_new(&event_), 0);
    const int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ASSERT_GE(listener, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path_.string().copy(static_cast<char*>(address.sun_path), sizeof address.sun_path - 1);
    ASSERT_EQ(bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    ASSERT_EQ(listen(listener, SOMAXCONN), 0);
    chmod(path_.c_str(), 0666);
    auto server =
        Server::create(event_, listener, limits,
                       [this](const Peer& peer, const Call& call) { return answer(peer, call); });
    ASSERT_TRUE(server) << server.error().message();
    server_ = std::move(*server);
  }

  Answer answer(const Peer& peer, const Call& call) {
    calls_.push_back(call.method);
    if (call.method == "t.Stream") return begin_stream();
    return reply_to(peer, call);
  }

  Answer begin_stream() {
    auto stream = std::make_shared<Stream>([this] { ++streams_ended_; });
    stream_ = stream;
    return {{{"first", true}}, std::move(stream)};
  }

  static Reply reply_to(const Peer& peer, const Call& call) {
    if (call.method == "t.Throw") throw std::runtime_error("our bug");
    if (call.method == "t.Sleep") std::this_thread::sleep_for(500ms);
    if (call.method == "t.Who")
      return {{{"uid", peer.uid}, {"gid", peer.gid}, {"pid", peer.pid}, {"groups", peer.groups}},
              {},
              false};
    if (call.method == "t.Big")
      return {
          {{"text", std::string(call.parameters.at("size").get<std::size_t>(), 'x')}}, {}, false};
    if (call.method == "t.Size")
      return {
          {{"size", call.parameters.at("text").get_ref<const std::string&>().size()}}, {}, false};
    return {call.parameters, {}, false};
  }

  TestPeer connect() { return TestPeer(path_); }

  // The kernel remembers who connected, not who writes.
  TestPeer connect_as(uid_t uid) {
    if (seteuid(uid) != 0) throw std::system_error(errno, std::generic_category(), "seteuid");
    std::optional<TestPeer> peer;
    try {
      peer.emplace(path_);
    } catch (...) {
      (void)seteuid(0);
      throw;
    }
    if (seteuid(0) != 0) throw std::system_error(errno, std::generic_category(), "seteuid");
    return std::move(*peer);
  }

  std::vector<TestPeer> connect_many(std::size_t number, uid_t uid) {
    std::vector<TestPeer> peers;
    peers.reserve(number);
    while (peers.size() < number) peers.push_back(uid == geteuid() ? connect() : connect_as(uid));
    return peers;
  }

  void step(std::chrono::microseconds longest = 5ms) {
    ++steps_;
    ASSERT_GE(sd_event_run(event_, static_cast<std::uint64_t>(longest.count())), 0);
  }

  void run_for(std::chrono::milliseconds time) {
    for (const auto end = Clock::now() + time; Clock::now() < end;) step();
  }

  template <typename Condition>
  bool run_until(Condition condition, std::chrono::milliseconds limit = 20s) {
    for (const auto end = Clock::now() + limit; Clock::now() < end;) {
      if (condition()) return true;
      step();
    }
    return condition();
  }

  // All of it, or as much as the server takes before it hangs up.
  void write(const TestPeer& peer, std::string_view text) {
    run_until([&] {
      const auto size = peer.write_some(text);
      text.remove_prefix(size.value_or(text.size()));
      return text.empty();
    });
  }

  Reply read(TestPeer& peer) {
    std::optional<Reply> reply;
    EXPECT_TRUE(run_until([&] { return (reply = peer.read()) || peer.is_closed(); }));
    if (!reply) reply = peer.read();
    if (!reply) return {Json::object(), "test.NoReply", false};
    return *reply;
  }

  // The reply's error and whether the server hung up after it.
  std::string refusal(TestPeer& peer) {
    const std::string error = read(peer).error;
    const bool closed = run_until([&] { return peer.is_closed(); }, 2s);
    return error + (closed ? ", closed" : ", open");
  }

  bool is_served(TestPeer& peer) {
    write(peer, request("t.Echo", {{"x", 1}}));
    return read(peer).parameters == Json{{"x", 1}};
  }

  std::filesystem::path folder_;
  std::filesystem::path path_;
  sd_event* event_ = nullptr;
  std::unique_ptr<Server> server_;
  std::vector<std::string> calls_;
  std::weak_ptr<Stream> stream_;  // the newest
  int streams_ended_ = 0;
  std::size_t steps_ = 0;
};

constexpr uid_t alice = 1001;
constexpr uid_t bob = 1002;

class UserTest : public ServerTest {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "only root can be somebody else";
  }
};

const std::string too_large = "org.fwctl.Firewall.TooLarge, closed";
const std::string refused = "org.fwctl.Firewall.Refused, closed";

TEST_F(ServerTest, Answers) {
  start();
  TestPeer peer = connect();
  EXPECT_TRUE(is_served(peer));
  EXPECT_TRUE(is_served(peer));
}

TEST_F(ServerTest, RefusesASocketThatDoesNotListen) {
  const int socket = ::socket(AF_UNIX, SOCK_STREAM, 0);
  const auto server = Server::create(event_, socket, {}, {});
  ASSERT_FALSE(server);
  EXPECT_EQ(server.error().code, EINVAL);
  EXPECT_EQ(fcntl(socket, F_GETFD), -1) << "it is the server's, and should be closed";
}

TEST_F(ServerTest, KnowsThePeer) {
  start();
  TestPeer peer = connect();
  write(peer, request("t.Who"));
  const Json who = read(peer).parameters;
  EXPECT_EQ(who["uid"], geteuid());
  EXPECT_EQ(who["gid"], getegid());
  EXPECT_EQ(who["pid"], getpid());
  std::vector<gid_t> groups(64);
  groups.resize(static_cast<std::size_t>(getgroups(64, groups.data())));
  EXPECT_EQ(who["groups"], Json(groups));
}

TEST_F(UserTest, KnowsAnotherPeersGroups) {
  start();
  std::vector<gid_t> before(64);
  before.resize(static_cast<std::size_t>(getgroups(64, before.data())));
  const std::vector<gid_t> groups{7, 990, 4000};
  ASSERT_EQ(setgroups(groups.size(), groups.data()), 0);
  TestPeer peer = connect_as(alice);
  ASSERT_EQ(setgroups(before.size(), before.data()), 0);
  write(peer, request("t.Who"));
  const Json who = read(peer).parameters;
  EXPECT_EQ(who["uid"], alice);
  EXPECT_EQ(who["groups"], Json(groups));
}

TEST_F(ServerTest, AnswersPipelinedRequestsInOrder) {
  start();
  TestPeer peer = connect();
  std::string all;
  for (int i = 0; i < 1000; ++i) all += request("t.Echo", {{"i", i}});
  write(peer, all);
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(read(peer).parameters["i"], i);
}

TEST_F(ServerTest, OnewayGetsNoReply) {
  start();
  TestPeer peer = connect();
  write(peer, request("t.Echo", {{"i", 1}}, true) + request("t.Echo", {{"i", 2}}));
  EXPECT_EQ(read(peer).parameters["i"], 2);
  EXPECT_EQ(calls_.size(), 2);
}

TEST_F(ServerTest, OnewayIsCarriedOutThoughThePeerIsGone) {
  start();
  TestPeer peer = connect();
  write(peer, request("t.First", Json::object(), true) + request("t.Second", Json::object(), true));
  peer.hang_up();
  EXPECT_TRUE(run_until([&] { return calls_.size() == 2; }, 2s));
}

TEST_F(ServerTest, TakesARequestByteByByte) {
  start();
  TestPeer peer = connect();
  for (const char c : request("t.Echo", {{"x", 1}})) {
    write(peer, {&c, 1});
    step(0ms);
  }
  EXPECT_EQ(read(peer).parameters, Json({{"x", 1}}));
}

TEST_F(ServerTest, AnswersAfterThePeerEndedWriting) {
  start();
  TestPeer peer = connect();
  write(peer, request("t.Echo", {{"i", 1}}) + request("t.Big", {{"size", 3'000'000}}) + "{\"half");
  peer.end_writing();
  EXPECT_EQ(read(peer).parameters["i"], 1);
  EXPECT_EQ(read(peer).parameters["text"].get<std::string>().size(), 3'000'000);
  EXPECT_TRUE(run_until([&] { return peer.is_closed(); }, 2s));
}

TEST_F(ServerTest, RefusesGarbage) {
  start();
  for (const std::string& garbage :
       {"\x01\xfe\xff\x80garbage\0"s, "\0"s, "{\0"s, "[]\0"s, "{\"method\": 1}\0"s,
        std::string(1000, '\0'), "GET / HTTP/1.1\r\n\r\n\0"s}) {
    TestPeer peer = connect();
    write(peer, garbage);
    EXPECT_EQ(refusal(peer), refused) << protocol::printable(garbage);
  }
  EXPECT_TRUE(calls_.empty());
}

TEST_F(ServerTest, TakesNothingAfterGarbage) {
  start();
  TestPeer peer = connect();
  write(peer, "garbage\0"s + request("t.Echo"));
  EXPECT_EQ(refusal(peer), refused);
  EXPECT_TRUE(calls_.empty());
}

TEST_F(ServerTest, RefusesTenThousandLevels) {
  start();
  TestPeer peer = connect();
  write(peer, R"({"method": "t.Echo", "parameters": {"x": )" + std::string(10000, '[') +
                  std::string(10000, ']') + "}}\0"s);
  EXPECT_EQ(refusal(peer), too_large);
}

TEST_F(ServerTest, ForgetsAPeerThatLeavesInTheMiddle) {
  start();
  const auto before = open_descriptors();
  {
    const TestPeer half = connect();
    write(half, R"({"method": "t.Ec)");
    const TestPeer silent = connect();
    const TestPeer unread = connect();
    write(unread, request("t.Big", {{"size", 10'000'000}}));
    TestPeer served = connect();
    ASSERT_TRUE(is_served(served));
    EXPECT_EQ(open_descriptors(), before + 8);
  }
  EXPECT_TRUE(run_until([&] { return open_descriptors() == before; }, 2s));
}

TEST_F(ServerTest, RefusesAHundredMegabytes) {
  start();
  TestPeer peer = connect();
  const std::string text(100UL << 20, 'x');
  write(peer, R"({"method": "t.Size", "parameters": {"text": ")");
  write(peer, text);
  write(peer, "\"}}\0"s);
  EXPECT_EQ(refusal(peer), too_large);
}

TEST_F(ServerTest, TakesALargeRequestAndGivesTheMemoryBack) {
  if (geteuid() != 0) GTEST_SKIP() << "only root may";
  start();
  TestPeer peer = connect();
  ASSERT_TRUE(is_served(peer));
  const auto before = memory_in_use();
  {
    // The next one comes right behind it and is not yet complete.
    const std::string large = request("t.Size", {{"text", std::string(8UL << 20, 'x')}}) + "{";
    write(peer, large);
    EXPECT_EQ(read(peer).parameters["size"], 8UL << 20);
  }
  EXPECT_LT(memory_in_use() - before, 2 << 20);
  write(peer, request("t.Echo", {{"x", 1}}).substr(1));
  EXPECT_EQ(read(peer).parameters, Json({{"x", 1}}));
}

TEST_F(ServerTest, GivesTheMemoryOfALargeReplyBack) {
  start();
  TestPeer peer = connect();
  ASSERT_TRUE(is_served(peer));
  const auto before = memory_in_use();
  write(peer, request("t.Big", {{"size", 8UL << 20}}));
  EXPECT_EQ(read(peer).error, "");
  EXPECT_LT(memory_in_use() - before, 2 << 20);
}

TEST_F(UserTest, OthersMaySendLess) {
  start();
  TestPeer peer = connect_as(alice);
  const auto sized = [](std::size_t size) {
    const std::size_t rest = request("t.Size", {{"text", ""}}).size() - 1;
    return request("t.Size", {{"text", std::string(size - rest, 'x')}});
  };
  write(peer, sized(64UL << 10));
  EXPECT_EQ(read(peer).error, "");
  write(peer, sized((64UL << 10) + 1));
  EXPECT_EQ(refusal(peer), too_large);
}

TEST_F(ServerTest, ClosesASilentPeer) {
  start({.idle = 200ms});
  TestPeer silent = connect();
  TestPeer talks = connect();
  const auto begin = Clock::now();
  bool served = true;
  EXPECT_TRUE(run_until(
      [&] {
        served = served && is_served(talks);
        return silent.is_closed();
      },
      5s));
  EXPECT_GE(Clock::now() - begin, 150ms);
  EXPECT_LE(Clock::now() - begin, 2s);
  EXPECT_TRUE(served);
  EXPECT_FALSE(talks.is_closed());
}

TEST_F(ServerTest, ClosesAPeerThatDribbles) {
  start({.idle = 10s, .request = 300ms});
  TestPeer peer = connect();
  const auto begin = Clock::now();
  EXPECT_TRUE(run_until(
      [&] {
        (void)peer.write_some("x");
        return peer.is_closed();
      },
      5s));
  EXPECT_GE(Clock::now() - begin, 250ms);
}

TEST_F(ServerTest, ClosesAPeerThatDoesNotRead) {
  start({.idle = 300ms});
  TestPeer peer = connect();
  ASSERT_TRUE(is_served(peer));
  calls_.clear();
  std::string all;
  for (int i = 0; i < 100; ++i) all += request("t.Big", {{"size", 5'000'000}});
  const auto before = open_descriptors();
  write(peer, all);
  EXPECT_TRUE(run_until([&] { return open_descriptors() == before - 1; }, 5s));
  EXPECT_EQ(calls_.size(), 1) << "a request was carried out before the last reply was read";
}

TEST_F(ServerTest, ClosesAPeerThatDoesNotReadManySmallReplies) {
  start({.idle = 300ms});
  TestPeer peer = connect();
  ASSERT_TRUE(is_served(peer));
  const auto before = open_descriptors();
  std::string all;
  for (int i = 0; i < 50'000; ++i) all += request("t.Echo");
  write(peer, all);
  EXPECT_TRUE(run_until([&] { return open_descriptors() == before - 1; }, 5s));
  EXPECT_LT(calls_.size(), 50'000);
}

// A handler that took long must not make the others look silent.
TEST_F(ServerTest, DoesNotHoldItsOwnTimeAgainstPeers) {
  start({.idle = 300ms});
  TestPeer first = connect();
  TestPeer second = connect();
  ASSERT_TRUE(is_served(first));
  ASSERT_TRUE(is_served(second));
  ASSERT_TRUE(first.write_some(request("t.Sleep")));
  ASSERT_TRUE(second.write_some(request("t.Echo")));
  EXPECT_EQ(read(first).error, "");
  EXPECT_EQ(read(second).error, "");
  EXPECT_FALSE(first.is_closed());
  EXPECT_FALSE(second.is_closed());
}

TEST_F(ServerTest, BoundsOneReply) {
  start({.unread = 1'000'000});
  TestPeer peer = connect();
  write(peer, request("t.Big", {{"size", 1'000'000}}));
  EXPECT_EQ(read(peer).error, "org.fwctl.Firewall.TooLarge");
  EXPECT_TRUE(is_served(peer));
}

TEST_F(ServerTest, BoundsAllThatIsUnread) {
  start({.unread = 10'000'000});
  std::vector<TestPeer> peers;
  const auto before = open_descriptors();
  for (const int size : {3'000'000, 5'000'000, 4'000'000}) {
    peers.push_back(connect());
    write(peers.back(), request("t.Big", {{"size", size}}));
    run_for(20ms);
  }
  EXPECT_EQ(open_descriptors(), before + 5);
  EXPECT_EQ(read(peers[1]).error, "test.NoReply") << "it left most unread";
  EXPECT_EQ(read(peers[0]).error, "");
  EXPECT_EQ(read(peers[2]).error, "");
}

TEST_F(ServerTest, TakesTurns) {
  start();
  TestPeer busy = connect();
  TestPeer other = connect();
  ASSERT_TRUE(is_served(busy));
  ASSERT_TRUE(is_served(other));
  calls_.clear();
  std::string all;
  for (int i = 0; i < 1000; ++i) all += request("t.Busy", Json::object(), true);
  ASSERT_EQ(busy.write_some(all), all.size());
  ASSERT_TRUE(run_until([&] { return calls_.size() == 10; }));
  ASSERT_TRUE(other.write_some(request("t.Other")));
  ASSERT_TRUE(run_until([&] { return calls_.size() == 1001; }));
  EXPECT_LT(std::ranges::find(calls_, "t.Other") - calls_.begin(), 20);
}

// Nor does the crowd keep the busy one waiting.
TEST_F(ServerTest, TakesTurnsWithACrowd) {
  start();
  const TestPeer busy = connect();
  const std::vector<TestPeer> crowd = connect_many(10, geteuid());
  std::string all;
  for (int i = 0; i < 100; ++i) all += request("t.Busy", Json::object(), true);
  write(busy, all);
  for (int i = 0; i < 1000; ++i) {
    for (const TestPeer& peer : crowd)
      (void)peer.write_some(request("t.Crowd", Json::object(), true));
    step();
  }
  EXPECT_GT(std::ranges::count(calls_, "t.Busy"), 50);
}

// What waits beyond a piece waits in the kernel, at the peer's cost.
TEST_F(ServerTest, ReadsNoFurtherThanItServes) {
  start();
  const TestPeer peer = connect();
  const std::string one = request("t.Busy", Json::object(), true);
  std::string many;
  for (int i = 0; i < 1000; ++i) many += one;
  std::size_t written = 0;
  for (int i = 0; i < 500; ++i) {
    written += peer.write_some(std::string_view(many).substr(written % one.size())).value_or(0);
    step();
  }
  EXPECT_GT(calls_.size(), 400);
  EXPECT_LT(written, 1 << 20);
}

TEST_F(UserTest, FiveHundredSilentPeersKeepNobodyOut) {
  start();
  TestPeer root = connect();
  TestPeer early = connect_as(bob);
  ASSERT_TRUE(is_served(root));
  ASSERT_TRUE(is_served(early));
  std::vector<TestPeer> crowd = connect_many(500, alice);

  const auto begin = Clock::now();
  TestPeer late = connect_as(bob);
  EXPECT_TRUE(is_served(late));
  EXPECT_TRUE(is_served(early));
  EXPECT_TRUE(is_served(root));
  EXPECT_LT(Clock::now() - begin, 1s);
  const auto left = std::ranges::count_if(crowd, [](TestPeer& peer) { return !peer.is_closed(); });
  EXPECT_EQ(left, 128 - 3);
}

TEST_F(UserTest, WhoHoldsMostLosesTheOneSilentLongest) {
  start({.connections = 4});
  TestPeer bobs = connect_as(bob);
  run_for(10ms);
  std::vector<TestPeer> alices = connect_many(3, alice);
  run_for(10ms);
  ASSERT_TRUE(is_served(alices[0]));
  ASSERT_TRUE(is_served(alices[2]));
  TestPeer newcomer = connect_as(bob);
  EXPECT_TRUE(is_served(newcomer));
  EXPECT_TRUE(alices[1].is_closed());
  EXPECT_TRUE(is_served(alices[0]));
  EXPECT_TRUE(is_served(alices[2]));
  EXPECT_TRUE(is_served(bobs));
}

TEST_F(UserTest, NobodyPushesRootOut) {
  start({.connections = 3});
  std::vector<TestPeer> roots = connect_many(3, 0);
  TestPeer user = connect_as(alice);
  EXPECT_TRUE(run_until([&] { return user.is_closed(); }, 2s));
  for (TestPeer& root : roots) EXPECT_TRUE(is_served(root));
}

TEST_F(UserTest, RootGetsIn) {
  start({.connections = 3});
  TestPeer first = connect();
  run_for(10ms);
  TestPeer user = connect_as(alice);
  TestPeer second = connect();
  run_for(10ms);
  TestPeer third = connect();
  EXPECT_TRUE(is_served(third));
  EXPECT_TRUE(user.is_closed()) << "root holds most, and yet the user makes room";
  TestPeer fourth = connect();
  EXPECT_TRUE(is_served(fourth));
  EXPECT_TRUE(first.is_closed());
  EXPECT_TRUE(is_served(second));
}

class DescriptorLimit {
 public:
  explicit DescriptorLimit(std::ptrdiff_t most) {
    getrlimit(RLIMIT_NOFILE, &before_);
    rlimit limit = before_;
    limit.rlim_cur = static_cast<rlim_t>(most);
    setrlimit(RLIMIT_NOFILE, &limit);
  }
  DescriptorLimit(const DescriptorLimit&) = delete;
  DescriptorLimit& operator=(const DescriptorLimit&) = delete;
  ~DescriptorLimit() { setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_{};
};

TEST_F(ServerTest, WaitsWhenThereAreNoDescriptors) {
  if (geteuid() != 0) GTEST_SKIP() << "its own connections would make room";
  start();
  TestPeer inside = connect();
  ASSERT_TRUE(is_served(inside));
  TestPeer waiting = connect();
  {
    const DescriptorLimit none(3);
    steps_ = 0;
    run_for(300ms);
    EXPECT_LT(steps_, 150) << "it spins";
    EXPECT_TRUE(is_served(inside));
  }
  EXPECT_TRUE(is_served(waiting));
}

TEST_F(UserTest, MakesRoomWhenThereAreNoDescriptors) {
  start();
  TestPeer user = connect_as(alice);
  ASSERT_TRUE(is_served(user));
  TestPeer root = connect();
  const int next = dup(0);
  close(next);
  const DescriptorLimit none(next);
  EXPECT_TRUE(is_served(root));
  EXPECT_TRUE(user.is_closed());
}

TEST_F(ServerTest, AnExceptionEndsTheProgram) {
  EXPECT_DEATH(
      {
        start();
        TestPeer peer = connect();
        write(peer, request("t.Throw"));
        read(peer);
      },
      "our bug");
}

class StreamTest : public ServerTest {
 protected:
  // A peer that has the first reply of a stream.
  TestPeer follow() {
    TestPeer peer = connect();
    write(peer, request("t.Stream"));
    const Reply first = read(peer);
    EXPECT_TRUE(first.continues && first.parameters == Json({{"first", true}}));
    return peer;
  }

  void push(int number) const { stream_.lock()->push({{"number", number}}); }
};

TEST_F(StreamTest, RepliesAsThingsHappen) {
  start();
  TestPeer peer = follow();
  for (const int number : {1, 2}) {
    push(number);
    const Reply reply = read(peer);
    EXPECT_TRUE(reply.continues);
    EXPECT_EQ(reply.parameters, Json({{"number", number}}));
  }
}

TEST_F(StreamTest, EndsWithAReplyThatDoesNotContinue) {
  start();
  TestPeer peer = follow();
  write(peer, request("t.Echo", {{"x", 2}}));
  push(1);
  run_for(20ms);
  EXPECT_EQ(calls_.size(), 1) << "the next call waits for the end of the stream";
  stream_.lock()->end({{"number", 2}});
  EXPECT_EQ(streams_ended_, 1);
  EXPECT_EQ(read(peer).parameters, Json({{"number", 1}}));
  const Reply last = read(peer);
  EXPECT_FALSE(last.continues);
  EXPECT_EQ(last.parameters, Json({{"number", 2}}));
  EXPECT_EQ(read(peer).parameters, Json({{"x", 2}}));
  EXPECT_TRUE(stream_.expired());
  EXPECT_EQ(streams_ended_, 1);
}

TEST_F(StreamTest, EndsWhenThePeerHangsUp) {
  start();
  TestPeer peer = follow();
  peer.hang_up();
  EXPECT_TRUE(run_until([&] { return stream_.expired(); }, 2s));
  EXPECT_EQ(streams_ended_, 1);
}

TEST_F(StreamTest, EndsWhenThePeerEndsWriting) {
  start();
  TestPeer peer = follow();
  peer.end_writing();
  EXPECT_TRUE(run_until([&] { return stream_.expired(); }, 2s));
  EXPECT_TRUE(run_until([&] { return peer.is_closed(); }, 2s));
}

TEST_F(StreamTest, MayBeSilent) {
  start({.idle = 50ms});
  TestPeer silent = connect();
  TestPeer peer = follow();
  ASSERT_TRUE(run_until([&] { return silent.is_closed(); }, 2s));
  run_for(100ms);
  EXPECT_FALSE(peer.is_closed());
  push(1);
  EXPECT_EQ(read(peer).parameters, Json({{"number", 1}}));
}

// The peer gets what it was behind with, then how many it lost, then what comes from there on; and
// nobody else waits for it meanwhile.
TEST_F(StreamTest, ASlowReaderCostsNothing) {
  start();
  TestPeer slow = follow();
  TestPeer other = connect();
  const int many = 20'000;
  const auto before = memory_in_use();
  for (int number = 1; number <= many; ++number) {
    stream_.lock()->push({{"number", number}, {"filler", std::string(100, 'x')}});
    step(0ms);
    if (number % 1000 == 0) {
      ASSERT_TRUE(is_served(other));
    }
  }
  EXPECT_LT(memory_in_use() - before, 1 << 20);

  int got = 0;
  Reply reply = read(slow);
  for (; reply.parameters.contains("number"); reply = read(slow)) {
    ASSERT_EQ(reply.parameters["number"], ++got);
    ASSERT_TRUE(reply.continues);
  }
  EXPECT_GE(got, static_cast<int>(Stream::default_capacity));
  EXPECT_EQ(reply.parameters, Json({{"lost", many - got}}));
  EXPECT_TRUE(reply.continues);
  push(many + 1);
  EXPECT_EQ(read(slow).parameters, Json({{"number", many + 1}}));
}

TEST_F(StreamTest, AreBounded) {
  start({.streams = 2});
  TestPeer first = follow();
  TestPeer second = follow();
  TestPeer third = connect();
  write(third, request("t.Stream"));
  EXPECT_EQ(read(third).error, "org.fwctl.Firewall.Refused");
  EXPECT_EQ(streams_ended_, 1);
  EXPECT_TRUE(is_served(third));
  first.hang_up();
  run_until([&] { return streams_ended_ == 2; }, 2s);
  TestPeer fourth = follow();
}

}  // namespace
}  // namespace fwctl
