// The world failed: what was tried, on what, and what the system said. (A wrong policy is a
// diagnostic, rules/diagnostic.h; a wrong program is an assertion.)
#pragma once

#include <cerrno>
#include <string>
#include <tl/expected.hpp>

namespace fwctl {

struct Error {
  std::string operation;  // "open", "rename", "receive"
  std::string object;     // a path, a socket, "table inet fwctl"
  int code = 0;           // errno, 0 when the system gave none
  std::string detail;     // a sentence where there is more to say; may be empty

  // "cannot OPERATION OBJECT: strerror: detail"
  std::string message() const;
};

template <typename T>
using Result = tl::expected<T, Error>;

// Takes errno now.
tl::unexpected<Error> failed(std::string operation, std::string object, int code = errno,
                             std::string detail = {});

}  // namespace fwctl
