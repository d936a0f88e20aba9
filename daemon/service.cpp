#include "daemon/service.h"

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <optional>
#include <utility>

namespace fwctl {
namespace {

using protocol::Interface;
using protocol::Json;
using protocol::Reply;

constexpr std::string_view url = "man:fwctld(8)";

// Their only parameter names the culprit, which may be anything the peer wrote.
Reply service_error(std::string_view name, std::string_view parameter, std::string_view culprit) {
  return {.parameters = {{std::string(parameter), protocol::printable(culprit)}},
          .error = std::string(protocol::service_interface_name) + "." + std::string(name),
          .continues = false};
}

Reply permission_denied(std::string_view method) {
  return protocol::firewall_error(
      "PermissionDenied",
      {{"method", method}, {"role", name(required_role(method).value_or(Role::change))}});
}

// The texts are part of the program: one that doesn't parse is our bug and throws here, at start.
Interface parsed(std::string_view description) {
  return protocol::parse_interface(description).value();
}

Reply get_info(const Peer& /*peer*/, const Json& /*parameters*/) {
  return {
      .parameters = {{"vendor", "fwctl"},
                     {"product", "fwctl"},
                     {"version", FWCTL_VERSION},
                     {"url", url},
                     {"interfaces", {protocol::service_interface_name, protocol::interface_name}}},
      .error = {},
      .continues = false};
}

Reply get_interface_description(const Peer& /*peer*/, const Json& parameters) {
  const auto& interface = parameters.at("interface").get_ref<const std::string&>();
  const auto described = [](std::string_view text) {
    return Reply{.parameters = {{"description", text}}, .error = {}, .continues = false};
  };
  if (interface == protocol::interface_name) return described(protocol::interface_description());
  if (interface == protocol::service_interface_name)
    return described(protocol::service_description());
  return service_error("InterfaceNotFound", "interface", interface);
}

bool has_null(const Json& parameters) {
  return std::ranges::any_of(parameters, [](const Json& value) { return value.is_null(); });
}

Json without_null(const Json& parameters) {
  Json result = Json::object();
  for (const auto& [name, value] : parameters.items())
    if (!value.is_null()) result[name] = value;
  return result;
}

}  // namespace

Service::Service(Access access, Methods methods, Streams streams) : access_(std::move(access)) {
  served_.push_back(
      {parsed(protocol::service_description()),
       {{"GetInfo", get_info}, {"GetInterfaceDescription", get_interface_description}},
       {}});
  served_.push_back(
      {parsed(protocol::interface_description()), std::move(methods), std::move(streams)});
  for (const Served& served : served_) {
    for ([[maybe_unused]] const auto& [name, method] : served.methods)
      assert(served.interface.methods.contains(name));
    for ([[maybe_unused]] const auto& [name, method] : served.streams)
      assert(served.interface.methods.contains(name));
  }
}

Answer Service::answer(const Peer& peer, const protocol::Call& call) const {
  const std::size_t dot = call.method.rfind('.');
  if (dot == std::string::npos) return service_error("InvalidParameter", "parameter", "method");
  const std::string_view interface = std::string_view(call.method).substr(0, dot);
  const std::string_view name = std::string_view(call.method).substr(dot + 1);

  const Served* served = find(interface);
  if (served == nullptr) return service_error("InterfaceNotFound", "interface", interface);
  const auto described = served->interface.methods.find(name);
  if (described == served->interface.methods.end())
    return service_error("MethodNotFound", "method", call.method);

  if (!allowed(access_, peer, call.method)) return permission_denied(call.method);
  const auto method = served->methods.find(name);
  const auto stream = served->streams.find(name);
  if (method == served->methods.end() && stream == served->streams.end())
    return service_error("MethodNotImplemented", "method", call.method);

  const auto wrong =
      protocol::mismatch(served->interface, described->second.parameters, call.parameters);
  if (wrong) return service_error("InvalidParameter", "parameter", *wrong);

  const Json clean = has_null(call.parameters) ? without_null(call.parameters) : Json();
  const Json& parameters = clean.is_null() ? call.parameters : clean;
  Answer answer = method == served->methods.end() ? stream->second(peer, parameters, call.more)
                                                  : method->second(peer, parameters);
  assert(!protocol::mismatch(served->interface, name, answer.reply));
  return answer;
}

const Service::Served* Service::find(std::string_view interface) const {
  const auto found = std::ranges::find(served_, interface, [](const Served& served) {
    return std::string_view(served.interface.name);
  });
  return found == served_.end() ? nullptr : &*found;
}

}  // namespace fwctl
