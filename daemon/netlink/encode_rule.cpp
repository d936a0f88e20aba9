#include "daemon/netlink/encode_rule.h"

#include <netinet/in.h>  // before linux/netfilter.h

#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_tuple_common.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>
#include <syslog.h>

#include <algorithm>
#include <bit>
#include <cassert>

#include "daemon/netlink/fields.h"

namespace fwctl::netlink {
namespace {

using nft::Bytes;
using nft::Field;

// One expression: an element of the open list with its name, and its attributes until the end of
// the scope.
class Expression {
 public:
  Expression(MessageWriter& out, std::string_view name)
      : element_(out, NFTA_LIST_ELEM), data_(named(out, name), NFTA_EXPR_DATA) {}

 private:
  static MessageWriter& named(MessageWriter& out, std::string_view name) {
    out.put_text(NFTA_EXPR_NAME, name);
    return out;
  }

  Nest element_;
  Nest data_;
};

void put_value(MessageWriter& out, std::uint16_t attribute, const Bytes& value) {
  const Nest nest(out, attribute);
  out.put(NFTA_DATA_VALUE, value);
}

std::uint32_t header_number(Source source) {
  if (source == Source::link_header) return NFT_PAYLOAD_LL_HEADER;
  return source == Source::network_header ? NFT_PAYLOAD_NETWORK_HEADER
                                          : NFT_PAYLOAD_TRANSPORT_HEADER;
}

void put_load(MessageWriter& out, Field field, std::size_t width, std::uint32_t into) {
  const FieldLayout& place = layout(field);
  switch (place.source) {
    case Source::meta: {
      const Expression expression(out, "meta");
      out.put_be32(NFTA_META_KEY, place.where);
      out.put_be32(NFTA_META_DREG, into);
      return;
    }
    case Source::ct:
    case Source::ct_original: {
      const Expression expression(out, "ct");
      out.put_be32(NFTA_CT_KEY, place.where);
      out.put_be32(NFTA_CT_DREG, into);
      if (place.source == Source::ct_original) out.put_u8(NFTA_CT_DIRECTION, IP_CT_DIR_ORIGINAL);
      return;
    }
    case Source::fib: {
      const Expression expression(out, "fib");
      out.put_be32(NFTA_FIB_DREG, into);
      out.put_be32(NFTA_FIB_RESULT, place.where);
      out.put_be32(NFTA_FIB_FLAGS, NFTA_FIB_F_DADDR);
      return;
    }
    case Source::cgroup: {
      const Expression expression(out, "socket");
      out.put_be32(NFTA_SOCKET_KEY, NFT_SOCKET_CGROUPV2);
      out.put_be32(NFTA_SOCKET_LEVEL, place.where);
      out.put_be32(NFTA_SOCKET_DREG, into);
      return;
    }
    case Source::link_header:
    case Source::network_header:
    case Source::transport_header: {
      const Expression expression(out, "payload");
      out.put_be32(NFTA_PAYLOAD_DREG, into);
      out.put_be32(NFTA_PAYLOAD_BASE, header_number(place.source));
      out.put_be32(NFTA_PAYLOAD_OFFSET, place.where);
      out.put_be32(NFTA_PAYLOAD_LEN, static_cast<std::uint32_t>(width));
      return;
    }
  }
}

// Into a register of four words.
void put_constant(MessageWriter& out, std::uint32_t into, const Bytes& value) {
  const Expression expression(out, "immediate");
  out.put_be32(NFTA_IMMEDIATE_DREG, into);
  put_value(out, NFTA_IMMEDIATE_DATA, value);
}

Bytes network_order(std::uint16_t number) {
  return {static_cast<char>(number >> 8), static_cast<char>(number & 0xff)};
}

void put_compare(MessageWriter& out, std::uint32_t operation, const Bytes& value) {
  const Expression expression(out, "cmp");
  out.put_be32(NFTA_CMP_SREG, NFT_REG_1);
  out.put_be32(NFTA_CMP_OP, operation);
  put_value(out, NFTA_CMP_DATA, value);
}

void put_mask(MessageWriter& out, const Bytes& mask) {
  const Expression expression(out, "bitwise");
  out.put_be32(NFTA_BITWISE_SREG, NFT_REG_1);
  out.put_be32(NFTA_BITWISE_DREG, NFT_REG_1);
  out.put_be32(NFTA_BITWISE_LEN, static_cast<std::uint32_t>(mask.size()));
  out.put_be32(NFTA_BITWISE_OP, NFT_BITWISE_BOOL);
  put_value(out, NFTA_BITWISE_MASK, mask);
  put_value(out, NFTA_BITWISE_XOR, Bytes(mask.size(), '\0'));
}

void put_host_to_network(MessageWriter& out, std::size_t width) {
  const Expression expression(out, "byteorder");
  out.put_be32(NFTA_BYTEORDER_SREG, NFT_REG_1);
  out.put_be32(NFTA_BYTEORDER_DREG, NFT_REG_1);
  out.put_be32(NFTA_BYTEORDER_OP, NFT_BYTEORDER_HTON);
  out.put_be32(NFTA_BYTEORDER_LEN, static_cast<std::uint32_t>(width));
  out.put_be32(NFTA_BYTEORDER_SIZE, static_cast<std::uint32_t>(width));
}

// Registers count in words of four bytes; a multiple of four words has a name of its own.
std::uint32_t register_at(std::size_t word) {
  const auto number = static_cast<std::uint32_t>(word);
  return number % 4 == 0 ? NFT_REG_1 + number / 4 : NFT_REG32_00 + number;
}

void put_key(MessageWriter& out, const std::vector<Field>& key) {
  std::size_t word = 0;
  for (const Field field : key) {
    put_load(out, field, nft::width(field), register_at(word));
    word += padded(nft::width(field)) / 4;
  }
}

// Without the element of the list that it may be.
void put_limit(MessageWriter& out, const nft::Limit& limit) {
  out.put_text(NFTA_EXPR_NAME, "limit");
  const Nest data(out, NFTA_EXPR_DATA);
  out.put_be64(NFTA_LIMIT_RATE, limit.rate);
  out.put_be64(NFTA_LIMIT_UNIT, limit.seconds);
  out.put_be32(NFTA_LIMIT_BURST, limit.burst);
  out.put_be32(NFTA_LIMIT_TYPE, NFT_LIMIT_PKTS);
  out.put_be32(NFTA_LIMIT_FLAGS, limit.over ? NFT_LIMIT_F_INV : 0);
}

class StatementWriter {
 public:
  explicit StatementWriter(MessageWriter& out) : out_(out) {}

