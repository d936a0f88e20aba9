// Varlink on the wire: JSON objects ended by a NUL byte. Shared by the daemon and the command line.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include <tl/expected.hpp>

namespace fwctl::protocol {

using Json = nlohmann::json;

constexpr std::string_view interface_name = "org.fwctl.Firewall";
constexpr std::string_view default_socket = "/run/fwctl/fwctl.sock";

struct Call {
  std::string method;               // fully qualified
  Json parameters = Json::object();
  bool more = false;
  bool oneway = false;
};

struct Reply {
  Json parameters = Json::object();
  std::string error;  // fully qualified; empty on success
  bool continues = false;
};

// The ending NUL included.
std::string encode(const Call& call);
std::string encode(const Reply& reply);

// `text` is one message without its NUL. Nesting beyond `max_depth` is refused before anything is
// built from it. The error is a sentence.
tl::expected<Call, std::string> decode_call(std::string_view text);
tl::expected<Reply, std::string> decode_reply(std::string_view text);

constexpr int max_depth = 16;

// The interface description, as daemon/protocol/org.fwctl.Firewall.varlink holds it.
std::string_view interface_description();

}  // namespace fwctl::protocol
