// Words that several renderings of replies use.
#pragma once

#include <string>
#include <vector>

#include "cli/style.h"
#include "daemon/protocol/message.h"

namespace fwctl::cli {

Tint tint_of(const std::string& verdict);
// Empty when there is none.
std::string string_at(const protocol::Json& json, const char* key);
// What decides, of an Access or Passed: "rule 1, allow 22/tcp", "the default", "ping".
std::string reason(const protocol::Json& entry);

}  // namespace fwctl::cli
