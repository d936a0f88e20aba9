#include "tests/kernel/property.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "daemon/clock.h"
#include "rules/compile/box.h"
#include "rules/compile/compile.h"
#include "rules/policy/print.h"
#include "tests/kernel/packet_bytes.h"
#include "tests/kernel/shrink.h"
#include "tests/unit/policies.h"
#include "tests/unit/random_policy.h"

namespace fwctl::testing {
namespace {

using policy::CheckedPolicy;
using policy::Policy;
using policy::Verdict;

constexpr std::uint64_t packets_a_policy = 100;

// An address to which, and for which, errors are sent.
bool ordinary(const Address& address) {
  const auto first = address.bytes()[0];
  if (address.family() == Family::ipv4) return first != 0 && first != 127 && first < 224;
  return first != 0 && first < 0xfe;
}

// Whether it is certain that the kernel answers a packet that is refused. It never answers errors,
// nor ICMP types it does not know, nor what comes from nobody or goes to many. A reset of what
// belongs to no connection belongs to none itself: the rules for outgoing packets decide on it.
// Where ICMP errors are switched off, the rules for outgoing packets decide on the other answers.
bool answerable(const CheckedPolicy& policy, const Packet& packet) {
  if (!ordinary(packet.from) || !ordinary(packet.to)) return false;
  const auto type = packet.icmp_type;
  const bool v6 = packet.from.family() == Family::ipv6;
  // From one to the other of those ports, the laboratory has no way for the answer.
  const auto edge = [](std::uint16_t port) { return port == 0 || port == 65535; };
  if (packet.protocol == tcp)
    return packet.state != policy::State::invalid &&
           !(edge(packet.from_port) && edge(packet.to_port));
  const auto& off = policy.policy().switched_off;
  if (std::ranges::find(off, "icmp-errors", &policy::SwitchedOff::item) != off.end()) return false;
  if (v6 && packet.protocol == icmpv6) return type >= 128;
  if (!v6 && packet.protocol == icmp) return type == 0 || type == 8 || (type >= 13 && type <= 18);
  return true;
}

std::string described(const Fate& fate) {
  std::string out = fate.passed ? "let it pass" : "dropped it";
  if (fate.reset) out += ", with a TCP reset";
  if (fate.unreachable) out += ", with ICMP port unreachable";
  return out;
}

bool is_as_meant(const CheckedPolicy& policy, Verdict verdict, const Packet& packet,
                 const Fate& fate) {
  if (verdict == Verdict::limit) verdict = Verdict::allow;  // no limit is reached here
  if (fate.passed != (verdict == Verdict::allow)) return false;
  if (verdict != Verdict::reject) return !fate.reset && !fate.unreachable;
  const bool by_reset = packet.protocol == tcp;
  if (by_reset ? fate.unreachable : fate.reset) return false;
  return !answerable(policy, packet) || fate.reset || fate.unreachable;
}

std::optional<CheckedPolicy> checked(const Policy& policy) {
  Diagnostics diagnostics;
  return policy::load(sources(yaml_text(policy)), etc_services, diagnostics);
}

Endpoint destination(const Packet& packet) {
  return {.address = packet.to,
          .port = packet.protocol.has_ports() ? packet.to_port : std::uint16_t{0}};
}

bool same(const Endpoint& one, const Endpoint& other) {
  return one.address == other.address && one.port == other.port;
}

// What translations are asked about this one.
Packets alone(const Packet& packet) {
  Packets result = only(packet);
  if (packet.traffic == policy::Traffic::outgoing) result.out_interface = packet.interface;
  result.times = {now(), now()};
  return result;
}

// Where the policy sends it: to what the first forward leads to that is about it. Every ordinary
// address is this host's own here.
Endpoint meant_destination(const CheckedPolicy& policy, const Packet& packet, const Fate& fate) {
  if (packet.traffic == policy::Traffic::outgoing || *fate.state != policy::State::fresh ||
      !packet.protocol.has_ports())
    return destination(packet);
  const Packets asked = alone(packet);
  for (const auto& forward : policy.forwards())
    if (match(policy, forward, asked).share == Share::all)
      return {.address = forward.to, .port = forward.to_port.value_or(packet.to_port)};
  return destination(packet);
}

// Whether it went where the policy sends it. What is for many is not this host's own, and where a
// connection goes is decided once.
bool went_right(const CheckedPolicy& policy, const Packet& packet, const Fate& fate) {
  return !ordinary(packet.to) || fate.begun ||
         same(*fate.to, meant_destination(policy, packet, fate));
}

// From where it goes on by the policy.
Address meant_source(const CheckedPolicy& policy, const Packet& packet, const Fate& fate) {
  if (*fate.state != policy::State::fresh || !fate.tracked) return packet.from;
  const Packets asked = alone(packet);
  const auto is_about = [&](const policy::CheckedMasquerade& masquerade) {
    return match(policy, masquerade.conditions, asked).share == Share::all;
  };
  return std::ranges::any_of(policy.masquerades(), is_about)
             ? PacketLab::own_address(packet.from.family())
             : packet.from;
}

// Whether it left as the policy says, where it left. What is for many, or of nobody, has no
// address to come from, and where a connection comes from is decided once. `packet` as met.
bool left_right(const CheckedPolicy& policy, const Packet& packet, const Fate& fate) {
  if (packet.traffic == policy::Traffic::incoming || packet.interface == "lo" || !fate.passed ||
      fate.begun || !ordinary(packet.to) || !ordinary(packet.from))
    return true;
  return fate.left_from == meant_source(policy, packet, fate);
}

// As the firewall met it.
Packet met(Packet packet, const Fate& fate) {
  if (!same(*fate.to, destination(packet))) {
    if (packet.traffic == policy::Traffic::routed) packet.sent_to = destination(packet);
    packet.to = fate.to->address;
    packet.to_port = fate.to->port;
  }
  packet.state = *fate.state;
  packet.mark = 0;
  packet.user = fate.user;
  packet.group = fate.group;
  packet.units = fate.units;
  packet.time = now();
  return packet;
}

class Comparison {
 public:
  Comparison(PacketLab& lab, const Alteration& alter) : lab_(lab), alter_(alter) {}

