#include "daemon/resolver.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>
#include <vector>

namespace fwctl {
namespace {

// getaddrinfo() does not say how long an answer is good for. Dynamic names commonly say 1 to 5
// minutes.
constexpr auto between_rounds = std::chrono::seconds(300);
// While a name has no answer yet, or had none this time.
constexpr auto after_failure = std::chrono::seconds(30);
// The resolver itself gives up after some 10 seconds a name.
constexpr auto longest_round = std::chrono::seconds(120);
// A name with more is no host that anybody means.
constexpr std::size_t most_addresses = 64;

Address address_of(const addrinfo& info) {
  std::array<std::uint8_t, 16> bytes{};
  if (info.ai_family == AF_INET) {
    sockaddr_in address{};
    std::memcpy(&address, info.ai_addr, sizeof(address));
    std::memcpy(bytes.data(), &address.sin_addr, sizeof(address.sin_addr));
    return {Family::ipv4, bytes};
  }
  sockaddr_in6 address{};
  std::memcpy(&address, info.ai_addr, sizeof(address));
  std::memcpy(bytes.data(), &address.sin6_addr, sizeof(address.sin6_addr));
  return {Family::ipv6, bytes};
}

// None where there is no answer.
std::vector<Address> look_up(const std::string& name) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* first = nullptr;
  std::vector<Address> out;
  if (::getaddrinfo(name.c_str(), nullptr, &hints, &first) != 0) return out;
  for (const auto* info = first; info != nullptr; info = info->ai_next)
    if (info->ai_family == AF_INET || info->ai_family == AF_INET6) out.push_back(address_of(*info));
  ::freeaddrinfo(first);
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  if (out.size() > most_addresses) out.resize(most_addresses);
  return out;
}

// What the child does: a line of policy::text() for each name that has an answer, as it comes.
[[noreturn]] void answer(const std::set<std::string, std::less<>>& names, int to) {
  for (const auto& name : names) {
    policy::Surroundings one;
    if (auto addresses = look_up(name); !addresses.empty())
      one.hosts.emplace(name, std::move(addresses));
    const auto line = text(one);
    if (::write(to, line.data(), line.size()) < 0) break;
  }
  ::_exit(0);
}

}  // namespace

Result<std::unique_ptr<Resolver>> Resolver::start(sd_event* event, Answers& answers,
                                                  std::function<void()> changed) {
  std::unique_ptr<Resolver> resolver(new Resolver(event, answers, std::move(changed)));
  auto timer = make_timer(event, on_time, resolver.get());
  if (!timer) return tl::unexpected(timer.error());
  resolver->timer_ = std::move(*timer);
  return resolver;
}

Resolver::~Resolver() {
  end_child();
}

void Resolver::want(const Names& names) {
  const bool news = !std::includes(wanted_.begin(), wanted_.end(), names.begin(), names.end());
  wanted_ = names;
  std::erase_if(answers_, [&](const auto& known) { return !wanted_.contains(known.first); });
  if (news) ask_again();
}

void Resolver::ask_again() {
  if (wanted_.empty()) return;
  again_ = child_ >= 0;
  if (!again_) arm(timer_.get(), std::chrono::seconds(0));
}

void Resolver::ask() {
  if (wanted_.empty()) return;
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return arm(timer_.get(), after_failure);
  child_ = ::fork();
  if (child_ == 0) {
    // Nothing of the daemon's is its business: not its sockets, nor its way of ending.
    ::dup2(ends[1], 3);
    ::close_range(4, ~0U, 0);
    ::signal(SIGPIPE, SIG_DFL);
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    answer(wanted_, 3);
  }
  ::close(ends[1]);
  answers_fd_ = ends[0];
  auto reading = watch_input(event_, answers_fd_, on_answers, this, "the resolver");
  if (child_ < 0 || ::fcntl(answers_fd_, F_SETFL, O_NONBLOCK) != 0 || !reading) {
    reading = EventSource();  // before its descriptor goes
    end_child();
    return arm(timer_.get(), after_failure);
  }
  reading_ = std::move(*reading);
  arm(timer_.get(), longest_round);
}

// What has come is good even if the rest never comes.
void Resolver::end_child() {
  reading_.reset();
  if (answers_fd_ >= 0) ::close(std::exchange(answers_fd_, -1));
  if (child_ > 0) {
    ::kill(child_, SIGKILL);
    ::waitpid(child_, nullptr, 0);
  }
  child_ = -1;
}

// Answers that did not come leave what was known.
void Resolver::take_answers() {
  end_child();
  received_.resize(received_.rfind('\n') + 1);  // a line cut off counts for nothing
  const auto found = policy::parse_surroundings(received_).value_or(policy::Surroundings{});
  received_.clear();
  bool changed = false;
  bool all = true;
  for (const auto& name : wanted_) {
    const auto answer = found.hosts.find(name);
    if (answer == found.hosts.end()) {
      all = false;
      continue;
    }
    auto& known = answers_[name];
    changed = changed || known != answer->second;
    known = answer->second;
  }
  if (std::exchange(again_, false))
    arm(timer_.get(), std::chrono::seconds(0));
  else
    arm(timer_.get(), all ? between_rounds : after_failure);
  if (changed) changed_();
}

int Resolver::on_answers(sd_event_source* /*source*/, int fd, std::uint32_t /*events*/,
                         void* data) noexcept {
  auto* resolver = static_cast<Resolver*>(data);
  std::array<char, 4096> part{};
  while (true) {
    const ssize_t length = ::read(fd, part.data(), part.size());
    if (length < 0 && (errno == EAGAIN || errno == EINTR)) return 0;
    if (length <= 0) break;
    resolver->received_.append(part.data(), static_cast<std::size_t>(length));
  }
  resolver->take_answers();
  return 0;
}

int Resolver::on_time(sd_event_source* /*source*/, std::uint64_t /*time*/, void* data) noexcept {
  auto* resolver = static_cast<Resolver*>(data);
  if (resolver->child_ >= 0)
    resolver->take_answers();  // it has had its time
  else
    resolver->ask();
  return 0;
}

}  // namespace fwctl
