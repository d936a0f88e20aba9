#include "daemon/netlink/decode_rule.h"

#include <netinet/in.h>  // before linux/netfilter.h

#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_tuple_common.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>
#include <syslog.h>

#include <algorithm>
#include <array>
#include <bit>
#include <utility>

#include "daemon/netlink/fields.h"

namespace fwctl::netlink {
namespace {

using nft::Bytes;
using nft::Field;

// A field in a register, and what was done to it there.
struct Load {
  Source source = Source::meta;
  std::uint32_t where = 0;
  std::size_t width = 0;   // of packet fields; others come whole
  std::uint32_t word = 0;  // the register, counted in words from the first
  Bytes mask;
  bool turned = false;  // host order made network order
};

// The opposite of the numbering in the kernel, where four words have a second name.
std::optional<std::uint32_t> word_of(std::optional<std::uint32_t> number) {
  if (!number) return std::nullopt;
  if (*number >= NFT_REG_1 && *number <= NFT_REG_4) return (*number - NFT_REG_1) * 4;
  if (*number >= NFT_REG32_00 && *number <= NFT_REG32_15) return *number - NFT_REG32_00;
  return std::nullopt;
}

bool is_zero(const Bytes& bytes) {
  return std::ranges::all_of(bytes, [](char byte) { return byte == '\0'; });
}

std::optional<Source> header_at(std::optional<std::uint32_t> base) {
  if (base == NFT_PAYLOAD_LL_HEADER) return Source::link_header;
  if (base == NFT_PAYLOAD_NETWORK_HEADER) return Source::network_header;
  if (base == NFT_PAYLOAD_TRANSPORT_HEADER) return Source::transport_header;
  return std::nullopt;
}

bool is_whole(const Load& loaded, Field field) {
  return loaded.width == 0 || loaded.width == nft::width(field);
}

std::optional<nft::Limit> decode_limit(const Expression& data) {
  const std::uint32_t flags = data.u32(NFTNL_EXPR_LIMIT_FLAGS).value_or(0);
  if (data.name() != "limit" || (flags & ~static_cast<std::uint32_t>(NFT_LIMIT_F_INV)) != 0 ||
      data.u32(NFTNL_EXPR_LIMIT_TYPE).value_or(NFT_LIMIT_PKTS) != NFT_LIMIT_PKTS)
    return std::nullopt;
  return nft::Limit{.rate = data.u64(NFTNL_EXPR_LIMIT_RATE).value_or(0),
                    .seconds = data.u64(NFTNL_EXPR_LIMIT_UNIT).value_or(0),
                    .burst = data.u32(NFTNL_EXPR_LIMIT_BURST).value_or(0),
                    .over = flags != 0};
}

class RuleReader {
 public:
  explicit RuleReader(std::vector<Expression> expressions) : expressions_(std::move(expressions)) {}

  // False: the expression at position() isn't ours.
  bool read_all() {
    while (position_ < expressions_.size())
      if (!read_one()) return false;
    return loads_.empty() && constants_.empty();
  }

  std::string offender() const {
    return std::string(position_ < expressions_.size() ? expressions_[position_].name()
                                                       : "load without use");
  }

  std::vector<nft::Statement> take() { return std::move(statements_); }

 private:
  bool read_one() {
    using Reader = bool (RuleReader::*)(const Expression&);
    struct Entry {
      std::string_view name;
      Reader read;
    };
    static constexpr std::array readers{Entry{"meta", &RuleReader::meta},
                                        Entry{"ct", &RuleReader::ct},
                                        Entry{"fib", &RuleReader::fib},
                                        Entry{"payload", &RuleReader::payload},
                                        Entry{"socket", &RuleReader::cgroup},
                                        Entry{"bitwise", &RuleReader::bitwise},
                                        Entry{"byteorder", &RuleReader::byteorder},
                                        Entry{"cmp", &RuleReader::compare},
                                        Entry{"lookup", &RuleReader::lookup},
                                        Entry{"counter", &RuleReader::counter},
                                        Entry{"limit", &RuleReader::limit},
                                        Entry{"dynset", &RuleReader::meter},
                                        Entry{"log", &RuleReader::log},
                                        Entry{"reject", &RuleReader::reject},
                                        Entry{"nat", &RuleReader::nat},
                                        Entry{"redir", &RuleReader::redirect},
                                        Entry{"masq", &RuleReader::masquerade},
                                        Entry{"immediate", &RuleReader::immediate}};
    const Expression& expression = expressions_[position_];
    const auto* const entry = std::ranges::find(readers, expression.name(), &Entry::name);
    if (entry == readers.end() || !(this->*entry->read)(expression)) return false;
    ++position_;
    return true;
  }