  Findings run(std::uint64_t seed, std::uint64_t pairs) {
    for (; findings_.pairs < pairs && !findings_.difference; ++seed)
      try_policy(seed, std::min(pairs - findings_.pairs, packets_a_policy));
    return std::move(findings_);
  }

 private:
  void try_policy(std::uint64_t seed, std::uint64_t count) {
    RandomPolicy random(seed);
    auto policy = random.policy();
    big_ = seed % 2 == 0 ? 1 : compile::big_set;
    // Over lo go the packets that open flows, and those that it carries are met twice.
    std::erase_if(policy.switched_off,
                  [](const policy::SwitchedOff& off) { return off.item == "loopback"; });
    const auto right = testing::load(policy);
    if (const auto problem = load(right); !problem.empty()) {
      report(seed, shrink(policy, [&](const Policy& one) { return is_refused(one); }), {},
             "the kernel refuses the policy: " + problem);
      return;
    }
    std::vector<Packet> packets;
    while (packets.size() < count) {
      packets.push_back(random.packet(right));
      // Here the policy redirects, and nobody else.
      if (const auto sent_to = std::exchange(packets.back().sent_to, {})) {
        packets.back().to = sent_to->address;
        packets.back().to_port = sent_to->port;
      }
    }
    const auto fates = lab_.send(packets);
    findings_.pairs += count;
    for (std::size_t index = 0; index < packets.size() && !findings_.difference; ++index) {
      if (!fates[index].state) continue;
      if (note(right, packets[index], fates[index])) continue;
      found(seed, policy, packets[index]);
    }
  }

