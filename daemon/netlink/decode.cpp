#include "daemon/netlink/decode.h"

#include <netinet/in.h>  // before linux/netfilter.h

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include <algorithm>
#include <utility>

#include "daemon/netlink/attributes.h"
#include "daemon/netlink/decode_rule.h"
#include "daemon/netlink/fields.h"
#include "daemon/netlink/userdata.h"

namespace fwctl::netlink {
namespace {

using nft::Bytes;

Attributes attributes_of(const nlmsghdr& message) {
  return Attributes(message, sizeof(nfgenmsg));
}

std::string comment_in(const Attributes& attributes, std::uint16_t type) {
  return userdata::text(attributes.bytes(type).value_or(std::string_view()), userdata::comment);
}

std::optional<nft::HookPoint> hook_point(std::optional<std::uint32_t> number) {
  if (number == NF_INET_PRE_ROUTING) return nft::HookPoint::prerouting;
  if (number == NF_INET_LOCAL_IN) return nft::HookPoint::input;
  if (number == NF_INET_FORWARD) return nft::HookPoint::forward;
  if (number == NF_INET_LOCAL_OUT) return nft::HookPoint::output;
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

std::optional<std::string_view> value_in(const Attributes& attributes, std::uint16_t type) {
  return Attributes(attributes.get(type)).bytes(NFTA_DATA_VALUE);
}

}  // namespace

tl::unexpected<Error> not_ours(std::string what) {
  return failed("read", "table inet fwctl", EBADMSG, "not made by fwctl: " + std::move(what));
}

std::string table_of(const nlmsghdr& message) {
  return attributes_of(message).text(NFTA_TABLE_NAME);
}

Result<nft::Chain> decode_chain(const nlmsghdr& message) {
  const Attributes chain = attributes_of(message);
  nft::Chain decoded{.name = chain.text(NFTA_CHAIN_NAME),
                     .hook = std::nullopt,
                     .comment = comment_in(chain, NFTA_CHAIN_USERDATA),
                     .rules = {}};
  if (!chain.has(NFTA_CHAIN_HOOK)) return decoded;
  const Attributes hook(chain.get(NFTA_CHAIN_HOOK));
  const auto point = hook_point(hook.be32(NFTA_HOOK_HOOKNUM));
  if (!point || chain.text(NFTA_CHAIN_TYPE) != "filter")
    return not_ours("chain " + decoded.name + " of another type or hook");
  decoded.hook = nft::Hook{.point = *point,
                           .priority = static_cast<int>(hook.be32(NFTA_HOOK_PRIORITY).value_or(0)),
                           .policy_drop = chain.be32(NFTA_CHAIN_POLICY) == NF_DROP};
  return decoded;
}

Result<RuleInChain> decode_rule(const nlmsghdr& message) {
  const Attributes rule = attributes_of(message);
  RuleInChain decoded{.chain = rule.text(NFTA_RULE_CHAIN),
                      .rule = {.statements = {}, .comment = comment_in(rule, NFTA_RULE_USERDATA)}};
  auto statements = decode_expressions(rule.get(NFTA_RULE_EXPRESSIONS));
  if (!statements)
    return not_ours("rule " + std::to_string(rule.be64(NFTA_RULE_HANDLE).value_or(0)) + " \"" +
                    decoded.rule.comment + "\" in chain " + decoded.chain + ", at " +
                    statements.error());
  decoded.rule.statements = std::move(*statements);
  return decoded;
}

Result<nft::Set> decode_set(const nlmsghdr& message) {
  const Attributes set = attributes_of(message);
  nft::Set decoded;
  decoded.name = set.text(NFTA_SET_NAME);
  const std::uint32_t flags = set.be32(NFTA_SET_FLAGS).value_or(0);
  decoded.map = (flags & NFT_SET_MAP) != 0;
  decoded.interval = (flags & NFT_SET_INTERVAL) != 0;
  constexpr std::uint32_t our_flags = NFT_SET_MAP | NFT_SET_INTERVAL | NFT_SET_CONCAT;
  auto key = key_named(userdata::text(set.bytes(NFTA_SET_USERDATA).value_or(std::string_view()),
                                      userdata::key_fields));
  const bool ours = key && (flags & ~our_flags) == 0 &&
                    set.be32(NFTA_SET_KEY_LEN) == key_length(*key) &&
                    (!decoded.map || set.be32(NFTA_SET_DATA_TYPE) == NFT_DATA_VERDICT);
  if (!ours) return not_ours("set " + decoded.name);
  decoded.key = std::move(*key);
  if (set.has(NFTA_SET_EXPRESSIONS)) return not_ours("set " + decoded.name);
  if (set.has(NFTA_SET_EXPR)) {
    if (!decode_counter(set.get(NFTA_SET_EXPR))) return not_ours("set " + decoded.name);
    decoded.counters = true;
  }
  return decoded;
}

Result<void> ElementReader::add(const nlmsghdr& message) {
  const nlattr* list = attributes_of(message).get(NFTA_SET_ELEM_LIST_ELEMENTS);
  Result<void> outcome;
  if (list != nullptr)
    for_each_nested(list, [&](const nlattr* element) {
      if (outcome) outcome = add_one(element);
    });
  return outcome;
}

Result<void> ElementReader::add_one(const void* attribute) {
  const Attributes element(static_cast<const nlattr*>(attribute));
  const auto refused = [&] { return not_ours("an element of set " + set_.name); };
  auto key = unpad(set_.key, value_in(element, NFTA_SET_ELEM_KEY).value_or(std::string_view()));
  const bool odd = element.has(NFTA_SET_ELEM_TIMEOUT) || element.has(NFTA_SET_ELEM_EXPRESSIONS) ||
                   element.has(NFTA_SET_ELEM_OBJREF);
  if (!key || odd) return refused();
  Boundary& boundary = boundaries_.emplace_back();
  nft::Element& decoded = boundary.element;
  decoded.key = std::move(*key);
  const std::uint32_t flags = element.be32(NFTA_SET_ELEM_FLAGS).value_or(0);
  if ((flags & ~static_cast<std::uint32_t>(NFT_SET_ELEM_INTERVAL_END)) != 0) return refused();
  boundary.end = (flags & NFT_SET_ELEM_INTERVAL_END) != 0;
  if (boundary.end) return {};
  if (element.has(NFTA_SET_ELEM_KEY_END)) {
    auto key_end =
        unpad(set_.key, value_in(element, NFTA_SET_ELEM_KEY_END).value_or(std::string_view()));
    if (!key_end) return refused();
    if (*key_end != decoded.key) decoded.key_end = std::move(*key_end);
  }
  if (set_.map) {
    decoded.verdict = decode_verdict(element.get(NFTA_SET_ELEM_DATA));
    if (!decoded.verdict) return refused();
  }
  decoded.comment = comment_in(element, NFTA_SET_ELEM_USERDATA);
  if (element.has(NFTA_SET_ELEM_EXPR)) {
    const auto counter = decode_counter(element.get(NFTA_SET_ELEM_EXPR));
    if (!counter) return refused();
    decoded.counter = *counter;
  }
  return {};
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
