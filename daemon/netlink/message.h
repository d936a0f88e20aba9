// Netlink messages in the making: one buffer, many messages, attributes appended in order.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace fwctl::netlink {

class MessageWriter;

// A nested attribute that is open until the end of its scope. Inner ones must close first.
class Nest {
 public:
  Nest(MessageWriter& out, std::uint16_t type);
  Nest(const Nest&) = delete;
  Nest& operator=(const Nest&) = delete;
  ~Nest();

  // Bytes it takes so far. The kernel's length field ends at 65535.
  std::size_t size() const;

 private:
  MessageWriter& out_;
  std::size_t start_;
};

class MessageWriter {
 public:
  // Closes the message before, if any. `type` carries the subsystem in its upper byte.
  void begin(std::uint16_t type, std::uint16_t flags, std::uint32_t sequence, std::uint8_t family,
             std::uint16_t resource = 0);

  void put(std::uint16_t attribute, std::string_view payload);
  // With its header, and padded.
  void put_whole(std::string_view attribute) { buffer_.append(attribute); }
  void put_text(std::uint16_t attribute, std::string_view text);  // adds the NUL
  void put_u8(std::uint16_t attribute, std::uint8_t value);
  void put_be16(std::uint16_t attribute, std::uint16_t value);
  void put_be32(std::uint16_t attribute, std::uint32_t value);
  void put_be64(std::uint16_t attribute, std::uint64_t value);

  // That many bytes more will come, about: they are not copied while the buffer grows.
  void expect(std::size_t bytes) { buffer_.reserve(buffer_.size() + bytes); }

  // All messages so far, the last one closed. Valid until the next call of begin() or clear().
  std::string_view finish();

  // An attribute outgrew its length field: what finish() gives must not be sent.
  bool overflowed() const { return overflowed_; }

  // Keeps the memory for the next batch (a warm buffer is several times faster than a new one),
  // unless it is so much that an idle process should not hold it.
  void clear();

 private:
  friend class Nest;
  void close_message();
  void set_length(std::size_t attribute_start);

  std::string buffer_;
  std::size_t message_start_ = 0;
  bool in_message_ = false;
  bool overflowed_ = false;
};

}  // namespace fwctl::netlink