  // False where the two disagree.
  bool note(const CheckedPolicy& policy, const Packet& packet, const Fate& fate) {
    const auto seen = met(packet, fate);
    const auto meant = evaluate(policy, seen).verdict;
    ++findings_.arrived;
    const bool outside = packet.traffic != policy::Traffic::outgoing && packet.interface != "lo";
    if (outside && comes_in_fragments(packet)) ++findings_.fragmented;
    ++findings_.states[static_cast<std::size_t>(*fate.state)];
    ++findings_.verdicts[static_cast<std::size_t>(meant)];
    if (!fate.units.empty()) ++findings_.of_units;
    if (meant == Verdict::reject && (fate.reset || fate.unreachable)) ++findings_.answered;
    const bool v6 = packet.from.family() == Family::ipv6;
    if (!same(*fate.to, destination(packet)))
      ++(v6 ? findings_.redirected_ipv6 : findings_.redirected_ipv4);
    if (fate.left_from && *fate.left_from != packet.from)
      ++(v6 ? findings_.masqueraded_ipv6 : findings_.masqueraded_ipv4);
    return went_right(policy, packet, fate) && is_as_meant(policy, meant, seen, fate) &&
           left_right(policy, seen, fate);
  }

  void found(std::uint64_t seed, const Policy& policy, const Packet& packet) {
    std::string last;
    const auto differs = [&](const Policy& one) {
      const auto text = difference(one, packet);
      if (!text.empty()) last = text;
      return !text.empty();
    };
    if (differs(policy))
      report(seed, shrink(policy, differs), packet, last);
    else
      report(seed, policy, packet, "only behind the packets before it");
  }

  // What differs when the packet goes alone; empty when nothing does, or the policy is none.
  std::string difference(const Policy& policy, const Packet& packet) {
    const auto right = checked(policy);
    if (!right || !load(*right).empty()) return {};
    const auto fate = lab_.send({packet}).front();
    if (!fate.state) return {};
    const auto seen = met(packet, fate);
    const auto meant = evaluate(*right, seen);
    if (!went_right(*right, packet, fate))
      return "the kernel sent it to " + fate.to->address.text() + " port " +
             std::to_string(fate.to->port) + "\nas met: " + in_words(seen);
    if (!left_right(*right, seen, fate))
      return "the kernel sent it on from " + (fate.left_from ? fate.left_from->text() : "nowhere") +
             "\nas met: " + in_words(seen);
    if (is_as_meant(*right, meant.verdict, seen, fate)) return {};
    return "meant: " + std::string(text(meant.verdict)) + " by " +
           (meant.rule == nullptr ? "default" : meant.rule->id) + "\nthe kernel " +
           described(fate) + "\nas met: " + in_words(seen);
  }

  // By the kernel, not by check().
  bool is_refused(const Policy& policy) {
    const auto right = checked(policy);
    return right && !load(*right).empty();
  }

  // What the kernel says against it.
  std::string load(const CheckedPolicy& policy) {
    auto ruleset = compile::compile(policy, lab_.units(), big_);
    nft::remove_ended(ruleset, now());
    // What goes out over lo keeps its source: there connections begin that others belong to.
    for (auto& chain : ruleset.chains)
      if (chain.name == "masquerades")
        chain.rules.insert(chain.rules.begin(),
                           {.statements = {nft::Match{.field = nft::Field::oifname,
                                                      .value = compile::interface_bytes("lo")},
                                           nft::Verdict{nft::VerdictKind::accept, {}}},
                            .comment = {}});
    if (alter_) alter_(ruleset);
    return lab_.load(ruleset);
  }

  // Without a packet where the policy alone is wrong.
  void report(std::uint64_t seed, const Policy& policy, const std::optional<Packet>& packet,
              const std::string& text) {
    findings_.difference = {.policy = policy,
                            .packet = packet,
                            .text = "again: FWCTL_SEED=" + std::to_string(seed) +
                                    " FWCTL_PAIRS=" + std::to_string(packets_a_policy) + "\n" +
                                    (packet ? "packet: " + in_words(*packet) + "\n" : "") + text +
                                    "\npolicy:\n" + yaml_text(policy)};
  }

  PacketLab& lab_;
  const Alteration& alter_;
  std::size_t big_ = compile::big_set;  // of every other policy all sets are
  Findings findings_;
};

}  // namespace

Findings compare_with_kernel(PacketLab& lab, std::uint64_t seed, std::uint64_t pairs,
                             const Alteration& alter) {
  return Comparison(lab, alter).run(seed, pairs);
}

}  // namespace fwctl::testing
