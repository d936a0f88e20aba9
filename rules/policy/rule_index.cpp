#include "rules/policy/rule_index.h"

#include <algorithm>
#include <cstring>
#include <variant>

#include "rules/digest.h"

namespace fwctl::policy {
namespace {

// Equal for what is equal, whatever its place; lists that differ in order are not.
class Sum {
 public:
  std::uint64_t value() const { return value_; }

  void add(std::uint64_t number) {
    value_ = (value_ ^ number) * 0x9e3779b97f4a7c15ULL;  // 2^64 by the golden ratio
    value_ ^= value_ >> 32;
  }
  void add(const std::string& text) { add(digest(text)); }
  void add(const Address& address) {
    std::array<std::uint64_t, 2> halves{};
    static_assert(sizeof halves == sizeof address.bytes());
    std::memcpy(halves.data(), address.bytes().data(), sizeof halves);
    for (const auto half : halves) add(half);
  }
  void add(const AddressRange& range) {
    add(range.first);
    add(range.last);
  }
  void add(const AddressSuffix& suffix) { add(suffix.bits); }
  void add(const PortRange& range) { add(std::uint64_t{range.first} << 16 | range.last); }
  void add(const ServiceName& service) { add(service.name); }
  void add(const SetName& set) { add(set.name); }
  void add(const HostName& host) { add(host.name); }
  void add(const MacAddress& mac) {
    for (const auto byte : mac.bytes) add(byte);
  }
  void add(const std::optional<Protocol>& protocol) { add(protocol ? protocol->number : 256U); }
  void add(const PortItem& item) {
    std::visit([this](const auto& what) { add(what); }, item.what);
    add(item.protocol);
  }
  void add(const AddressItem& item) {
    std::visit([this](const auto& what) { add(what); }, item.what);
    add(item.negated ? 1U : 0U);
  }
  template <typename Item>
  void add(const std::vector<Item>& items) {
    add(items.size());
    for (const auto& item : items) add(item);
  }

 private:
  std::uint64_t value_ = 0;
};

// Of what Rule::same_packets() looks at, that which differs where there are many rules.
std::uint64_t sum_of_packets(const Rule& rule) {
  Sum sum;
  sum.add(static_cast<std::uint64_t>(rule.direction));
  sum.add(rule.protocol);
  sum.add(rule.ports);
  sum.add(rule.from_ports);
  sum.add(rule.from);
  sum.add(rule.to);
  sum.add(rule.interfaces);
  sum.add(rule.out_interfaces);
  sum.add(rule.macs);
  sum.add(rule.units);
  return sum.value();
}

}  // namespace

RuleIndex::RuleIndex(const CheckedPolicy& policy) {
  const auto& rules = policy.policy().rules;
  packets_.reserve(rules.size());
  ids_.reserve(rules.size());
  for (std::size_t index = 0; index < rules.size(); ++index) add(policy, index);
  for (const auto traffic : {Traffic::incoming, Traffic::outgoing, Traffic::routed}) {
    auto& hiders = hiders_[static_cast<std::size_t>(traffic)];
    const auto& checked = policy.rules(traffic);
    for (std::size_t index = 0; index < checked.size(); ++index) hiders.add(checked[index], index);
  }
}

void RuleIndex::add(const CheckedPolicy& policy, std::size_t index) {
  packets_.emplace(sum_of_packets(policy.policy().rules[index]), index);
  ids_.insert(digest(policy.ids()[index]));
}

void RuleIndex::append(const CheckedPolicy& policy) {
  const auto& rules = policy.policy().rules;
  add(policy, rules.size() - 1);
  const auto of = traffic(rules.back().direction);
  const auto& checked = policy.rules(of);
  hiders_[static_cast<std::size_t>(of)].add(checked.back(), checked.size() - 1);
}

std::vector<std::size_t> RuleIndex::alike(const CheckedPolicy& policy, const Rule& rule) const {
  std::vector<std::size_t> out;
  const auto [first, last] = packets_.equal_range(sum_of_packets(rule));
  for (auto found = first; found != last; ++found)
    if (policy.policy().rules[found->second].same_packets(rule)) out.push_back(found->second);
  std::ranges::sort(out);
  return out;
}

bool RuleIndex::may_have(std::string_view id) const {
  return ids_.contains(digest(id));
}

bool RuleIndex::hides(const CheckedPolicy& policy, const CheckedRule& rule, Traffic traffic) const {
  return hiders_[static_cast<std::size_t>(traffic)].first(rule, policy.rules(traffic)).has_value();
}

}  // namespace fwctl::policy
