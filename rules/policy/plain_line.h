// The lines that nearly all of a long file are, read several times faster than any line.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "rules/port.h"

namespace fwctl::policy {

// An IPv4 address, as a number; without ports a prefix begins with it.
struct PlainLine {
  std::uint32_t address = 0;
  int prefix_length = 32;
  std::uint16_t port = 0;  // 0: the entry has none
  Protocol protocol;       // of the port
  std::size_t length = 0;  // with the newline
};

// What begins at `at` where that is an IPv4 address, alone, with the length of a prefix or with a
// port of TCP or UDP, and then a newline: "192.0.2.1", "192.0.2.0/24", "192.0.2.1 22/tcp". nullopt:
// it is another line, a wrong one, or among the last few.
std::optional<PlainLine> plain_line(std::string_view text, std::size_t at);

}  // namespace fwctl::policy