  bool load(Source source, std::optional<std::uint32_t> where, std::size_t width,
            std::optional<std::uint32_t> into) {
    const auto word = word_of(into);
    if (!where || !word) return false;
    loads_.push_back({source, *where, width, *word, {}, false});
    return true;
  }

  bool meta(const Expression& data) {
    if (data.has(NFTNL_EXPR_META_SREG)) return trace(data);
    return load(Source::meta, data.u32(NFTNL_EXPR_META_KEY), 0, data.u32(NFTNL_EXPR_META_DREG));
  }

  // The only one that is set rather than asked for.
  bool trace(const Expression& data) {
    const auto value = take_constant(data.u32(NFTNL_EXPR_META_SREG));
    if (data.u32(NFTNL_EXPR_META_KEY) != NFT_META_NFTRACE || value != Bytes(1, '\1')) return false;
    statements_.emplace_back(nft::Trace{});
    return true;
  }

  bool ct(const Expression& data) {
    const auto direction = data.u8(NFTNL_EXPR_CT_DIR);
    if (data.has(NFTNL_EXPR_CT_SREG) || (direction && direction != IP_CT_DIR_ORIGINAL))
      return false;
    return load(direction ? Source::ct_original : Source::ct, data.u32(NFTNL_EXPR_CT_KEY), 0,
                data.u32(NFTNL_EXPR_CT_DREG));
  }

  bool fib(const Expression& data) {
    if (data.u32(NFTNL_EXPR_FIB_FLAGS) != NFTA_FIB_F_DADDR) return false;
    return load(Source::fib, data.u32(NFTNL_EXPR_FIB_RESULT), 0, data.u32(NFTNL_EXPR_FIB_DREG));
  }

  bool cgroup(const Expression& data) {
    if (data.u32(NFTNL_EXPR_SOCKET_KEY) != NFT_SOCKET_CGROUPV2) return false;
    return load(Source::cgroup, data.u32(NFTNL_EXPR_SOCKET_LEVEL), 0,
                data.u32(NFTNL_EXPR_SOCKET_DREG));
  }

  bool payload(const Expression& data) {
    const auto source = header_at(data.u32(NFTNL_EXPR_PAYLOAD_BASE));
    const auto width = data.u32(NFTNL_EXPR_PAYLOAD_LEN);
    if (data.has(NFTNL_EXPR_PAYLOAD_SREG) || !width || !source) return false;
    return load(*source, data.u32(NFTNL_EXPR_PAYLOAD_OFFSET), *width,
                data.u32(NFTNL_EXPR_PAYLOAD_DREG));
  }

  bool bitwise(const Expression& data) {
    if (loads_.size() != 1 || !loads_.front().mask.empty() ||
        data.u32(NFTNL_EXPR_BITWISE_OP).value_or(NFT_BITWISE_BOOL) != NFT_BITWISE_BOOL ||
        !is_zero(data.bytes(NFTNL_EXPR_BITWISE_XOR)))
      return false;
    loads_.front().mask = data.bytes(NFTNL_EXPR_BITWISE_MASK);
    return !loads_.front().mask.empty();
  }

  bool byteorder(const Expression& data) {
    if (loads_.size() != 1 || data.u32(NFTNL_EXPR_BYTEORDER_OP) != NFT_BYTEORDER_HTON) return false;
    loads_.front().turned = true;
    return true;
  }

