#include "daemon/netlink/decode.h"

#include <netinet/in.h>  // before linux/netfilter.h

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include <algorithm>
#include <tuple>
#include <utility>

#include "daemon/netlink/attributes.h"
#include "daemon/netlink/decode_rule.h"
#include "daemon/netlink/fields.h"
#include "daemon/netlink/userdata.h"

namespace fwctl::netlink {
namespace {

using nft::Bytes;

std::optional<nft::HookPoint> hook_point(std::uint32_t number) {
  if (number == NF_INET_PRE_ROUTING) return nft::HookPoint::prerouting;
  if (number == NF_INET_LOCAL_IN) return nft::HookPoint::input;
  if (number == NF_INET_FORWARD) return nft::HookPoint::forward;
  if (number == NF_INET_LOCAL_OUT) return nft::HookPoint::output;
  if (number == NF_INET_POST_ROUTING) return nft::HookPoint::postrouting;
  return std::nullopt;
}

// The number before `key`, read as one in network order.
Bytes decremented(Bytes key) {
  for (std::size_t i = key.size(); i-- > 0;) {
    const auto byte = static_cast<unsigned char>(key[i]);
    key[i] = static_cast<char>(byte - 1);
    if (byte != 0) break;
  }
  return key;
}

// The fields of a kernel key side by side; nullopt when the lengths do not fit.
std::optional<Bytes> unpad(const std::vector<nft::Field>& fields, std::string_view key) {
  if (key.size() != key_length(fields)) return std::nullopt;
  if (fields.size() == 1) return Bytes(key);
  Bytes result;
  for (const nft::Field field : fields) {
    const std::size_t width = nft::width(field);
    result.append(key, 0, width);
    key.remove_prefix(padded(width));
  }
  return result;
}

std::string_view userdata_of(const nftnl_chain& chain) {
  std::uint32_t length = 0;
  const void* data = nftnl_chain_get_data(&chain, NFTNL_CHAIN_USERDATA, &length);
  return view(data, length);
}

std::string_view userdata_of(const nftnl_rule& rule) {
  std::uint32_t length = 0;
  const void* data = nftnl_rule_get_data(&rule, NFTNL_RULE_USERDATA, &length);
  return view(data, length);
}

std::string_view userdata_of(const nftnl_set& set) {
  std::uint32_t length = 0;
  const void* data = nftnl_set_get_data(&set, NFTNL_SET_USERDATA, &length);
  return view(data, length);
}

std::string_view bytes_in(nftnl_set_elem& element, std::uint16_t attribute) {
  std::uint32_t length = 0;
  const void* data = nftnl_set_elem_get(&element, attribute, &length);
  return view(data, length);
}

std::string_view userdata_of(nftnl_set_elem& element) {
  return bytes_in(element, NFTNL_SET_ELEM_USERDATA);
}

template <typename Object>
std::string comment_of(Object& object) {
  return userdata::text(userdata_of(object), userdata::comment);
}

Result<nft::Hook> decode_hook(const nftnl_chain& chain, const std::string& name) {
  const auto point = hook_point(nftnl_chain_get_u32(&chain, NFTNL_CHAIN_HOOKNUM));
  const std::string type = text(nftnl_chain_get_str(&chain, NFTNL_CHAIN_TYPE));
  const bool nat = type == "nat";
  const bool drop = nftnl_chain_is_set(&chain, NFTNL_CHAIN_POLICY) &&
                    nftnl_chain_get_u32(&chain, NFTNL_CHAIN_POLICY) == NF_DROP;
  if (!point || (!nat && type != "filter") || (nat && drop))
    return not_ours("chain " + name + " of another type, hook or policy");
  return nft::Hook{.point = *point,
                   .priority = nftnl_chain_get_s32(&chain, NFTNL_CHAIN_PRIO),
                   .policy_drop = drop,
                   .type = nat ? nft::ChainType::nat : nft::ChainType::filter};
}

std::optional<nft::Verdict> verdict_of(nftnl_set_elem& element) {
  if (!nftnl_set_elem_is_set(&element, NFTNL_SET_ELEM_VERDICT)) return std::nullopt;
  return decode_verdict(nftnl_set_elem_get_u32(&element, NFTNL_SET_ELEM_VERDICT),
                        text(nftnl_set_elem_get_str(&element, NFTNL_SET_ELEM_CHAIN)));
}

constexpr std::uint32_t dynamic_flags = NFT_SET_EVAL | NFT_SET_TIMEOUT;

// False where it is one that we would not make.
bool decode_dynamics(const nftnl_set& set, std::uint32_t flags, nft::Set& decoded) {
  if ((flags & NFT_SET_EVAL) == 0) {
    decoded.ends = (flags & NFT_SET_TIMEOUT) != 0;
    if (nftnl_set_is_set(&set, NFTNL_SET_DESC_SIZE))
      decoded.size = nftnl_set_get_u32(&set, NFTNL_SET_DESC_SIZE);
    return !nftnl_set_is_set(&set, NFTNL_SET_TIMEOUT) && !(decoded.ends && decoded.map);
  }
  if (flags != dynamic_flags || !nftnl_set_is_set(&set, NFTNL_SET_TIMEOUT) ||
      nftnl_set_is_set(&set, NFTNL_SET_EXPR))
    return false;
  const std::uint64_t timeout = nftnl_set_get_u64(&set, NFTNL_SET_TIMEOUT);
  const std::uint64_t seconds = timeout / milliseconds_per_second;
  if (timeout % milliseconds_per_second != 0 || seconds == 0 || seconds > UINT32_MAX) return false;
  decoded.timeout_seconds = static_cast<std::uint32_t>(seconds);
  decoded.size = nftnl_set_get_u32(&set, NFTNL_SET_DESC_SIZE);
  return decoded.size > 0;
}

}  // namespace

tl::unexpected<Error> not_ours(std::string what) {
  return failed("read", "table inet fwctl", EBADMSG, "not made by fwctl: " + std::move(what));
}

// By hand: libnftnl reads a message whole or not at all, and those of other tables need not be
// something it knows.
std::string table_of(const nlmsghdr& message) {
  return Attributes(message, sizeof(nfgenmsg)).text(NFTA_TABLE_NAME);
}

Result<nft::Chain> decode_chain(const nlmsghdr& message) {
  const auto chain = new_chain();
  if (nftnl_chain_nlmsg_parse(&message, chain.get()) < 0) return not_ours("a chain");
  nft::Chain decoded{.name = text(nftnl_chain_get_str(chain.get(), NFTNL_CHAIN_NAME)),
                     .hook = std::nullopt,
                     .comment = comment_of(*chain),
                     .rules = {}};
  if (!nftnl_chain_is_set(chain.get(), NFTNL_CHAIN_HOOKNUM)) return decoded;
  const auto hook = decode_hook(*chain, decoded.name);
  if (!hook) return tl::unexpected(hook.error());
  decoded.hook = *hook;
  return decoded;
}

Result<RuleInChain> decode_rule(const nlmsghdr& message) {
  const auto rule = new_rule();
  const bool known = nftnl_rule_nlmsg_parse(&message, rule.get()) >= 0;
  RuleInChain decoded{.chain = text(nftnl_rule_get_str(rule.get(), NFTNL_RULE_CHAIN)),
                      .rule = {.statements = {}, .comment = comment_of(*rule)}};
  auto statements = known ? decode_expressions(*rule)
                          : tl::unexpected(std::string("an expression libnftnl doesn't know"));
  if (!statements)
    return not_ours("rule " + std::to_string(nftnl_rule_get_u64(rule.get(), NFTNL_RULE_HANDLE)) +
                    " \"" + decoded.rule.comment + "\" in chain " + decoded.chain + ", at " +
                    statements.error());
  decoded.rule.statements = std::move(*statements);
  return decoded;
}

Result<nft::Set> decode_set(const nlmsghdr& message) {
  const auto set = new_set();
  if (nftnl_set_nlmsg_parse(&message, set.get()) < 0) return not_ours("a set");
  nft::Set decoded;
  decoded.name = text(nftnl_set_get_str(set.get(), NFTNL_SET_NAME));
  const std::uint32_t flags = nftnl_set_get_u32(set.get(), NFTNL_SET_FLAGS);
  decoded.map = (flags & NFT_SET_MAP) != 0;
  decoded.interval = (flags & NFT_SET_INTERVAL) != 0;
  constexpr std::uint32_t our_flags =
      NFT_SET_MAP | NFT_SET_INTERVAL | NFT_SET_CONCAT | dynamic_flags;
  auto key = key_named(userdata::text(userdata_of(*set), userdata::key_fields));
  const bool ours =
      key && (flags & ~our_flags) == 0 && decode_dynamics(*set, flags, decoded) &&
      nftnl_set_get_u32(set.get(), NFTNL_SET_KEY_LEN) == key_length(*key) &&
      (!decoded.map || nftnl_set_get_u32(set.get(), NFTNL_SET_DATA_TYPE) == NFT_DATA_VERDICT) &&
      !nftnl_set_is_set(set.get(), NFTNL_SET_EXPRESSIONS);
  if (!ours) return not_ours("set " + decoded.name);
  decoded.key = std::move(*key);
  if (const void* expression = nftnl_set_get(set.get(), NFTNL_SET_EXPR)) {
    if (!decode_counter(Expression(*static_cast<const nftnl_expr*>(expression))))
      return not_ours("set " + decoded.name);
    decoded.counters = true;
  }
  return decoded;
}

Result<void> ElementReader::add(const nlmsghdr& message) {
  const auto list = new_set();
  const auto read_one = [](nftnl_set_elem* element, void* reader) {
    return static_cast<ElementReader*>(reader)->add_one(*element) ? 0 : -1;
  };
  if (nftnl_set_elems_nlmsg_parse(&message, list.get()) < 0 ||
      nftnl_set_elem_foreach(list.get(), read_one, this) < 0)
    return not_ours("an element of set " + set_.name);
  return {};
}

bool ElementReader::add_one(nftnl_set_elem& element) {
  const auto has = [&](std::uint16_t attribute) {
    return nftnl_set_elem_is_set(&element, attribute);
  };
  auto key = unpad(set_.key, bytes_in(element, NFTNL_SET_ELEM_KEY));
  const bool odd = has(NFTNL_SET_ELEM_EXPRESSIONS) || has(NFTNL_SET_ELEM_OBJREF);
  if (!key || odd) return false;
  Boundary& boundary = boundaries_.emplace_back();
  nft::Element& decoded = boundary.element;
  decoded.key = std::move(*key);
  const std::uint32_t flags =
      has(NFTNL_SET_ELEM_FLAGS) ? nftnl_set_elem_get_u32(&element, NFTNL_SET_ELEM_FLAGS) : 0;
  if ((flags & ~static_cast<std::uint32_t>(NFT_SET_ELEM_INTERVAL_END)) != 0) return false;
  boundary.end = (flags & NFT_SET_ELEM_INTERVAL_END) != 0;
  if (boundary.end) return true;
  if (has(NFTNL_SET_ELEM_KEY_END)) {
    auto key_end = unpad(set_.key, bytes_in(element, NFTNL_SET_ELEM_KEY_END));
    if (!key_end) return false;
    if (*key_end != decoded.key) decoded.key_end = std::move(*key_end);
  }
  if (set_.map) {
    decoded.verdict = verdict_of(element);
    if (!decoded.verdict) return false;
  }
  decoded.comment = comment_of(element);
  if (has(NFTNL_SET_ELEM_TIMEOUT)) {
    const auto until = nft::parse_end_comment(std::exchange(decoded.comment, {}));
    if (!until) return false;
    decoded.until = *until;
  } else if (nft::parse_end_comment(decoded.comment)) {
    return false;
  }
  if (has(NFTNL_SET_ELEM_EXPR)) {
    std::uint32_t length = 0;
    const void* expression = nftnl_set_elem_get(&element, NFTNL_SET_ELEM_EXPR, &length);
    const auto counter = decode_counter(Expression(*static_cast<const nftnl_expr*>(expression)));
    if (!counter) return false;
    decoded.counter = *counter;
  }
  return true;
}

std::optional<std::vector<nft::Element>> ElementReader::finish() {
  // Where one interval ends and the next begins, the end comes first.
  std::ranges::sort(boundaries_, [](const Boundary& a, const Boundary& b) {
    return std::tie(a.element.key, b.end) < std::tie(b.element.key, a.end);
  });
  if (set_.interval && set_.key.size() == 1) return join_intervals();
  std::vector<nft::Element> elements;
  elements.reserve(boundaries_.size());
  for (Boundary& boundary : boundaries_) {
    if (!set_.interval && !elements.empty() && elements.back().key == boundary.element.key)
      return std::nullopt;
    elements.push_back(std::move(boundary.element));
  }
  return elements;
}

std::vector<nft::Element> ElementReader::join_intervals() {
  std::vector<nft::Element> elements;
  bool open = false;
  const auto close_with = [&](Bytes last) {
    if (open && last != elements.back().key) elements.back().key_end = std::move(last);
    open = false;
  };
  for (Boundary& boundary : boundaries_) {
    if (open) close_with(decremented(boundary.element.key));
    if (boundary.end) continue;
    elements.push_back(std::move(boundary.element));
    open = true;
  }
  if (open) close_with(Bytes(elements.back().key.size(), '\xff'));
  return elements;
}

}  // namespace fwctl::netlink
