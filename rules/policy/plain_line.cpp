#include "rules/policy/plain_line.h"

#include <endian.h>

#include <bit>
#include <cstdint>
#include <cstring>

namespace fwctl::policy {
namespace {

// Longer than any plain line: where fewer bytes are left, none is looked for.
constexpr std::size_t enough = 64;

class Cursor {
 public:
  Cursor(std::string_view text, std::size_t at) : text_(text), at_(at) {}

  std::size_t at() const { return at_; }

  bool take(char c) {
    if (text_[at_] != c) return false;
    ++at_;
    return true;
  }

  // Of seven digits at most, without leading zeros; above `most` when there is none. The digits
  // are looked at together: how many there are is a matter of chance, at which a processor that
  // reads one after the other stumbles in each number.
  std::uint64_t number(std::uint64_t most) {
    std::uint64_t bytes = 0;
    std::memcpy(&bytes, text_.data() + at_, sizeof bytes);
    bytes = le64toh(bytes) ^ 0x3030303030303030;  // digits are their values now
    const std::uint64_t others = ((bytes + 0x7676767676767676) | bytes) & 0x8080808080808080;
    const int digits = std::countr_zero(others) / 8;
    const bool leading_zero = digits > 1 && (bytes & 0xff) == 0;
    if (digits == 0 || digits == 8 || leading_zero) return most + 1;
    at_ += static_cast<std::size_t>(digits);
    bytes <<= 64 - 8 * digits;
    bytes = bytes * 0xa01 >> 8 & 0x00ff00ff00ff00ff;      // of two digits each
    bytes = bytes * 0x640001 >> 16 & 0x0000ffff0000ffff;  // of four
    return bytes * 0x271000000001 >> 32;
  }

 private:
  std::string_view text_;
  std::size_t at_;
};

bool read_address(Cursor& line, PlainLine& out) {
  for (int index = 0; index < 4; ++index) {
    if (index != 0 && !line.take('.')) return false;
    const auto value = line.number(255);
    if (value > 255) return false;
    out.address = out.address << 8 | static_cast<std::uint32_t>(value);
  }
  return true;
}

bool read_port(Cursor& line, PlainLine& out) {
  const auto port = line.number(65535);
  if (port == 0 || port > 65535 || !line.take('/')) return false;
  out.port = static_cast<std::uint16_t>(port);
  if (line.take('t')) {
    out.protocol = tcp;
    return line.take('c') && line.take('p');
  }
  out.protocol = udp;
  return line.take('u') && line.take('d') && line.take('p');
}

bool read_prefix_length(Cursor& line, PlainLine& out) {
  const auto length = line.number(32);
  out.prefix_length = static_cast<int>(length);
  return length <= 32;
}

}  // namespace

std::optional<PlainLine> plain_line(std::string_view text, std::size_t at) {
  if (text.size() - at < enough) return {};
  Cursor line(text, at);
  PlainLine out;
  if (!read_address(line, out)) return {};
  if (line.take(' ') && !read_port(line, out)) return {};
  if (out.port == 0 && line.take('/') && !read_prefix_length(line, out)) return {};
  if (!line.take('\n')) return {};
  out.length = line.at() - at;
  return out;
}

}  // namespace fwctl::policy