  bool compare(const Expression& data) {
    if (loads_.size() != 1) return false;
    const Load& loaded = loads_.front();
    const auto field = field_of(loaded);
    const auto operation = data.u32(NFTNL_EXPR_CMP_OP);
    Bytes value = data.bytes(NFTNL_EXPR_CMP_DATA);
    if (!field || value.empty()) return false;
    if (operation == NFT_CMP_GTE) return compare_range(*field, loaded, std::move(value));
    if (operation == NFT_CMP_LT) return compare_before(*field, loaded, std::move(value));
    if ((operation != NFT_CMP_EQ && operation != NFT_CMP_NEQ) || loaded.turned) return false;
    const bool negated = operation == NFT_CMP_NEQ;
    if (*field == Field::l4proto && !negated) l4proto_ = static_cast<std::uint8_t>(value.front());
    statements_.emplace_back(nft::Match{*field, negated, std::move(value), loaded.mask});
    loads_.clear();
    return true;
  }

  bool compare_before(Field field, const Load& loaded, Bytes value) {
    if (!loaded.mask.empty() || !loaded.turned || !layout(field).host_order) return false;
    turn(value);
    statements_.emplace_back(nft::Before{field, std::move(value)});
    loads_.clear();
    return true;
  }

  // The lower end; the upper one must be the next expression.
  bool compare_range(Field field, const Load& loaded, Bytes low) {
    if (position_ + 1 >= expressions_.size() || !loaded.mask.empty() ||
        loaded.turned != layout(field).host_order)
      return false;
    const Expression& next = expressions_[position_ + 1];
    if (next.name() != "cmp" || next.u32(NFTNL_EXPR_CMP_OP) != NFT_CMP_LTE) return false;
    Bytes high = next.bytes(NFTNL_EXPR_CMP_DATA);
    if (loaded.turned) {
      turn(low);
      turn(high);
    }
    statements_.emplace_back(nft::RangeMatch{field, std::move(low), std::move(high)});
    loads_.clear();
    ++position_;
    return true;
  }

  std::optional<Field> field_of(const Load& loaded) const {
    return field_at(loaded.source, loaded.where, loaded.width, l4proto_);
  }

  bool lookup(const Expression& data) {
    std::vector<Field> key;
    std::size_t word = 0;
    for (const Load& loaded : loads_) {
      const auto field = field_of(loaded);
      if (!field || loaded.turned || loaded.word != word) return false;
      if (!is_whole(loaded, *field)) return false;
      word += padded(nft::width(*field)) / 4;
      key.push_back(*field);
    }
    if (key.empty() || word_of(data.u32(NFTNL_EXPR_LOOKUP_SREG)) != 0U) return false;
    const bool negated = (data.u32(NFTNL_EXPR_LOOKUP_FLAGS).value_or(0) & NFT_LOOKUP_F_INV) != 0;
    std::string set = data.text(NFTNL_EXPR_LOOKUP_SET);
    const Bytes mask = loads_.front().mask;
    if (!mask.empty() && key.size() > 1) return false;
    if (!data.has(NFTNL_EXPR_LOOKUP_DREG)) {
      statements_.emplace_back(nft::SetLookup{std::move(key), std::move(set), negated, mask});
    } else if (data.u32(NFTNL_EXPR_LOOKUP_DREG) == NFT_REG_VERDICT && !negated && mask.empty()) {
      statements_.emplace_back(nft::MapLookup{std::move(key), std::move(set)});
    } else {
      return false;
    }
    loads_.clear();
    return true;
  }

  bool counter(const Expression& data) {
    statements_.emplace_back(decode_counter(data).value_or(nft::Counter{}));
    return true;
  }

  bool limit(const Expression& data) {
    const auto limit = decode_limit(data);
    if (limit) statements_.emplace_back(*limit);
    return limit.has_value();
  }

