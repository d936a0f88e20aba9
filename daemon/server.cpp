#include "daemon/server.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <map>
#include <string>
#include <tuple>
#include <utility>

namespace fwctl {
namespace {

using protocol::Reply;

constexpr uid_t root = 0;
constexpr std::chrono::milliseconds accept_pause{200};

Connection::Time now() {
  return std::chrono::steady_clock::now();
}

// What sd-event's clock calls the same moment.
std::uint64_t microseconds(Connection::Time time) {
  return static_cast<std::uint64_t>(
      std::chrono::ceil<std::chrono::microseconds>(time.time_since_epoch()).count());
}

Reply too_large(std::string message) {
  return protocol::firewall_error("TooLarge", {{"message", std::move(message)}});
}

Reply refused(std::string message) {
  return protocol::firewall_error("Refused", {{"message", std::move(message)}});
}

Result<void> check_listener(int listener) {
  int listens = 0;
  socklen_t size = sizeof listens;
  if (getsockopt(listener, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) < 0)
    return failed("serve", "the listening socket");
  if (listens == 0) return failed("serve", "the listening socket", EINVAL, "it does not listen");
  const int flags = fcntl(listener, F_GETFL);
  if (flags < 0 || fcntl(listener, F_SETFL, flags | O_NONBLOCK) < 0)
    return failed("unblock", "the listening socket");
  return {};
}

}  // namespace

Server::Session::Session(Server& its_server, int socket, Peer peer, std::size_t request)
    : server(its_server), connection(socket, std::move(peer), request, now()) {}

Server::Server(int listener, ServerLimits limits, Handler handler)
    : listener_(listener), limits_(limits), handler_(std::move(handler)) {}

Server::~Server() {
  accept_.reset();
  ::close(listener_);
}

Result<std::unique_ptr<Server>> Server::create(sd_event* event, int listener, ServerLimits limits,
                                               Handler handler) {
  std::unique_ptr<Server> server(new Server(listener, limits, std::move(handler)));
  if (auto started = server->start(event); !started)
    return tl::unexpected(std::move(started.error()));
  return server;
}

// The callbacks are noexcept: an exception must end the program here, where the core shows what
// threw it, and not find a way through libsystemd's C.
Result<void> Server::start(sd_event* event) {
  event_ = event;
  if (auto fit = check_listener(listener_); !fit) return fit;

  const auto on_accept = [](sd_event_source*, int, std::uint32_t, void* server) noexcept {
    static_cast<Server*>(server)->accept_one();
    return 0;
  };
  auto accepting = watch_input(event, listener_, on_accept, this, "the listening socket");
  if (!accepting) return tl::unexpected(accepting.error());
  accept_ = std::move(*accepting);

  const auto on_resume = [](sd_event_source*, std::uint64_t, void* server) noexcept {
    sd_event_source_set_enabled(static_cast<Server*>(server)->accept_.get(), SD_EVENT_ON);
    return 0;
  };
  const auto on_deadline = [](sd_event_source*, std::uint64_t, void* server) noexcept {
    static_cast<Server*>(server)->close_expired();
    return 0;
  };
  auto resume = make_timer(event, on_resume, this);
  if (!resume) return tl::unexpected(resume.error());
  resume_accepting_ = std::move(*resume);
  auto deadline = make_timer(event, on_deadline, this);
  if (!deadline) return tl::unexpected(deadline.error());
  deadline_ = std::move(*deadline);
  return {};
}

// One at a time, so that a crowd at the door does not keep those inside from being served.
void Server::accept_one() {
  const int socket = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (socket >= 0) {
    admit(socket);
    return;
  }
  if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED) return;
  // Who waits at the door stays there and would wake us again at once.
  if (errno == EMFILE) make_room(nullptr);
  pause_accepting();
}

void Server::pause_accepting() {
  sd_event_source_set_enabled(accept_.get(), SD_EVENT_OFF);
  sd_event_source_set_time(resume_accepting_.get(), microseconds(now() + accept_pause));
  sd_event_source_set_enabled(resume_accepting_.get(), SD_EVENT_ONESHOT);
}

// A peer that nothing can be known of, or that the event loop has no memory for, is turned away.
void Server::admit(int socket) {
  auto peer = peer_of(socket);
  if (!peer) {
    ::close(socket);
    return;
  }
  const std::size_t request = peer->uid == root ? limits_.request_root : limits_.request_other;
  auto session = std::make_unique<Session>(*this, socket, std::move(*peer), request);
  if (!watch(*session)) return;
  const Session& newcomer = *sessions_.emplace_back(std::move(session));
  watch_deadline(newcomer);
  if (sessions_.size() > limits_.connections) make_room(&newcomer);
}

bool Server::watch(Session& session) {
  const auto on_io = [](sd_event_source*, int, std::uint32_t events, void* data) noexcept {
    auto* its = static_cast<Session*>(data);
    its->server.on_io(*its, events);
    return 0;
  };
  auto io = watch_input(event_, session.connection.socket(), on_io, &session, "a connection");
  if (io) session.io = std::move(*io);
  return io.has_value();
}

void Server::on_io(Session& session, std::uint32_t events) {
  if (session.stream && (events & EPOLLRDHUP) != 0) {
    session.stream.reset();
    session.connection.finish();
  }
  if (!proceed(session) || session.connection.done())
    close(session);
  else
    wait_for_next(session);
}

// An error of the socket is what recv and send say after the last byte of what did arrive.
bool Server::proceed(Session& session) {
  Connection& connection = session.connection;
  if (connection.unsent() > 0) return connection.flush(now());
  if (session.stream) return send_news(session);
  if (connection.done()) return true;
  if (!connection.has_request() && !connection.receive(now())) return false;
  return !connection.has_request() || serve(session);
}