  void operator()(const nft::Match& match) const {
    const bool header = layout(match.field).source == Source::network_header;
    assert(match.mask.empty() || match.mask.size() == match.value.size());
    put_load(out_, match.field, header ? match.value.size() : nft::width(match.field), NFT_REG_1);
    if (!match.mask.empty()) put_mask(out_, match.mask);
    put_compare(out_, match.negated ? NFT_CMP_NEQ : NFT_CMP_EQ, match.value);
  }

  void operator()(const nft::RangeMatch& match) const {
    const std::size_t width = nft::width(match.field);
    put_load(out_, match.field, width, NFT_REG_1);
    Bytes low = match.low;
    Bytes high = match.high;
    if (layout(match.field).host_order) {
      // The kernel compares bytes from the first on, so host order has to be turned.
      put_host_to_network(out_, width);
      turn(low);
      turn(high);
    }
    put_compare(out_, NFT_CMP_GTE, low);
    put_compare(out_, NFT_CMP_LTE, high);
  }

  void operator()(const nft::Before& before) const {
    const std::size_t width = nft::width(before.field);
    assert(layout(before.field).host_order);
    put_load(out_, before.field, width, NFT_REG_1);
    put_host_to_network(out_, width);
    Bytes value = before.value;
    turn(value);
    put_compare(out_, NFT_CMP_LT, value);
  }

  void operator()(const nft::SetLookup& lookup) const {
    assert(lookup.mask.empty() || lookup.key.size() == 1);
    put_key(out_, lookup.key);
    if (!lookup.mask.empty()) put_mask(out_, lookup.mask);
    const Expression expression(out_, "lookup");
    out_.put_text(NFTA_LOOKUP_SET, lookup.set);
    out_.put_be32(NFTA_LOOKUP_SREG, NFT_REG_1);
    if (lookup.negated) out_.put_be32(NFTA_LOOKUP_FLAGS, NFT_LOOKUP_F_INV);
  }

  void operator()(const nft::MapLookup& lookup) const {
    put_key(out_, lookup.key);
    const Expression expression(out_, "lookup");
    out_.put_text(NFTA_LOOKUP_SET, lookup.map);
    out_.put_be32(NFTA_LOOKUP_SREG, NFT_REG_1);
    out_.put_be32(NFTA_LOOKUP_DREG, NFT_REG_VERDICT);
  }

  void operator()(const nft::Counter& counter) const {
    const Nest element(out_, NFTA_LIST_ELEM);
    put_counter(out_, counter);
  }

  void operator()(const nft::Limit& limit) const {
    const Nest element(out_, NFTA_LIST_ELEM);
    put_limit(out_, limit);
  }

