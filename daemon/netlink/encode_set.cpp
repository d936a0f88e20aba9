#include "daemon/netlink/encode_set.h"

#include <linux/netfilter/nf_tables.h>
#include <linux/netlink.h>

#include <algorithm>
#include <cassert>
#include <chrono>
#include <cstring>
#include <string_view>

#include "daemon/netlink/encode_rule.h"
#include "daemon/netlink/fields.h"
#include "daemon/netlink/userdata.h"

namespace fwctl::netlink {
namespace {

using nft::Bytes;
using nft::Element;

// A nested attribute holds 65535 bytes; no element is longer than the difference.
constexpr std::size_t elements_limit = 60000;

// nft's numbers for the order of the bytes in a key, by which it prints.
constexpr std::uint32_t byteorder_mixed = 0;
constexpr std::uint32_t byteorder_host = 1;
constexpr std::uint32_t byteorder_network = 2;

std::uint32_t byteorder(const std::vector<nft::Field>& key) {
  if (key.size() > 1) return byteorder_mixed;
  const nft::Field field = key.front();
  const bool name = field == nft::Field::iifname || field == nft::Field::oifname;
  return name || layout(field).host_order ? byteorder_host : byteorder_network;
}

void put_key_lengths(MessageWriter& out, const std::vector<nft::Field>& key) {
  const Nest description(out, NFTA_SET_DESC);
  const Nest concatenation(out, NFTA_SET_DESC_CONCAT);
  for (const nft::Field field : key) {
    const Nest element(out, NFTA_LIST_ELEM);
    out.put_be32(NFTA_SET_FIELD_LEN, static_cast<std::uint32_t>(nft::width(field)));
  }
}

void put_size(MessageWriter& out, const nft::Set& set) {
  assert(!set.interval);
  const Nest description(out, NFTA_SET_DESC);
  out.put_be32(NFTA_SET_DESC_SIZE, set.size);
}

void put_dynamics(MessageWriter& out, const nft::Set& set) {
  assert(!set.map && !set.counters && set.empty() && set.size > 0);
  out.put_be64(NFTA_SET_TIMEOUT, std::uint64_t{set.timeout_seconds} * milliseconds_per_second);
}

// The fields of `key` at the places the kernel wants them.
void pad(const std::vector<nft::Field>& fields, const Bytes& key, Bytes& result) {
  result.clear();
  if (fields.size() == 1) {
    result = key;
    return;
  }
  std::size_t from = 0;
  for (const nft::Field field : fields) {
    const std::size_t width = nft::width(field);
    result.append(key, from, width);
    result.append(padded(width) - width, '\0');
    from += width;
  }
}

// The number after `key`, read as one in network order; false when there is none.
bool increment(Bytes& key) {
  for (std::size_t i = key.size(); i-- > 0;) {
    key[i] = static_cast<char>(static_cast<unsigned char>(key[i]) + 1);
    if (key[i] != '\0') return true;
  }
  return false;
}

// In milliseconds, from now on. What has ended meanwhile has a last one: none would mean no end.
std::uint64_t time_left(Time until) {
  using std::chrono::milliseconds;
  const auto now = std::chrono::floor<milliseconds>(std::chrono::system_clock::now());
  return static_cast<std::uint64_t>(std::max<milliseconds>(until - now, milliseconds(1)).count());
}

// Of keys and nothing else there may be a million: all but the key is the same in each.
class KeyWriter {
 public:
  KeyWriter(MessageWriter& out, const std::vector<nft::Field>& key) : out_(out) {
    const auto put_head = [this](std::size_t length, int type) {
      const nlattr head{.nla_len = static_cast<std::uint16_t>(sizeof(nlattr) + length),
                        .nla_type = static_cast<std::uint16_t>(type)};
      element_.append(reinterpret_cast<const char*>(&head), sizeof head);
    };
    const std::size_t length = key_length(key);
    put_head(2 * sizeof(nlattr) + padded(length), NFTA_LIST_ELEM | NLA_F_NESTED);
    put_head(sizeof(nlattr) + padded(length), NFTA_SET_ELEM_KEY | NLA_F_NESTED);
    put_head(length, NFTA_DATA_VALUE);
    std::size_t at = element_.size();
    for (const nft::Field field : key) {
      places_.push_back({.at = at, .width = nft::width(field)});
      at += padded(nft::width(field));
    }
    element_.resize(element_.size() + padded(length));
  }

  void put(std::string_view key) {
    for (const auto& [at, width] : places_) {
      std::memcpy(&element_[at], key.data(), width);
      key.remove_prefix(width);
    }
    out_.put_whole(element_);
  }

 private:
  struct Place {
    std::size_t at;
    std::size_t width;
  };

  MessageWriter& out_;
  std::string element_;
  std::vector<Place> places_;  // of the fields in it
};

class ElementWriter {
 public:
  ElementWriter(MessageWriter& out, const nft::Set& set, Purpose purpose)
      : out_(out), set_(set), purpose_(purpose) {}

  void put(const Element& element) {
    pad(set_.key, element.key, key_);
    if (!set_.interval || set_.key.size() > 1) {
      if (!element.key_end.empty()) pad(set_.key, element.key_end, key_end_);
      put_one(element, element.key_end.empty() ? nullptr : &key_end_, false);
      return;
    }
    // One dimension: the start, then what comes after the end.
    key_end_ = element.key_end.empty() ? element.key : element.key_end;
    const bool ends = increment(key_end_);
    put_one(element, nullptr, !ends);
    if (ends) put_end();
  }