  bool meter(const Expression& data) {
    if (loads_.size() != 1) return false;
    const Load& loaded = loads_.front();
    const auto field = field_of(loaded);
    if (!field || loaded.turned || !is_whole(loaded, *field) ||
        word_of(data.u32(NFTNL_EXPR_DYNSET_SREG_KEY)) != 0U ||
        data.u32(NFTNL_EXPR_DYNSET_OP) != NFT_DYNSET_OP_UPDATE ||
        data.has(NFTNL_EXPR_DYNSET_SREG_DATA) ||
        data.u64(NFTNL_EXPR_DYNSET_TIMEOUT).value_or(0) != 0)
      return false;
    const auto kept = data.expression(NFTNL_EXPR_DYNSET_EXPR);
    const auto limit = kept ? decode_limit(*kept) : std::nullopt;
    if (!limit) return false;
    statements_.emplace_back(
        nft::Meter{*field, loaded.mask, data.text(NFTNL_EXPR_DYNSET_SET_NAME), *limit});
    loads_.clear();
    return true;
  }

  bool log(const Expression& data) {
    const auto group = data.u16(NFTNL_EXPR_LOG_GROUP);
    const bool ours = group ? data.u32(NFTNL_EXPR_LOG_SNAPLEN).value_or(0) == 0 &&
                                  data.u16(NFTNL_EXPR_LOG_QTHRESHOLD).value_or(0) == 0
                            : data.u32(NFTNL_EXPR_LOG_LEVEL).value_or(LOG_WARNING) == LOG_INFO;
    if (!ours || data.u32(NFTNL_EXPR_LOG_FLAGS).value_or(0) != 0) return false;
    statements_.emplace_back(nft::Log{data.text(NFTNL_EXPR_LOG_PREFIX), group});
    return true;
  }

  bool reject(const Expression& data) {
    const auto type = data.u32(NFTNL_EXPR_REJECT_TYPE);
    if (type == NFT_REJECT_TCP_RST) {
      statements_.emplace_back(nft::Reject{nft::RejectWith::tcp_reset});
    } else if (type == NFT_REJECT_ICMPX_UNREACH &&
               data.u8(NFTNL_EXPR_REJECT_CODE) == NFT_REJECT_ICMPX_PORT_UNREACH) {
      statements_.emplace_back(nft::Reject{nft::RejectWith::port_unreachable});
    } else {
      return false;
    }
    return true;
  }

  bool immediate(const Expression& data) {
    const auto code = data.u32(NFTNL_EXPR_IMM_VERDICT);
    if (!code) return constant(data);
    if (data.u32(NFTNL_EXPR_IMM_DREG) != NFT_REG_VERDICT) return false;
    auto verdict = decode_verdict(*code, data.text(NFTNL_EXPR_IMM_CHAIN));
    if (!verdict) return false;
    statements_.emplace_back(std::move(*verdict));
    return true;
  }

  bool constant(const Expression& data) {
    const auto word = word_of(data.u32(NFTNL_EXPR_IMM_DREG));
    if (!word) return false;
    constants_.push_back({*word, data.bytes(NFTNL_EXPR_IMM_DATA)});
    return true;
  }

  // What an earlier expression put into that register; nullopt for one that was not used for this.
  std::optional<Bytes> take_constant(std::optional<std::uint32_t> number) {
    const auto word = word_of(number);
    const auto found = std::ranges::find(constants_, word, &Constant::word);
    if (!word || found == constants_.end()) return std::nullopt;
    Bytes value = std::move(found->value);
    constants_.erase(found);
    return value;
  }

  std::optional<std::uint16_t> take_port(std::optional<std::uint32_t> number) {
    const auto value = take_constant(number);
    if (!value || value->size() != 2) return std::nullopt;
    return static_cast<std::uint16_t>(static_cast<std::uint8_t>(value->at(0)) << 8 |
                                      static_cast<std::uint8_t>(value->at(1)));
  }

  // The kernel says both ends of a range, also where they are one.
  static bool is_range(const Expression& data, std::uint16_t low, std::uint16_t high) {
    return data.has(high) && data.u32(low) != data.u32(high);
  }

