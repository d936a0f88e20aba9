// Cuts a stream of bytes into messages. However it arrives, each byte is searched once and moved a
// bounded number of times.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace fwctl::protocol {

class MessageBuffer {
 public:
  enum class State {
    empty,     // nothing of a message is here
    partial,   // the beginning of one
    complete,  // take() gives one
    overlong,  // the next one is beyond the limit, whether all of it is here or not; for good
  };

  // `limit`: bytes of one message, its NUL not counted.
  explicit MessageBuffer(std::size_t limit) : limit_(limit) {}

  void append(std::string_view bytes);
  State state() const;

  // The next message without its NUL; only when complete. Memory it no longer needs is given back.
  std::string take();

 private:
  void find_end();

  std::size_t limit_;
  std::string bytes_;
  std::size_t begin_ = 0;     // of the next message
  std::size_t searched_ = 0;  // there is no NUL from begin_ to here
  bool complete_ = false;     // there is one here
};

}  // namespace fwctl::protocol