  void operator()(const nft::Meter& meter) const {
    put_load(out_, meter.field, nft::width(meter.field), NFT_REG_1);
    if (!meter.mask.empty()) put_mask(out_, meter.mask);
    const Expression expression(out_, "dynset");
    out_.put_text(NFTA_DYNSET_SET_NAME, meter.set);
    out_.put_be32(NFTA_DYNSET_OP, NFT_DYNSET_OP_UPDATE);
    out_.put_be32(NFTA_DYNSET_SREG_KEY, NFT_REG_1);
    const Nest limit(out_, NFTA_DYNSET_EXPR);
    put_limit(out_, meter.limit);
  }

  void operator()(const nft::Log& log) const {
    const Expression expression(out_, "log");
    if (!log.prefix.empty()) out_.put_text(NFTA_LOG_PREFIX, log.prefix);
    if (log.group)
      out_.put_be16(NFTA_LOG_GROUP, *log.group);
    else
      out_.put_be32(NFTA_LOG_LEVEL, LOG_INFO);
  }

  void operator()(const nft::Trace& /*none*/) const {
    put_constant(out_, NFT_REG_1, Bytes(1, '\1'));
    const Expression expression(out_, "meta");
    out_.put_be32(NFTA_META_KEY, NFT_META_NFTRACE);
    out_.put_be32(NFTA_META_SREG, NFT_REG_1);
  }

  void operator()(const nft::Reject& reject) const {
    const Expression expression(out_, "reject");
    const bool reset = reject.with == nft::RejectWith::tcp_reset;
    out_.put_be32(NFTA_REJECT_TYPE, reset ? NFT_REJECT_TCP_RST : NFT_REJECT_ICMPX_UNREACH);
    out_.put_u8(NFTA_REJECT_ICMP_CODE, reset ? 0 : NFT_REJECT_ICMPX_PORT_UNREACH);
  }

  void operator()(const nft::Verdict& verdict) const {
    const Expression expression(out_, "immediate");
    out_.put_be32(NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
    const Nest data(out_, NFTA_IMMEDIATE_DATA);
    put_verdict(out_, verdict);
  }

  void operator()(const nft::Dnat& dnat) const {
    assert(dnat.address.size() == (dnat.ipv6 ? 16 : 4));
    put_constant(out_, NFT_REG_1, dnat.address);
    if (dnat.port) put_constant(out_, NFT_REG_2, network_order(*dnat.port));
    const Expression expression(out_, "nat");
    out_.put_be32(NFTA_NAT_TYPE, NFT_NAT_DNAT);
    out_.put_be32(NFTA_NAT_FAMILY, dnat.ipv6 ? NFPROTO_IPV6 : NFPROTO_IPV4);
    out_.put_be32(NFTA_NAT_REG_ADDR_MIN, NFT_REG_1);
    if (!dnat.port) return;
    out_.put_be32(NFTA_NAT_REG_PROTO_MIN, NFT_REG_2);
    out_.put_be32(NFTA_NAT_FLAGS, NF_NAT_RANGE_PROTO_SPECIFIED);
  }

  void operator()(const nft::Redirect& redirect) const {
    put_constant(out_, NFT_REG_1, network_order(redirect.port));
    const Expression expression(out_, "redir");
    out_.put_be32(NFTA_REDIR_REG_PROTO_MIN, NFT_REG_1);
    out_.put_be32(NFTA_REDIR_FLAGS, NF_NAT_RANGE_PROTO_SPECIFIED);
  }

  void operator()(const nft::Masquerade& /*none*/) const { const Expression all(out_, "masq"); }

 private:
  MessageWriter& out_;
};

int verdict_code(nft::VerdictKind kind) {
  switch (kind) {
    case nft::VerdictKind::accept:
      return NF_ACCEPT;
    case nft::VerdictKind::drop:
      return NF_DROP;
    case nft::VerdictKind::jump:
      return NFT_JUMP;
    case nft::VerdictKind::go_to:
      return NFT_GOTO;
    case nft::VerdictKind::go_back:
      return NFT_RETURN;
  }
  return NF_DROP;
}

}  // namespace

void put_statement(MessageWriter& out, const nft::Statement& statement) {
  std::visit(StatementWriter(out), statement);
}

void put_counter(MessageWriter& out, const nft::Counter& counter) {
  out.put_text(NFTA_EXPR_NAME, "counter");
  const Nest data(out, NFTA_EXPR_DATA);
  out.put_be64(NFTA_COUNTER_BYTES, counter.bytes);
  out.put_be64(NFTA_COUNTER_PACKETS, counter.packets);
}

void put_verdict(MessageWriter& out, const nft::Verdict& verdict) {
  const Nest nest(out, NFTA_DATA_VERDICT);
  out.put_be32(NFTA_VERDICT_CODE, static_cast<std::uint32_t>(verdict_code(verdict.kind)));
  if (!verdict.chain.empty()) out.put_text(NFTA_VERDICT_CHAIN, verdict.chain);
}

}  // namespace fwctl::netlink
