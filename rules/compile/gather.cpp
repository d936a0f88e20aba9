#include "rules/compile/gather.h"

#include <algorithm>
#include <utility>

#include "rules/compile/prefixes.h"

namespace fwctl::compile {
namespace {

using nft::Field;
using policy::CheckedPolicy;
using policy::CheckedRule;
using policy::Traffic;
using policy::Verdict;

// So many conditions of one kind become a lookup; fewer read better as rules, and cost no more.
constexpr std::size_t worth_a_lookup = 4;

Clause of_family(Clause clause, Family family) {
  clause.family = family;
  return clause;
}

bool only_verdict(const CheckedPolicy& policy, const CheckedRule& rule) {
  return rule.verdict != Verdict::limit && !logs(policy, rule) && counted(rule);
}

// Ports and types of ICMP, and nothing else: what most policies are made of.
bool always_looked_up(const Block& block) {
  if (block.fields == std::vector{Field::l4proto, Field::th_dport}) return block.rest == Clause();
  if (block.fields == std::vector{Field::icmp_type})
    return block.rest == Clause{.family = Family::ipv4, .flow = policy::Flow{icmp}};
  if (block.fields == std::vector{Field::icmpv6_type})
    return block.rest == Clause{.family = Family::ipv6, .flow = policy::Flow{icmpv6}};
  return false;
}

}  // namespace

void gather(const CheckedPolicy& policy, const CheckedRule& rule, Blocks& blocks) {
  const bool looked_up = only_verdict(policy, rule);
  for (auto& part : clauses(policy, rule.conditions)) {
    if (rule.verdict != Verdict::limit) {
      blocks.add(rule, std::move(part), looked_up);
      continue;
    }
    for (const auto family : {Family::ipv4, Family::ipv6})
      if ((!part.family || *part.family == family) &&
          (!part.flow || part.flow->possible_in(family)))
        blocks.add(rule, of_family(part, family), looked_up);
  }
}

bool join(const CheckedPolicy& policy, const CheckedRule& rule, Blocks& blocks,
          std::vector<Joined>& joined) {
  if (!only_verdict(policy, rule)) return false;
  auto parts = clauses(policy, rule.conditions);
  return std::ranges::all_of(parts, [&](Clause& part) {
    auto one = blocks.join(rule, std::move(part));
    if (!one) return false;
    joined.push_back(*std::move(one));
    return true;
  });
}

bool logs(const CheckedPolicy& policy, const CheckedRule& rule) {
  if (rule.id == invalid_id) return policy.logging() >= policy::Logging::medium;
  return rule.log != policy::Log::off && policy.logging() != policy::Logging::off;
}

bool counted(const CheckedRule& rule) {
  return rule.id != "loopback" && rule.id != "established";
}

bool looked_up(const Block& block) {
  return block.cells.size() >= (always_looked_up(block) ? 1 : worth_a_lookup);
}

nft::Verdict nft_verdict(Verdict verdict) {
  if (verdict == Verdict::allow) return {nft::VerdictKind::accept, {}};
  if (verdict == Verdict::deny) return {nft::VerdictKind::drop, {}};
  return {nft::VerdictKind::go_to, std::string(refuse_chain)};
}

nft::Set empty_map(std::string name, const std::vector<Field>& key, bool interval) {
  return {.name = std::move(name),
          .key = key,
          .map = true,
          .interval = interval,
          .counters = true,
          .elements = {}};
}

std::uint32_t size_of_map(std::size_t count, std::size_t big) {
  return count < big ? 0 : room_for(count);
}

nft::Element element(const Box& box, const CheckedRule& owner) {
  nft::Element out{.key = box.first, .verdict = nft_verdict(owner.verdict), .comment = owner.id};
  if (!box.point()) out.key_end = box.last;
  return out;
}

std::string MapNames::next(const std::vector<Field>& fields, bool interval) {
  std::string name(text(traffic_));
  name += words(fields);
  if (interval) {
    if (name.ends_with('s')) name.pop_back();
    name += "-ranges";
  }
  const int number = ++names_[name];
  return number == 1 ? name : name + "-" + std::to_string(number);
}

std::string MapNames::words(const std::vector<Field>& fields) const {
  std::string family;
  std::string out;
  for (const auto field : fields) {
    if (field == Field::ip_saddr || field == Field::ip_daddr) family = "-ipv4";
    if (field == Field::ip6_saddr || field == Field::ip6_daddr) family = "-ipv6";
    if (field == Field::l4proto && fields.size() > 1 && fields.back() != field) continue;
    out += word(field);
  }
  return family + out;
}

std::string_view MapNames::word(Field field) const {
  switch (field) {
    case Field::iifname:
      return "-interface";
    case Field::oifname:
      return traffic_ == Traffic::outgoing ? "-interface" : "-out-interface";
    case Field::ip_saddr:
    case Field::ip6_saddr:
      return "-from";
    case Field::ip_daddr:
    case Field::ip6_daddr:
      return "-to";
    case Field::l4proto:
      return "-protocols";
    case Field::th_sport:
      return "-source-ports";
    case Field::th_dport:
      return "-ports";
    case Field::icmp_type:
      return "-icmp";
    case Field::icmpv6_type:
      return "-icmpv6";
    default:
      return "";  // never part of a key
  }
}

}  // namespace fwctl::compile
