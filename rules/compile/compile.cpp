#include "rules/compile/compile.h"

#include <algorithm>
#include <array>
#include <bit>
#include <map>
#include <utility>

#include "rules/compile/blocks.h"
#include "rules/compile/box.h"
#include "rules/compile/bytes.h"
#include "rules/compile/clause.h"
#include "rules/compile/gather.h"
#include "rules/compile/matches.h"
#include "rules/compile/publish.h"
#include "rules/compile/translate.h"
#include "rules/interface.h"
#include "rules/nft/references.h"

namespace fwctl::compile {
namespace {

using nft::Bytes;
using nft::Field;
using policy::CheckedPolicy;
using policy::CheckedRule;
using policy::Log;
using policy::Logging;
using policy::Traffic;
using policy::Verdict;

// As ufw: three lines a minute for each logging rule, after ten at once.
constexpr nft::Limit log_limit{.rate = 3, .seconds = 60, .burst = 10};
// Sources that a limit remembers at once, 100 bytes or so of kernel memory each. Beyond that a
// packet of a new source finds no room, and counts as beyond its limit.
constexpr std::uint32_t most_limited_sources = 65535;
// Of an IPv6 address, what one limit is for: a host has a /64 to choose its addresses from.
constexpr int limited_prefix = 64;

void match_interface(std::vector<nft::Statement>& out, Field field, const std::string& pattern) {
  out.emplace_back(nft::Match{.field = field, .value = interface_bytes(pattern)});
  if (!pattern.ends_with('?')) return;
  // As long as a name can be: no character may be missing.
  Bytes characters(longest_interface, any_character_bit);
  characters.resize(nft::width(field), '\0');
  out.emplace_back(nft::Match{.field = field, .value = characters, .mask = characters});
}

// Of an IPv6 address.
Bytes suffix_mask_bytes(int length) {
  Bytes mask = mask_bytes(nft::width(Field::ip6_saddr), 128 - length);
  for (char& byte : mask) byte = static_cast<char>(~byte);
  return mask;
}

// A name without dots, which have a meaning of their own in names of objects (rules/nft/plan.h),
// and none that a set of the policy can have.
std::string host_set_name(std::string host) {
  std::ranges::replace(host, '.', '_');
  return "host/" + host;
}

std::string set_name(const policy::CheckedSet& set, Family family) {
  return (set.host ? host_set_name(set.name) : set.name) +
         (family == Family::ipv4 ? "-ipv4" : "-ipv6");
}

// Of pairs; `address` is that of either side.
std::vector<Field> pair_key(Field address) {
  return {address, Field::l4proto, Field::th_dport};
}

// A name that neither those can have, without dots too. Another unit has another.
std::string unit_set_name(std::string_view unit) {
  constexpr std::array<std::pair<char, std::string_view>, 5> others{
      {{'.', "/"}, {'_', "__"}, {'@', "_-"}, {':', "_c"}, {'\\', "_x"}}};
  std::string out = "unit/";
  for (const char c : unit) {
    const auto* const other =
        std::ranges::find(others, c, &std::pair<char, std::string_view>::first);
    if (other == others.end())
      out += c;
    else
      out += other->second;
  }
  return out;
}

static_assert(policy::deepest_level == nft::deepest_cgroup);

// Of one that does not run, where it is expected to appear.
Field cgroup_of(const std::string& unit, const policy::Units& units) {
  const auto found = units.find(unit);
  if (found != units.end()) return nft::cgroup_at(found->second.level);
  const std::size_t level = policy::usual_slices(unit).size() + 1;
  return nft::cgroup_at(
      static_cast<std::uint8_t>(std::min<std::size_t>(level, policy::deepest_level)));
}

void match_address(std::vector<nft::Statement>& out, const CheckedPolicy& policy, Field field,
                   Family family, const policy::AddressMatch& match) {
  if (const auto* index = std::get_if<policy::SetIndex>(&match)) {
    const auto& set = policy.sets()[index->index];
    out.emplace_back(nft::SetLookup{.key = set.pairs.empty() ? std::vector{field} : pair_key(field),
                                    .set = set_name(set, family),
                                    .negated = index->negated});
    return;
  }
  if (const auto* suffix = std::get_if<policy::SuffixMatch>(&match)) {
    out.emplace_back(nft::Match{.field = field,
                                .negated = suffix->negated,
                                .value = suffix->suffix.bits.network_order(),
                                .mask = suffix_mask_bytes(suffix->suffix.length)});
    return;
  }
  match_range(out, field, std::get<AddressRange>(match));
}

Bytes nanoseconds(Time time) {
  const std::chrono::nanoseconds since_epoch = time.time_since_epoch();
  return host_order(static_cast<std::uint64_t>(since_epoch.count()));
}

std::string_view chain_name(Traffic traffic) {
  return text(traffic);
}

// Builds the chain of one kind of traffic and the maps it looks into.
class ChainBuilder {
 public:
  ChainBuilder(const CheckedPolicy& policy, const policy::Units& units, Traffic traffic,
               nft::Ruleset& ruleset)
      : policy_(policy),
        units_(units),
        traffic_(traffic),
        ruleset_(ruleset),
        blocks_(traffic),
        names_(traffic) {
    chain_.name = chain_name(traffic);
  }

