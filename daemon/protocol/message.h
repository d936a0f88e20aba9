// Varlink on the wire: JSON objects ended by a NUL byte. Shared by the daemon and the command line.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

namespace fwctl::protocol {

using Json = nlohmann::json;

constexpr std::string_view interface_name = "org.fwctl.Firewall";
constexpr std::string_view service_interface_name = "org.varlink.service";
constexpr std::string_view default_socket = "/run/fwctl/fwctl.sock";

struct Call {
  std::string method;  // fully qualified
  Json parameters = Json::object();
  bool more = false;
  bool oneway = false;
};

struct Reply {
  Json parameters = Json::object();
  std::string error;  // fully qualified; empty on success
  bool continues = false;
};

// An error of org.fwctl.Firewall, by its name within the interface.
Reply firewall_error(std::string_view name, Json parameters);

// The ending NUL included. Bytes that are not UTF-8 become U+FFFD; `parameters` must be an object.
std::string encode(const Call& call);
std::string encode(const Reply& reply);

constexpr int max_depth = 16;

// `text` is one message without its NUL. Nesting beyond `max_depth` is refused before anything is
// built from it. Members Varlink does not know are ignored. The error is a sentence without a word
// of what the peer wrote.
tl::expected<Call, std::string> decode_call(std::string_view text);
tl::expected<Reply, std::string> decode_reply(std::string_view text);

// Whether arrays and objects stand deeper than `max_depth` in each other.
bool nested_too_deep(std::string_view text);

// `text` for a message or a log: bytes that are not printable ASCII as \xNN, cut after 64 of them.
std::string printable(std::string_view text);

// The interface descriptions, as daemon/protocol/org.fwctl.Firewall.varlink and
// daemon/protocol/org.varlink.service.varlink hold them.
std::string_view interface_description();
std::string_view service_description();

}  // namespace fwctl::protocol
