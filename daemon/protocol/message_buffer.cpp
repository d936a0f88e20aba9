#include "daemon/protocol/message_buffer.h"

#include <cassert>
#include <utility>

namespace fwctl::protocol {

void MessageBuffer::append(std::string_view bytes) {
  bytes_ += bytes;
  if (!complete_) find_end();
}

MessageBuffer::State MessageBuffer::state() const {
  if (searched_ - begin_ > limit_) return State::overlong;
  if (complete_) return State::complete;
  return searched_ == begin_ ? State::empty : State::partial;
}

std::string MessageBuffer::take() {
  assert(state() == State::complete);
  std::string message;
  if (begin_ == 0 && searched_ + 1 == bytes_.size()) {
    message = std::exchange(bytes_, {});
    message.pop_back();
    searched_ = 0;
  } else {
    message = bytes_.substr(begin_, searched_ - begin_);
    begin_ = ++searched_;
    // What is moved is never more than what was taken since the last time.
    if (begin_ > bytes_.size() / 2) {
      bytes_.substr(begin_).swap(bytes_);  // an assignment would keep the memory
      begin_ = searched_ = 0;
    }
  }
  find_end();
  return message;
}

void MessageBuffer::find_end() {
  const std::size_t end = bytes_.find('\0', searched_);
  complete_ = end != std::string::npos;
  searched_ = complete_ ? end : bytes_.size();
}

}  // namespace fwctl::protocol