  void build() {
    add_audit();
    bool redirected = false;
    for (const auto& rule : policy_.rules(traffic_)) {
      if (!rule.always_first() && !std::exchange(redirected, true)) add_redirected();
      gather(policy_, rule, blocks_);
    }
    if (!redirected) add_redirected();
    flush();
    add_default();
    ruleset_.chains.push_back(std::move(chain_));
  }

  Matcher matcher() const {
    return [this](const Clause& clause) { return statements(clause); };
  }

 private:
  // Which of what was redirected passes, no rule for routed packets is asked.
  void add_redirected() {
    if (traffic_ != Traffic::routed) return;
    flush();
    for (auto& rule : redirected_rules(policy_, matcher())) chain_.rules.push_back(std::move(rule));
  }

  // What has been gathered becomes rules.
  void flush() {
    for (const auto& block : blocks_.take()) {
      if (looked_up(block)) {
        add_lookup(block, false, block.cells.points());
        add_lookup(block, true, block.cells.boxes());
        continue;
      }
      for (const auto& [rule, clause] : block.entries) {
        if (rule->verdict == Verdict::limit)
          add_limited(*rule, clause);
        else
          add_rule(*rule, clause);
      }
    }
  }

  void add_lookup(const Block& block, bool interval, const Cells::Map& cells) {
    if (cells.empty()) return;
    nft::Set map = empty_map(names_.next(block.fields, interval), block.fields, interval);
    map.elements.reserve(cells.size());
    for (const auto& [first, cell] : cells)
      map.elements.push_back(element({first, cell.last}, *cell.owner));
    nft::Rule lookup{.statements = statements(block.rest), .comment = {}};
    lookup.statements.emplace_back(nft::MapLookup{.key = map.key, .map = map.name});
    chain_.rules.push_back(std::move(lookup));
    ruleset_.sets.push_back(std::move(map));
  }

  std::vector<nft::Statement> statements(const Clause& clause) const {
    std::vector<nft::Statement> out;
    if (clause.interface) {
      const auto field = traffic_ == Traffic::outgoing ? Field::oifname : Field::iifname;
      match_interface(out, field, *clause.interface);
    }
    if (clause.out_interface) match_interface(out, Field::oifname, *clause.out_interface);
    match_link(out, clause);
    match_sender(out, clause);
    if (clause.states != 0) out.emplace_back(any_bit(Field::ct_state, clause.states));
    const bool v4 = clause.family == Family::ipv4;
    if (clause.family) match_family(out, *clause.family);
    if (clause.from)
      match_address(out, policy_, v4 ? Field::ip_saddr : Field::ip6_saddr, *clause.family,
                    *clause.from);
    if (clause.to)
      match_address(out, policy_, v4 ? Field::ip_daddr : Field::ip6_daddr, *clause.family,
                    *clause.to);
    if (clause.flow) match_flow(out, clause);
    // Last: the clock is read only for packets that match otherwise.
    if (clause.until)
      out.emplace_back(nft::Before{.field = Field::time, .value = nanoseconds(*clause.until)});
    return out;
  }

