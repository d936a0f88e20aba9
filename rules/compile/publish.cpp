#include "rules/compile/publish.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <string>
#include <utility>

#include "rules/compile/compile.h"
#include "rules/policy/model.h"
#include "rules/port.h"

namespace fwctl::compile {
namespace {

using nft::Field;
using nft::Statement;

// What never gets there, or is decided before: nothing that is routed comes in on lo, and the chain
// of routed packets begins with a log and a baseline of its own.
constexpr std::array decided_before{audit_comment, std::string_view("loopback"),
                                    std::string_view("established"), std::string_view("invalid")};

Field as_sent(Field field) {
  if (field == Field::th_dport) return Field::ct_original_dport;
  if (field == Field::ip_daddr) return Field::ct_original_daddr4;
  if (field == Field::ip6_daddr) return Field::ct_original_daddr6;
  return field;
}

void as_sent(std::vector<Field>& key) {
  for (auto& field : key) field = as_sent(field);
}

struct AsSent {
  void operator()(nft::Match& match) const { match.field = as_sent(match.field); }
  void operator()(nft::RangeMatch& match) const { match.field = as_sent(match.field); }
  void operator()(nft::SetLookup& lookup) const { as_sent(lookup.key); }
  void operator()(nft::MapLookup& lookup) const { as_sent(lookup.key); }
  void operator()(nft::Meter& meter) const { meter.field = as_sent(meter.field); }
  template <typename Other>
  void operator()(Other& /*asks for no field*/) const {}
};

nft::Rule as_sent(nft::Rule rule) {
  for (auto& statement : rule.statements) std::visit(AsSent{}, statement);
  return rule;
}

Statement of_protocol(char protocol) {
  return nft::Match{.field = Field::l4proto, .value = {protocol}};
}

bool has_protocol_and_port(const std::vector<Field>& key) {
  const auto has = [&](Field field) { return std::ranges::find(key, field) != key.end(); };
  return has(Field::l4proto) && has(Field::th_dport);
}

// What a lookup whose key has both a protocol and a destination port looks into; nullptr: it is
// none.
const std::string* by_protocol_and_port(const Statement& statement) {
  if (const auto* in_map = std::get_if<nft::MapLookup>(&statement))
    return has_protocol_and_port(in_map->key) ? &in_map->map : nullptr;
  const auto* in_set = std::get_if<nft::SetLookup>(&statement);
  return in_set != nullptr && has_protocol_and_port(in_set->key) ? &in_set->set : nullptr;
}

// Nothing is sorted yet.
template <typename T>
const T& named(const std::vector<T>& all, std::string_view name) {
  const auto found = std::ranges::find(all, name, &T::name);
  assert(found != all.end());
  return *found;
}

// nft reads the port that a connection was sent to only of one protocol: such a lookup becomes one
// for each.
void add(const nft::Rule& rule, const std::vector<nft::Set>& sets, std::vector<nft::Rule>& out) {
  const auto found = std::ranges::find_if(rule.statements, [](const Statement& statement) {
    return by_protocol_and_port(statement) != nullptr;
  });
  if (found == rule.statements.end()) return out.push_back(as_sent(rule));
  const auto at = found - rule.statements.begin();
  for (const char protocol : published_protocols(named(sets, *by_protocol_and_port(*found)))) {
    nft::Rule one = rule;
    one.statements.insert(one.statements.begin() + at, of_protocol(protocol));
    out.push_back(as_sent(std::move(one)));
  }
}

}  // namespace

std::set<char> published_protocols(const nft::Set& set) {
  std::size_t at = 0;
  for (const auto field : set.key) {
    if (field == Field::l4proto) break;
    at += nft::width(field);
  }
  std::set<char> out{static_cast<char>(tcp.number), static_cast<char>(udp.number)};
  for (const auto& element : set.elements) out.insert(element.key.at(at));
  char last = static_cast<char>(tcp.number);  // there may be many, of few protocols
  for (std::size_t index = 0; index < set.intervals.size(); ++index)
    if (const char one = set.intervals.first(index).at(at); one != last) out.insert(last = one);
  return out;
}

void add_published(nft::Ruleset& ruleset) {
  const auto& incoming = named(ruleset.chains, text(policy::Traffic::incoming));
  nft::Chain chain{.name = std::string(published_chain), .hook = {}, .comment = {}, .rules = {}};
  for (const auto& rule : incoming.rules)
    if (std::ranges::find(decided_before, rule.comment) == decided_before.end())
      add(rule, ruleset.sets, chain.rules);
  ruleset.chains.push_back(std::move(chain));
}

}  // namespace fwctl::compile
