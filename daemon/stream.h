// What a peer gets of a method that goes on behind its first reply. Who has something to tell
// pushes it here; the server takes it when the peer has room.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "daemon/protocol/message.h"

namespace fwctl {

// A peer that reads slowly keeps nobody waiting and makes us hold no more than `capacity` replies:
// it gets those, then a reply that has nothing but `lost`, how many came meanwhile, and goes on
// with what comes after it took that.
class Stream {
 public:
  static constexpr std::size_t default_capacity = 256;

  // `on_end` is called once, when the peer has gone or the stream has ended.
  explicit Stream(std::function<void()> on_end = {}, std::size_t capacity = default_capacity)
      : on_end_(std::move(on_end)), capacity_(capacity) {}
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  ~Stream();

  // The parameters of one more reply.
  void push(const protocol::Json& parameters);
  // Of the last one: it comes behind all that was pushed, and nothing behind it.
  void end(const protocol::Json& parameters);

  // Of the server. `on_news` is called whenever something is pending that was not.
  void watch(std::function<void()> on_news) { on_news_ = std::move(on_news); }
  bool pending() const { return !queue_.empty() || lost_ > 0 || !last_.empty(); }
  // The next message; only while one is pending.
  std::string take();
  // All is taken and nothing more comes.
  bool ended() const { return ended_ && !pending(); }

 private:
  void tell();

  std::function<void()> on_end_;
  std::function<void()> on_news_;
  std::size_t capacity_;
  std::deque<std::string> queue_;  // messages, as they go out
  std::uint64_t lost_ = 0;         // behind those in the queue
  std::string last_;
  bool ended_ = false;
};

// To a call: one reply, or the first of several (then it `continues`) and where the others come
// from. Whoever pushes keeps a weak pointer, which expires when the peer has gone.
struct Answer {
  Answer(protocol::Reply only) : reply(std::move(only)) {}
  Answer(protocol::Json first, std::shared_ptr<Stream> rest) : stream(std::move(rest)) {
    reply.parameters = std::move(first);
    reply.continues = true;
  }

  protocol::Reply reply;
  std::shared_ptr<Stream> stream;
};

}  // namespace fwctl