  static void match_link(std::vector<nft::Statement>& out, const Clause& clause) {
    if (clause.mac) match_mac(out, *clause.mac);
    if (!clause.mark) return;
    nft::Match mark{.field = Field::mark, .value = host_order(clause.mark->value)};
    if (clause.mark->mask != policy::Mark{}.mask) mark.mask = host_order(clause.mark->mask);
    out.emplace_back(std::move(mark));
  }

  // Where no process's socket sends it, the kernel ends the rule here: no match.
  void match_sender(std::vector<nft::Statement>& out, const Clause& clause) const {
    if (clause.user)
      out.emplace_back(nft::Match{.field = Field::skuid, .value = host_order(*clause.user)});
    if (clause.group)
      out.emplace_back(nft::Match{.field = Field::skgid, .value = host_order(*clause.group)});
    if (clause.unit)
      out.emplace_back(nft::SetLookup{.key = {cgroup_of(*clause.unit, units_)},
                                      .set = unit_set_name(*clause.unit)});
  }

  static void match_flow(std::vector<nft::Statement>& out, const Clause& clause) {
    const auto& flow = *clause.flow;
    if (flow.icmp_type && !clause.family)
      match_family(out, flow.protocol == icmp ? Family::ipv4 : Family::ipv6);
    match_protocol(out, flow.protocol);
    if (flow.icmp_type) {
      const auto field = flow.protocol == icmp ? Field::icmp_type : Field::icmpv6_type;
      out.emplace_back(nft::Match{.field = field, .value = one_byte(*flow.icmp_type)});
      return;
    }
    match_ports(out, Field::th_sport, flow.from);
    match_ports(out, Field::th_dport, flow.to);
  }

  void add_rule(const CheckedRule& rule, const Clause& clause) {
    auto match = statements(clause);
    if (logs(policy_, rule)) add_log(rule, match);
    if (counted(rule)) match.emplace_back(nft::Counter{});
    match.emplace_back(nft_verdict(rule.verdict));
    chain_.rules.push_back({.statements = std::move(match), .comment = rule.id});
  }

  // What is within the rate of its source passes; the rules after that one refuse the rest.
  void add_limited(const CheckedRule& rule, const Clause& clause) {
    const auto match = statements(clause);
    if (logs(policy_, rule)) add_log(rule, match);
    const bool v4 = clause.family == Family::ipv4;
    const Field source = v4 ? Field::ip_saddr : Field::ip6_saddr;
    const std::string set = "limit-" + rule.id + (v4 ? "-ipv4" : "-ipv6");
    auto within = match;
    within.emplace_back(nft::Meter{
        .field = source,
        .mask = v4 ? Bytes() : mask_bytes(nft::width(source), limited_prefix),
        .set = set,
        .limit = {
            .rate = rule.rate.count, .seconds = rule.rate.seconds, .burst = rule.rate.burst}});
    within.emplace_back(nft::Counter{});
    within.emplace_back(nft_verdict(Verdict::allow));
    chain_.rules.push_back({.statements = std::move(within), .comment = rule.id});
    add_limit_set(set, source, rule.rate);
    if (policy_.logging() != Logging::off) {
      auto beyond = match;
      beyond.emplace_back(log_limit);
      beyond.emplace_back(log_of("reject", rule.id));
      chain_.rules.push_back({.statements = std::move(beyond), .comment = rule.id});
    }
    auto refuse = match;
    refuse.emplace_back(nft::Counter{});
    refuse.emplace_back(nft_verdict(Verdict::reject));
    chain_.rules.push_back({.statements = std::move(refuse), .comment = rule.id});
  }

