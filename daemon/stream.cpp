#include "daemon/stream.h"

#include <cassert>

namespace fwctl {
namespace {

std::string message(const protocol::Json& parameters, bool continues) {
  return encode(protocol::Reply{.parameters = parameters, .error = {}, .continues = continues});
}

}  // namespace

Stream::~Stream() {
  if (!ended_ && on_end_) on_end_();
}

// Who fell behind loses all that comes until he has caught up: one gap, not many.
void Stream::push(const protocol::Json& parameters) {
  if (ended_) return;
  if (lost_ > 0 || queue_.size() == capacity_) {
    ++lost_;
    return;
  }
  queue_.push_back(message(parameters, true));
  tell();
}

void Stream::end(const protocol::Json& parameters) {
  if (ended_) return;
  ended_ = true;
  last_ = message(parameters, false);
  tell();
  if (on_end_) on_end_();
}

void Stream::tell() {
  if (on_news_) on_news_();
}

std::string Stream::take() {
  assert(pending());
  if (!queue_.empty()) {
    std::string next = std::move(queue_.front());
    queue_.pop_front();
    return next;
  }
  if (lost_ > 0) return message({{"lost", std::exchange(lost_, 0)}}, true);
  return std::exchange(last_, {});
}

}  // namespace fwctl