 private:
  void put_value(std::uint16_t attribute, const Bytes& value) {
    const Nest nest(out_, attribute);
    out_.put(NFTA_DATA_VALUE, value);
  }

  void put_one(const Element& element, const Bytes* key_end, bool open) {
    const Nest nest(out_, NFTA_LIST_ELEM);
    put_value(NFTA_SET_ELEM_KEY, key_);
    if (key_end != nullptr) put_value(NFTA_SET_ELEM_KEY_END, *key_end);
    if (purpose_ == Purpose::remove) return;
    if (element.until != nft::no_end)
      out_.put_be64(NFTA_SET_ELEM_TIMEOUT, time_left(element.until));
    if (element.verdict) {
      const Nest data(out_, NFTA_SET_ELEM_DATA);
      put_verdict(out_, *element.verdict);
    }
    user_data_.clear();
    if (!element.comment.empty())
      userdata::append_text(user_data_, userdata::comment, element.comment);
    if (element.until != nft::no_end)
      userdata::append_text(user_data_, userdata::comment, nft::end_comment(element.until));
    if (open) userdata::append_number(user_data_, userdata::element_flags, userdata::open_interval);
    if (!user_data_.empty()) out_.put(NFTA_SET_ELEM_USERDATA, user_data_);
    // A counter that starts at nothing comes from the set's definition.
    if (set_.counters && (element.counter.packets != 0 || element.counter.bytes != 0)) {
      const Nest counter(out_, NFTA_SET_ELEM_EXPR);
      put_counter(out_, element.counter);
    }
  }

  void put_end() {
    const Nest nest(out_, NFTA_LIST_ELEM);
    out_.put_be32(NFTA_SET_ELEM_FLAGS, NFT_SET_ELEM_INTERVAL_END);
    put_value(NFTA_SET_ELEM_KEY, key_end_);
  }

  MessageWriter& out_;
  const nft::Set& set_;
  Purpose purpose_;
  Bytes key_;
  Bytes key_end_;
  std::string user_data_;
};

}  // namespace

void put_set_definition(MessageWriter& out, const nft::Set& set, std::uint32_t id) {
  assert(!set.key.empty());
  std::uint32_t flags = 0;
  if (set.map) flags |= NFT_SET_MAP;
  if (set.interval) flags |= NFT_SET_INTERVAL;
  if (set.interval && set.key.size() > 1) flags |= NFT_SET_CONCAT;
  if (set.dynamic()) flags |= NFT_SET_EVAL | NFT_SET_TIMEOUT;
  if (set.ends) flags |= NFT_SET_TIMEOUT;
  out.put_text(NFTA_SET_NAME, set.name);
  out.put_be32(NFTA_SET_FLAGS, flags);
  out.put_be32(NFTA_SET_KEY_TYPE, data_type(set.key));
  out.put_be32(NFTA_SET_KEY_LEN, static_cast<std::uint32_t>(key_length(set.key)));
  if (set.map) out.put_be32(NFTA_SET_DATA_TYPE, NFT_DATA_VERDICT);
  out.put_be32(NFTA_SET_ID, id);
  if (set.dynamic()) put_dynamics(out, set);
  if (set.size > 0) put_size(out, set);
  if ((flags & NFT_SET_CONCAT) != 0) put_key_lengths(out, set.key);
  std::string data;
  userdata::append_number(data, userdata::key_byteorder, byteorder(set.key));
  userdata::append_text(data, userdata::key_fields, key_name(set.key));
  out.put(NFTA_SET_USERDATA, data);
  if (set.counters) {
    const Nest counter(out, NFTA_SET_EXPR);
    put_counter(out, {});
  }
}

std::size_t size_of_elements(const nft::Set& set) {
  // Three attributes around a key. Of an interval its first key and, with a flag, the one behind
  // its last.
  const std::size_t key = 3 * sizeof(nlattr) + padded(key_length(set.key));
  const std::size_t flag = sizeof(nlattr) + sizeof(std::uint32_t);
  // Of an element of a map, a verdict and an id of eight digits.
  const std::size_t verdict = 4 * sizeof(nlattr);
  const std::size_t comment = sizeof(nlattr) + padded(2 + sizeof("r12345678"));
  const std::size_t all =
      set.intervals.size() * (set.interval ? 2 * key + flag : key) +
      set.elements.size() * ((set.interval ? 2 * key : key) + verdict + comment);
  return all + all / elements_limit * 64;  // the heads of their messages
}

void put_elements(MessageWriter& out, const nft::Set& set, Purpose purpose,
                  const std::function<void()>& begin) {
  ElementWriter writer(out, set, purpose);
  const auto put_all = [&](std::size_t count, const auto& put) {
    std::size_t next = 0;
    while (next != count) {
      begin();
      out.put_text(NFTA_SET_ELEM_LIST_SET, set.name);
      const Nest elements(out, NFTA_SET_ELEM_LIST_ELEMENTS);
      for (; next != count && elements.size() < elements_limit; ++next) put(next);
    }
  };
  put_all(set.elements.size(), [&](std::size_t index) { writer.put(set.elements[index]); });
  if (!set.interval) {
    KeyWriter keys(out, set.key);
    return put_all(set.intervals.size(),
                   [&](std::size_t index) { keys.put(set.intervals.first(index)); });
  }
  Element one;
  put_all(set.intervals.size(), [&](std::size_t index) {
    one.key = set.intervals.first(index);
    one.key_end = set.intervals.last(index);
    if (one.key_end == one.key) one.key_end.clear();
    writer.put(one);
  });
}

}  // namespace fwctl::netlink