  // A source is forgotten when its bucket is full again in any case.
  void add_limit_set(const std::string& name, Field source, const policy::Rate& rate) {
    if (std::ranges::any_of(ruleset_.sets, [&](const nft::Set& set) { return set.name == name; }))
      return;
    const std::uint64_t full = std::uint64_t{rate.burst} * rate.seconds / rate.count + 1;
    constexpr std::uint64_t longest = 86'400;
    ruleset_.sets.push_back({.name = name,
                             .key = {source},
                             .elements = {},
                             .timeout_seconds = static_cast<std::uint32_t>(std::min(full, longest)),
                             .size = most_limited_sources});
  }

  static nft::Log log_of(std::string_view verdict, std::string_view id) {
    return {.prefix = "[fwctl " + std::string(verdict) + " " + std::string(id) + "] ",
            .group = log_group};
  }

  void add_log(const CheckedRule& rule, std::vector<nft::Statement> match) {
    if (rule.log == Log::fresh && rule.conditions.states == 0)
      match.emplace_back(any_bit(Field::ct_state, nft::ct_new));
    const bool limited = rule.id != invalid_id || policy_.logging() < Logging::high;
    if (limited) match.emplace_back(log_limit);
    match.emplace_back(log_of(text(rule.verdict), rule.id));
    chain_.rules.push_back({.statements = std::move(match), .comment = rule.id});
  }

  // What comes, whatever is decided of it later.
  void add_audit() {
    if (policy_.logging() < Logging::medium) return;
    std::vector<nft::Statement> match;
    if (policy_.logging() == Logging::medium)
      match.emplace_back(any_bit(Field::ct_state, nft::ct_new));
    if (policy_.logging() != Logging::full) match.emplace_back(log_limit);
    match.emplace_back(log_of("audit", text(traffic_)));
    chain_.rules.push_back({.statements = std::move(match), .comment = std::string(audit_comment)});
  }

  // What neighbours tell everybody would use up the limit, and nobody asks about it.
  static void skip_noise(std::vector<nft::Statement>& match) {
    match.emplace_back(nft::Match{.field = Field::pkttype, .value = one_byte(nft::pkttype_host)});
  }

  void add_default() {
    const Verdict verdict = policy_.default_for(traffic_);
    const Logging wanted = verdict == Verdict::allow ? Logging::medium : Logging::low;
    if (policy_.logging() >= wanted) {
      std::vector<nft::Statement> log;
      if (policy_.logging() < Logging::high) {
        if (traffic_ == Traffic::incoming) skip_noise(log);
        log.emplace_back(log_limit);
      }
      log.emplace_back(log_of(text(verdict), default_comment));
      chain_.rules.push_back(
          {.statements = std::move(log), .comment = std::string(default_comment)});
    }
    chain_.rules.push_back({.statements = {nft::Counter{}, nft_verdict(verdict)},
                            .comment = std::string(default_comment)});
  }