  bool nat(const Expression& data) {
    const auto family = data.u32(NFTNL_EXPR_NAT_FAMILY);
    const bool to_port = data.has(NFTNL_EXPR_NAT_REG_PROTO_MIN);
    const std::uint32_t flags =
        NF_NAT_RANGE_MAP_IPS | (to_port ? NF_NAT_RANGE_PROTO_SPECIFIED : 0U);
    if (data.u32(NFTNL_EXPR_NAT_TYPE) != NFT_NAT_DNAT ||
        (data.u32(NFTNL_EXPR_NAT_FLAGS).value_or(0) | NF_NAT_RANGE_MAP_IPS) != flags ||
        is_range(data, NFTNL_EXPR_NAT_REG_ADDR_MIN, NFTNL_EXPR_NAT_REG_ADDR_MAX) ||
        is_range(data, NFTNL_EXPR_NAT_REG_PROTO_MIN, NFTNL_EXPR_NAT_REG_PROTO_MAX))
      return false;
    nft::Dnat dnat{.ipv6 = family == NFPROTO_IPV6, .address = {}, .port = {}};
    auto address = take_constant(data.u32(NFTNL_EXPR_NAT_REG_ADDR_MIN));
    if (to_port) dnat.port = take_port(data.u32(NFTNL_EXPR_NAT_REG_PROTO_MIN));
    if (!address || address->size() != (dnat.ipv6 ? 16 : 4) || to_port != dnat.port.has_value() ||
        (!dnat.ipv6 && family != NFPROTO_IPV4))
      return false;
    dnat.address = std::move(*address);
    statements_.emplace_back(std::move(dnat));
    return true;
  }

  bool redirect(const Expression& data) {
    if (data.u32(NFTNL_EXPR_REDIR_FLAGS) != NF_NAT_RANGE_PROTO_SPECIFIED ||
        is_range(data, NFTNL_EXPR_REDIR_REG_PROTO_MIN, NFTNL_EXPR_REDIR_REG_PROTO_MAX))
      return false;
    const auto port = take_port(data.u32(NFTNL_EXPR_REDIR_REG_PROTO_MIN));
    if (port) statements_.emplace_back(nft::Redirect{*port});
    return port.has_value();
  }

  bool masquerade(const Expression& data) {
    if (data.u32(NFTNL_EXPR_MASQ_FLAGS).value_or(0) != 0 || data.has(NFTNL_EXPR_MASQ_REG_PROTO_MIN))
      return false;
    statements_.emplace_back(nft::Masquerade{});
    return true;
  }

  struct Constant {
    std::uint32_t word;  // the register, as in Load
    Bytes value;
  };

  std::vector<Expression> expressions_;
  std::size_t position_ = 0;
  std::vector<Load> loads_;
  std::vector<Constant> constants_;
  std::uint8_t l4proto_ = 0;
  std::vector<nft::Statement> statements_;
};

}  // namespace

tl::expected<std::vector<nft::Statement>, std::string> decode_expressions(nftnl_rule& rule) {
  std::vector<Expression> expressions;
  const auto keep = [](nftnl_expr* expression, void* into) {
    static_cast<std::vector<Expression>*>(into)->emplace_back(*expression);
    return 0;
  };
  nftnl_expr_foreach(&rule, keep, &expressions);
  RuleReader reader(std::move(expressions));
  if (!reader.read_all()) return tl::unexpected(reader.offender());
  return reader.take();
}

std::optional<nft::Verdict> decode_verdict(std::uint32_t code, std::string chain) {
  using nft::VerdictKind;
  switch (static_cast<int>(code)) {
    case NF_ACCEPT:
      return nft::Verdict{VerdictKind::accept, {}};
    case NF_DROP:
      return nft::Verdict{VerdictKind::drop, {}};
    case NFT_JUMP:
      return nft::Verdict{VerdictKind::jump, std::move(chain)};
    case NFT_GOTO:
      return nft::Verdict{VerdictKind::go_to, std::move(chain)};
    case NFT_RETURN:
      return nft::Verdict{VerdictKind::go_back, {}};
    default:
      return std::nullopt;
  }
}

std::optional<nft::Counter> decode_counter(const Expression& expression) {
  if (expression.name() != "counter") return std::nullopt;
  return nft::Counter{expression.u64(NFTNL_EXPR_CTR_PACKETS).value_or(0),
                      expression.u64(NFTNL_EXPR_CTR_BYTES).value_or(0)};
}

}  // namespace fwctl::netlink
