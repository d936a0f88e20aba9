#include "daemon/cut.h"

#include <algorithm>
#include <functional>
#include <map>
#include <string>

#include "daemon/clock.h"
#include "daemon/flows.h"
#include "daemon/routes.h"
#include "rules/lockout.h"

namespace fwctl {
namespace {

// A flow as the policy sees its first packet.
struct Begun {
  Packets packets;
  std::optional<Endpoint> goes_to;  // another machine, to which it was redirected
};

class Judge {
 public:
  Judge(const Firewall& firewall, std::vector<Address> own)
      : firewall_(firewall), own_(std::move(own)), now_(now()) {}

  // nullopt: this host talks to itself.
  std::optional<Begun> begun(const Flow& flow) {
    const bool from_here = is_own(flow.from);
    const bool to_here = is_own(flow.to);
    if (from_here && to_here) return {};
    Begun out;
    auto& packets = out.packets;
    packets.from = {flow.from, flow.from};
    packets.to = {flow.to, flow.to};
    packets.protocol = {flow.protocol};
    packets.from_ports = {flow.from_port, flow.from_port};
    packets.to_ports = {flow.to_port, flow.to_port};
    packets.times = {now_, now_};
    packets.traffic = from_here ? policy::Traffic::outgoing : policy::Traffic::routed;
    if (to_here || is_own(flow.answers)) packets.traffic = policy::Traffic::incoming;
    if (from_here) packets.interface = interface_towards(flow.to);
    if (packets.traffic == policy::Traffic::routed) {
      packets.interface = interface_towards(flow.from);
      packets.out_interface = interface_towards(flow.to);
    }
    if (packets.traffic == policy::Traffic::incoming) {
      packets.interface = interface_towards(flow.from);
      const bool redirected = flow.answers != flow.to || flow.answers_port != flow.to_port;
      if (redirected && !is_own(flow.answers))
        out.goes_to = Endpoint{.address = flow.answers, .port = flow.answers_port};
      else if (redirected) {
        packets.to = {flow.answers, flow.answers};
        packets.to_ports = {flow.answers_port, flow.answers_port};
      }
    }
    return out;
  }

  // What depends on what nobody knows any more, as who sent the first packet, may have been let in.
  bool may_begin(const Begun& begun) const {
    if (firewall_.panic()) return false;
    if (!firewall_.enabled()) return true;
    if (!begun.goes_to) return welcome(firewall_.policy(), begun.packets).let_in != Share::none;
    const auto& sent = begun.packets;
    const Packet packet{.traffic = policy::Traffic::routed,
                        .from = sent.from.first,
                        .to = begun.goes_to->address,
                        .protocol = sent.protocol,
                        .from_port = sent.from_ports.first,
                        .to_port = begun.goes_to->port,
                        .interface = sent.interface.value_or(std::string()),
                        .sent_to = Endpoint{.address = sent.to.first, .port = sent.to_ports.first},
                        .time = now_};
    const auto verdict = evaluate(firewall_.policy(), packet).verdict;
    return verdict == policy::Verdict::allow || verdict == policy::Verdict::limit;
  }

 private:
  bool is_own(const Address& address) const {
    return address.is_loopback() || std::ranges::find(own_, address) != own_.end();
  }

  // nullopt: not known.
  std::optional<std::string> interface_towards(const Address& peer) {
    auto found = interfaces_.find(peer);
    if (found == interfaces_.end())
      found = interfaces_.emplace(peer, fwctl::interface_towards(peer, {}).value_or("")).first;
    return found->second.empty() ? std::nullopt : std::optional(found->second);
  }

  const Firewall& firewall_;
  std::vector<Address> own_;
  Time now_;
  std::map<Address, std::string> interfaces_;
};

bool covers(const Asked& asked, const Packets& flow) {
  const auto& wanted = asked.packets;
  if (wanted.traffic != flow.traffic) return false;
  if (!asked.what.empty() && wanted.protocol != flow.protocol) return false;
  if (!wanted.from.contains(flow.from) || !wanted.to.contains(flow.to)) return false;
  if (wanted.interface && flow.interface && *wanted.interface != *flow.interface) return false;
  return wanted.from_ports.contains(flow.from_ports) && wanted.to_ports.contains(flow.to_ports);
}

TcpConnection connection(const Flow& flow, bool begun_here) {
  if (begun_here)
    return {
        .peer = flow.to, .peer_port = flow.to_port, .own = flow.from, .own_port = flow.from_port};
  return {.peer = flow.from,
          .peer_port = flow.from_port,
          .own = flow.answers,
          .own_port = flow.answers_port};
}

bool same_ends(const TcpConnection& a, const TcpConnection& b) {
  return a.peer == b.peer && a.peer_port == b.peer_port && a.own == b.own &&
         a.own_port == b.own_port;
}

using Clock = std::chrono::steady_clock;

// Calls meant(flow, connection) for each that is meant and not spared, until `end`.
using Meant = std::function<void(const Flow&, const TcpConnection&)>;
Result<Flowing> select(const Firewall& firewall, const Selection& selection, Clock::time_point end,
                       const Meant& meant) {
  auto own = own_addresses();
  if (!own) return tl::unexpected(own.error());
  Judge judge(firewall, std::move(*own));
  Flowing out;
  const auto visited = each_flow([&](const Flow& flow) {
    // What nobody has answered is judged packet by packet as it is.
    if (!flow.answered || flow.over) return true;
    if (Clock::now() > end) {
      out.more = true;
      return false;
    }
    const auto begun = judge.begun(flow);
    if (!begun) return true;
    const bool wanted =
        selection.begin_as
            ? std::ranges::any_of(*selection.begin_as,
                                  [&](const Asked& asked) { return covers(asked, begun->packets); })
            : !judge.may_begin(*begun);
    if (!wanted) return true;
    const auto ends = connection(flow, begun->packets.traffic == policy::Traffic::outgoing);
    const auto is_this = [&](const TcpConnection& one) { return same_ends(one, ends); };
    if (flow.protocol == tcp.number && std::ranges::any_of(selection.spared, is_this)) {
      ++out.spared;
      return true;
    }
    ++out.count;
    meant(flow, ends);
    return true;
  });
  if (!visited) return tl::unexpected(visited.error());
  return out;
}

}  // namespace

Result<Flowing> count_flows(const Firewall& firewall, const Selection& selection,
                            std::chrono::milliseconds most) {
  return select(firewall, selection, Clock::now() + most, [](const Flow&, const TcpConnection&) {});
}

Result<Flowing> cut(const Firewall& firewall, const Selection& selection) {
  struct Doomed {
    Flow flow;
    TcpConnection connection;
  };
  std::vector<Doomed> doomed;
  const auto doom = [&](const Flow& flow, const TcpConnection& ends) {
    doomed.push_back({flow, ends});
  };
  auto found = select(firewall, selection, Clock::time_point::max(), doom);
  if (!found) return found;
  found->count = 0;
  for (const auto& [flow, ends] : doomed) {
    // The socket first: what it still says would otherwise begin the connection anew, the other way
    // round, and what answers that would pass.
    bool ended = false;
    if (flow.protocol == tcp.number) {
      const auto closed = reset(ends);
      if (!closed) return tl::unexpected(closed.error());
      ended = *closed;
    }
    const auto forgotten = end_tracking(flow);
    if (!forgotten) return tl::unexpected(forgotten.error());
    if (ended || *forgotten) ++found->count;
  }
  return found;
}

}  // namespace fwctl