  const CheckedPolicy& policy_;
  const policy::Units& units_;
  Traffic traffic_;
  nft::Ruleset& ruleset_;
  nft::Chain chain_;
  Blocks blocks_;
  MapNames names_;
};

void add_base_chain(const CheckedPolicy& policy, Traffic traffic, nft::Ruleset& ruleset) {
  constexpr std::array<std::pair<std::string_view, nft::HookPoint>, 3> hooks{
      {{"input", nft::HookPoint::input},
       {"output", nft::HookPoint::output},
       {"forward", nft::HookPoint::forward}}};
  const auto& [name, point] = hooks[static_cast<std::size_t>(traffic)];
  const bool drop = policy.default_for(traffic) != Verdict::allow;
  const nft::Verdict last{drop ? nft::VerdictKind::drop : nft::VerdictKind::accept, {}};
  // The chain jumped to ends with a verdict of its own. The rule behind the jump is for the moment
  // in which a packet has passed the jump and the chain is exchanged: a base chain's policy alone
  // is not enough there.
  ruleset.chains.push_back(
      {.name = std::string(name),
       .hook = nft::Hook{.point = point, .priority = 0, .policy_drop = drop},
       .comment = {},
       .rules = {
           {.statements = {nft::Verdict{nft::VerdictKind::jump, std::string(chain_name(traffic))}},
            .comment = {}},
           {.statements = {last}, .comment = {}}}});
}

void add_refuse_chain(nft::Ruleset& ruleset) {
  std::vector<nft::Statement> reset;
  match_protocol(reset, tcp);
  reset.emplace_back(nft::Reject{nft::RejectWith::tcp_reset});
  ruleset.chains.push_back(
      {.name = std::string(refuse_chain),
       .hook = {},
       .comment = {},
       .rules = {{.statements = std::move(reset), .comment = {}},
                 {.statements = {nft::Reject{nft::RejectWith::port_unreachable}}, .comment = {}}}});
}

// A rule that rejects may have come to nothing: all that it is about is decided before, or the sets
// it names are empty.
bool refuses(const nft::Ruleset& ruleset) {
  const auto goes_there = [](const auto& object) {
    return nft::references(object).chains.contains(std::string(refuse_chain));
  };
  return std::ranges::any_of(ruleset.chains, goes_there) ||
         std::ranges::any_of(ruleset.sets, goes_there);
}

// Addresses of a host come and go, and entries that end are kept where they can be told apart.
bool may_have_parts(const policy::CheckedSet& set, Family family) {
  return !set.host && set.temporary(family).empty();
}

// None: it is one set.
Parts parts_of(const policy::CheckedSet& set, Family family, std::size_t big) {
  if (!may_have_parts(set, family)) return {};
  PrefixCounts counts{};
  count_prefixes(set.ranges(family), counts);
  return parts(counts, big);
}

// `ranges` as elements of these parts.
void add_parts(const policy::CheckedSet& set, const PackedRanges& ranges, const Parts& parts,
               nft::Ruleset& ruleset) {
  const Family family = ranges.family();
  auto keys = prefixes(ranges, parts);
  for (std::size_t index = 0; index < parts.size(); ++index) {
    nft::Set part{.name = nft::part_name(set_name(set, family), parts[index].length),
                  .key = {family == Family::ipv4 ? Field::ip_saddr : Field::ip6_saddr},
                  .elements = {},
                  .size = parts[index].room()};
    part.intervals = std::move(keys[index]);
    ruleset.sets.push_back(std::move(part));
  }
}

// A set of values: what it takes to load and to change does not grow with what is there.
void add_pairs(const policy::CheckedSet& set, Family family, nft::Ruleset& ruleset) {
  const auto& pairs = set.pairs.of(family);
  nft::Set out{.name = set_name(set, family),
               .key = pair_key(family == Family::ipv4 ? Field::ip_saddr : Field::ip6_saddr),
               .elements = {},
               .size = room_for(pairs.size())};
  out.intervals = pairs.values();
  ruleset.sets.push_back(std::move(out));
}

void add_set(const policy::CheckedSet& set, Family family, nft::Ruleset& ruleset) {
  if (!set.has(family)) return;
  if (!set.pairs.empty()) return add_pairs(set, family, ruleset);
  nft::Set out{.name = set_name(set, family),
               .key = {family == Family::ipv4 ? Field::ip_saddr : Field::ip6_saddr},
               .interval = !set.host,
               .ends = !set.temporary(family).empty(),
               .elements = {}};
  if (out.interval && !out.ends) {
    out.intervals = set.ranges(family).intervals();
    ruleset.sets.push_back(std::move(out));
    return;
  }
  const auto element = [](const AddressRange& range) {
    nft::Element one{.key = range.first.network_order()};
    if (range.first != range.last) one.key_end = range.last.network_order();
    return one;
  };
  for (const auto& range : set.ranges(family)) out.elements.push_back(element(range));
  for (const auto& [range, until] : set.temporary(family)) {
    out.elements.push_back(element(range));
    out.elements.back().until = until;
  }
  if (out.ends) std::ranges::sort(out.elements, {}, &nft::Element::key);
  ruleset.sets.push_back(std::move(out));
}

}  // namespace

std::optional<std::vector<nft::Set>> more_elements(const policy::CheckedSet& set,
                                                   const AddressRanges& entries, SetCounts& counts,
                                                   std::size_t big) {
  nft::Ruleset out;
  for (const auto family : {Family::ipv4, Family::ipv6}) {
    const auto& more = entries.of(family);
    if (more.empty()) continue;
    Parts after;
    if (may_have_parts(set, family)) {
      auto& known = counts[static_cast<std::size_t>(family)];
      if (!known) count_prefixes(set.ranges(family), known.emplace());
      const auto before = parts(*known, big);
      count_prefixes(more, *known);
      after = parts(*known, big);
      if (!same_lengths(before, after)) return {};
    }
    if (after.empty())
      add_set({.name = set.name, .host = set.host, .lasting = entries}, family, out);
    else
      add_parts(set, more, after, out);
  }
  std::erase_if(out.sets, [](const nft::Set& part) { return part.empty(); });
  return std::move(out.sets);
}

std::vector<nft::Set> unit_sets(const CheckedPolicy& policy, const policy::Units& units) {
  std::vector<nft::Set> out;
  for (const auto& unit : policy::unit_names(policy.policy())) {
    auto& set = out.emplace_back(
        nft::Set{.name = unit_set_name(unit), .key = {cgroup_of(unit, units)}, .elements = {}});
    if (const auto found = units.find(unit); found != units.end())
      set.elements.push_back({.key = host_order(found->second.id)});
  }
  return out;
}

nft::Ruleset compile(const CheckedPolicy& policy, const policy::Units& units, std::size_t big) {
  nft::Ruleset ruleset;
  for (const auto traffic : {Traffic::incoming, Traffic::outgoing, Traffic::routed}) {
    add_base_chain(policy, traffic, ruleset);
    ChainBuilder(policy, units, traffic, ruleset).build();
  }
  const ChainBuilder routed(policy, units, Traffic::routed, ruleset);
  add_translations(policy, routed.matcher(), ruleset);
  const auto used = nft::referenced_sets(ruleset);
  PartsByName held_in_parts;
  for (const auto& set : policy.sets())
    for (const auto family : {Family::ipv4, Family::ipv6}) {
      const auto name = set_name(set, family);
      if (!used.contains(name)) continue;
      const auto parts = parts_of(set, family, big);
      if (parts.empty()) {
        add_set(set, family, ruleset);
        continue;
      }
      add_parts(set, set.ranges(family), parts, ruleset);
      held_in_parts.emplace(name, parts);
    }
  add_published(ruleset);
  if (refuses(ruleset)) add_refuse_chain(ruleset);
  look_into_parts(held_in_parts, ruleset);
  for (auto& set : unit_sets(policy, units))
    if (used.contains(set.name)) ruleset.sets.push_back(std::move(set));
  for (auto& set : ruleset.sets)
    if (set.map && !set.interval) set.size = size_of_map(set.elements.size(), big);
  const auto by_name = [](const auto& a, const auto& b) { return a.name < b.name; };
  std::sort(ruleset.sets.begin(), ruleset.sets.end(), by_name);
  std::sort(ruleset.chains.begin(), ruleset.chains.end(), by_name);
  return ruleset;
}

}  // namespace fwctl::compile