bool Server::serve(Session& session) {
  bool oneway = false;
  Answer answer = this->answer(session, oneway);
  if (oneway) return true;
  if (answer.stream) begin_stream(session, answer);
  assert(answer.reply.continues == (answer.stream != nullptr));
  std::string text = encode(answer.reply);
  if (text.size() > limits_.unread)
    text = encode(
        too_large("the reply would be larger than " + std::to_string(limits_.unread) + " bytes"));
  return session.connection.send(std::move(text), now());
}

// One reply at a time, as of calls: a stream must not keep us from the others.
bool Server::send_news(Session& session) {
  if (!session.stream->pending()) return true;
  std::string text = session.stream->take();
  if (session.stream->ended()) session.stream.reset();
  return session.connection.send(std::move(text), now());
}

void Server::begin_stream(Session& session, Answer& answer) {
  const uid_t uid = session.connection.peer().uid;
  const auto open = std::ranges::count_if(sessions_, [&](const auto& other) {
    return other->stream && other->connection.peer().uid == uid;
  });
  if (static_cast<std::size_t>(open) >= limits_.streams) {
    answer = refused("a user may have " + std::to_string(limits_.streams) + " streams at once");
    return;
  }
  session.stream = std::move(answer.stream);
  session.stream->watch(
      [&session] { sd_event_source_set_io_events(session.io.get(), EPOLLOUT | EPOLLRDHUP); });
  answer.stream = session.stream;
}

Answer Server::answer(Session& session, bool& oneway) {
  Connection& connection = session.connection;
  if (connection.input() == Connection::Input::overlong) {
    connection.finish();
    const bool is_root = connection.peer().uid == root;
    return too_large("a request may have " +
                     std::to_string(is_root ? limits_.request_root : limits_.request_other) +
                     " bytes");
  }
  std::string request = connection.take_request(now());
  const auto call = protocol::decode_call(request);
  if (!call) {
    connection.finish();
    return protocol::nested_too_deep(request) ? too_large(call.error()) : refused(call.error());
  }
  std::string().swap(request);  // it may be large, and the handler has much to do
  oneway = call->oneway;
  return handler_(connection.peer(), *call);
}

// A request that is here already awaits room as well, although there mostly is some: so it queues
// with whatever the other peers do. (A defer source would go before all of them.)
void Server::wait_for_next(Session& session) {
  const Connection& connection = session.connection;
  if (session.stream) {
    const bool has_more = connection.unsent() > 0 || session.stream->pending();
    sd_event_source_set_io_events(session.io.get(), has_more ? EPOLLOUT | EPOLLRDHUP : EPOLLRDHUP);
  } else {
    sd_event_source_set_io_events(session.io.get(), connection.awaits_room() ? EPOLLOUT : EPOLLIN);
    watch_deadline(session);
  }
  if (connection.unsent() > 0) limit_unread();
}

void Server::limit_unread() {
  std::size_t sum = 0;
  for (const auto& session : sessions_) sum += session->connection.unsent();
  while (sum > limits_.unread) {
    const auto& most = *std::ranges::max_element(sessions_, {}, [](const auto& session) {
      const Connection& connection = session->connection;
      return std::tuple(connection.peer().uid != root && connection.unsent() > 0,
                        connection.unsent());
    });
    sum -= most->connection.unsent();
    close(*most);
  }
}

// Only an earlier deadline sets the timer anew. Activity moves deadlines on and leaves the timer
// alone: close_expired() looks again.
void Server::watch_deadline(const Session& session) {
  const Connection::Time deadline = session.connection.deadline(limits_.idle, limits_.request);
  if (deadline >= next_deadline_) return;
  next_deadline_ = deadline;
  sd_event_source_set_time(deadline_.get(), microseconds(deadline));
  sd_event_source_set_enabled(deadline_.get(), SD_EVENT_ONESHOT);
}

void Server::close_expired() {
  const Connection::Time time = now();
  std::erase_if(sessions_, [&](const auto& session) {
    return !session->stream && session->connection.expired(time, limits_.idle, limits_.request);
  });
  next_deadline_ = Connection::Time::max();
  for (const auto& session : sessions_)
    if (!session->stream) watch_deadline(*session);
}

// Who loses a connection. A newcomer we have no descriptor for to see who it is (nullptr) is not
// taken for root.
Server::Session* Server::victim(const Session* newcomer) const {
  std::map<uid_t, std::size_t> held;
  for (const auto& session : sessions_) ++held[session->connection.peer().uid];

  const bool root_comes = newcomer != nullptr && newcomer->connection.peer().uid == root;
  const auto better = [&](const Session* a, const Session* b) {
    const auto rank = [&](const Session* session) {
      const uid_t uid = session->connection.peer().uid;
      return std::tuple(uid != root, held[uid]);
    };
    if (rank(a) != rank(b)) return rank(a) > rank(b);
    return a->connection.last_active() < b->connection.last_active();
  };
  Session* chosen = nullptr;
  for (const auto& session : sessions_) {
    if (session.get() == newcomer) continue;
    if (session->connection.peer().uid == root && !root_comes) continue;
    if (chosen == nullptr || better(session.get(), chosen)) chosen = session.get();
  }
  return chosen;
}

// Where nobody has to give way, the newcomer does.
void Server::make_room(const Session* newcomer) {
  const Session* leaves = victim(newcomer);
  if (leaves == nullptr) leaves = newcomer;
  if (leaves != nullptr) close(*leaves);
}

void Server::close(const Session& session) {
  std::erase_if(sessions_,
                [closed = &session](const auto& other) { return other.get() == closed; });
}

}  // namespace fwctl
