#include "daemon/result.h"

#include <system_error>
#include <utility>

namespace fwctl {

std::string Error::message() const {
  std::string text = "cannot " + operation + " " + object;
  if (code != 0) text += ": " + std::generic_category().message(code);
  if (!detail.empty()) text += ": " + detail;
  return text;
}

tl::unexpected<Error> failed(std::string operation, std::string object, int code,
                             std::string detail) {
  return tl::unexpected(Error{std::move(operation), std::move(object), code, std::move(detail)});
}

}  // namespace fwctl
