#include "daemon/callers.h"

#include <net/if.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

#include "daemon/routes.h"

namespace fwctl {
namespace {

using protocol::Json;

constexpr std::size_t most_callers = 64;

struct ZonedAddress {
  Address address;
  unsigned interface = 0;  // index; 0: it has no zone
};

std::optional<ZonedAddress> parse_zoned(const std::string& text) {
  const auto percent = text.find('%');
  const auto address = Address::parse(std::string_view(text).substr(0, percent));
  if (!address) return {};
  ZonedAddress out{.address = *address};
  if (percent != std::string::npos) out.interface = ::if_nametoindex(text.c_str() + percent + 1);
  return out;
}

std::optional<std::uint16_t> port(const Json& number) {
  const auto value = number.get<std::int64_t>();
  if (value < 1 || value > UINT16_MAX) return {};
  return static_cast<std::uint16_t>(value);
}

std::optional<TcpConnection> connection(const Json& json) {
  const auto from = parse_zoned(json.at("from").get<std::string>());
  const auto to = parse_zoned(json.at("to").get<std::string>());
  const auto from_port = port(json.at("fromPort"));
  const auto to_port = port(json.at("toPort"));
  if (!from || !to || !from_port || !to_port) return {};
  if (from->address.family() != to->address.family()) return {};
  return TcpConnection{.peer = from->address,
                       .peer_port = *from_port,
                       .own = to->address,
                       .own_port = *to_port,
                       .interface = std::max(from->interface, to->interface)};
}

}  // namespace

std::vector<TcpConnection> callers(const Json& connections) {
  std::vector<TcpConnection> out;
  for (std::size_t index = 0; index < std::min(connections.size(), most_callers); ++index) {
    const auto said = connection(connections[index]);
    // A kernel that cannot be asked does not make anything less of what is said.
    if (said && is_established(*said).value_or(true)) out.push_back(*said);
  }
  return out;
}

std::string interface_of(const TcpConnection& connection) {
  if (connection.interface == 0)
    return interface_towards(connection.peer, connection.own).value_or(std::string());
  std::array<char, IF_NAMESIZE> name{};
  return ::if_indextoname(connection.interface, name.data()) == nullptr ? std::string()
                                                                        : std::string(name.data());
}

}  // namespace fwctl
