// What the kernel says about our table, as values again. Whatever the encoder does not emit is not
// ours: an error with code EBADMSG whose detail names it.
#pragma once

#include <linux/netlink.h>

#include <optional>
#include <string>
#include <vector>

#include "daemon/result.h"
#include "rules/nft/ruleset.h"

struct nftnl_set_elem;

namespace fwctl::netlink {

tl::unexpected<Error> not_ours(std::string what);

// The table a message about a chain, rule, set or its elements belongs to.
std::string table_of(const nlmsghdr& message);

Result<nft::Chain> decode_chain(const nlmsghdr& message);

struct RuleInChain {
  std::string chain;
  nft::Rule rule;
};
Result<RuleInChain> decode_rule(const nlmsghdr& message);

// The definition, without elements.
Result<nft::Set> decode_set(const nlmsghdr& message);

// Collects the elements of one set, which come in several messages and in any order.
class ElementReader {
 public:
  explicit ElementReader(const nft::Set& set) : set_(set) {}

  Result<void> add(const nlmsghdr& message);
  // How many so far; an interval may be two.
  std::size_t size() const { return boundaries_.size(); }

  // Sorted by key, starts and ends of intervals joined. Nullopt when one came twice: a hash table
  // that grows while it is dumped repeats some and leaves others out.
  std::optional<std::vector<nft::Element>> finish();

 private:
  struct Boundary {
    nft::Element element;
    bool end = false;  // what comes after an interval, not an element of its own
  };

  bool add_one(nftnl_set_elem& element);
  std::vector<nft::Element> join_intervals();

  const nft::Set& set_;
  std::vector<Boundary> boundaries_;
};

}  // namespace fwctl::netlink
