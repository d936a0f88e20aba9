#include "daemon/netlink/table_reader.h"

#include <netinet/in.h>  // before linux/netfilter.h

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include <algorithm>
#include <utility>

#include "daemon/netlink/attributes.h"
#include "daemon/netlink/decode.h"
#include "daemon/netlink/message.h"
#include "daemon/netlink/object.h"

namespace fwctl::netlink {
namespace {

// Of a set, the kernel goes through all elements before for every some hundred that it tells: a
// million take a minute, which to load are seconds. Up to these, it is a tenth of a second.
constexpr std::size_t most_elements = 65'536;
// Someone who commits without a pause can interrupt every reading; this many tries are seconds.
constexpr int tries = 200;

constexpr std::uint16_t nftables(int message) {
  return static_cast<std::uint16_t>(NFNL_SUBSYS_NFTABLES << 8 | message);
}

tl::unexpected<Error> unreadable() {
  return failed("read", "table inet fwctl", EBADMSG);
}

class TableReader {
 public:
  TableReader(Socket& socket, std::uint32_t& sequence, Elements elements = Elements::all)
      : socket_(socket), sequence_(sequence), elements_(elements) {}

  // Error EINTR: somebody committed meanwhile.
  Result<std::optional<nft::Ruleset>> read_once() {
    ruleset_ = {};
    const auto before = generation();
    if (!before) return tl::unexpected(before.error());
    const auto asked = table();
    if (!asked) return tl::unexpected(asked.error());
    const auto& there = *asked;
    if (!there) return std::nullopt;
    auto contents = read_contents(*there);
    const auto after = generation();
    if (!after) return tl::unexpected(after.error());
    if (*before != *after) return failed("read", "table inet fwctl", EINTR);
    if (!contents) return tl::unexpected(contents.error());
    return std::move(ruleset_);
  }

  Result<std::uint32_t> generation() {
    std::uint32_t id = 0;
    auto asked = ask(NFT_MSG_GETGEN, 0, false, [&](const nlmsghdr& message) -> Result<void> {
      const auto read = new_generation();
      if (nftnl_gen_nlmsg_parse(&message, read.get()) < 0) return unreadable();
      id = nftnl_gen_get_u32(read.get(), NFTNL_GEN_ID);
      return {};
    });
    if (!asked) return tl::unexpected(asked.error());
    return id;
  }

  Result<std::optional<std::uint32_t>> owner() {
    std::optional<std::uint32_t> port;
    auto asked = ask(NFT_MSG_GETTABLE, 0, true, [&](const nlmsghdr& message) -> Result<void> {
      port = Attributes(message, sizeof(nfgenmsg)).be32(NFTA_TABLE_OWNER);
      return {};
    });
    if (!asked && asked.error().code != ENOENT) return tl::unexpected(asked.error());
    return port;
  }

 private:
  Result<void> ask(int type, int flags, bool in_table, const Socket::Visit& visit) {
    const std::uint32_t number = sequence_++;
    MessageWriter request;
    request.begin(nftables(type), static_cast<std::uint16_t>(flags), number, NFPROTO_INET);
    if (in_table) request.put_text(NFTA_TABLE_NAME, nft::table_name);
    return socket_.dump(request.finish(), number, visit);
  }

  // On a socket of its own, which it may leave in the middle.
  Result<void> ask_for_elements(const std::string& set, const Socket::Visit& visit) {
    if (!for_elements_) {
      auto opened = Socket::open(NETLINK_NETFILTER);
      if (!opened) return tl::unexpected(opened.error());
      for_elements_.emplace(std::move(*opened));
    }
    const std::uint32_t number = sequence_++;
    MessageWriter request;
    request.begin(nftables(NFT_MSG_GETSETELEM), NLM_F_DUMP, number, NFPROTO_INET);
    request.put_text(NFTA_SET_ELEM_LIST_TABLE, nft::table_name);
    request.put_text(NFTA_SET_ELEM_LIST_SET, set);
    auto asked = for_elements_->dump_until_error(request.finish(), number, visit);
    if (!asked) for_elements_.reset();
    return asked;
  }

  // Every object of our table. Older kernels ignore the table's name in a request.
  Result<void> dump(int type, const Socket::Visit& visit) {
    return ask(type, NLM_F_DUMP, true, [&](const nlmsghdr& message) -> Result<void> {
      return table_of(message) == nft::table_name ? visit(message) : Result<void>();
    });
  }

  struct TableState {
    std::uint32_t users = 0;  // how many chains, sets and other objects are in it
    std::uint32_t flags = 0;
  };

  // nullopt when there is none.
  Result<std::optional<TableState>> table() {
    std::optional<TableState> out;
    auto asked = ask(NFT_MSG_GETTABLE, 0, true, [&](const nlmsghdr& message) -> Result<void> {
      const auto table = new_table();
      if (nftnl_table_nlmsg_parse(&message, table.get()) < 0) return unreadable();
      out = {.users = nftnl_table_get_u32(table.get(), NFTNL_TABLE_USE),
             .flags = nftnl_table_get_u32(table.get(), NFTNL_TABLE_FLAGS)};
      return {};
    });
    if (!asked && asked.error().code != ENOENT) return tl::unexpected(asked.error());
    return out;
  }

  Result<void> read_contents(const TableState& table) {
    // All that is in it is as it was, and does nothing.
    if ((table.flags & NFT_TABLE_F_DORMANT) != 0) return not_ours("the table's flag 'dormant'");
    if (auto read = read_sets(); !read) return read;
    if (auto read = read_chains(); !read) return read;
    if (auto read = read_rules(); !read) return read;
    if (table.users != ruleset_.sets.size() + ruleset_.chains.size())
      return not_ours("a stateful object or a flowtable");
    return {};
  }

  Result<void> read_sets() {
    auto dumped = dump(NFT_MSG_GETSET, [&](const nlmsghdr& message) -> Result<void> {
      auto set = decode_set(message);
      if (!set) return tl::unexpected(set.error());
      ruleset_.sets.push_back(std::move(*set));
      return {};
    });
    if (!dumped) return dumped;
    std::ranges::sort(ruleset_.sets, {}, &nft::Set::name);
    for (nft::Set& set : ruleset_.sets) {
      if (set.dynamic() || nft::holds_bans(set.name) ||
          (elements_ == Elements::counting && !set.counters))
        continue;
      if (auto read = read_elements(set); !read) return read;
    }
    return {};
  }

  Result<void> read_elements(nft::Set& set) {
    ElementReader reader(set);
    const bool plain = !set.map && !set.counters && !set.ends;
    auto dumped = ask_for_elements(set.name, [&](const nlmsghdr& message) -> Result<void> {
      set.unread = plain && reader.size() > most_elements;
      return set.unread ? failed("read", "set " + set.name, EFBIG) : reader.add(message);
    });
    if (set.unread) return {};
    if (!dumped) return dumped;
    auto elements = reader.finish();
    if (!elements) return failed("read", "set " + set.name, EINTR);
    set.elements = std::move(*elements);
    nft::pack(set);
    return {};
  }

  Result<void> read_chains() {
    auto dumped = dump(NFT_MSG_GETCHAIN, [&](const nlmsghdr& message) -> Result<void> {
      auto chain = decode_chain(message);
      if (!chain) return tl::unexpected(chain.error());
      ruleset_.chains.push_back(std::move(*chain));
      return {};
    });
    std::ranges::sort(ruleset_.chains, {}, &nft::Chain::name);
    return dumped;
  }

  // They come in the order of their chains, and in their own order in each.
  Result<void> read_rules() {
    return dump(NFT_MSG_GETRULE, [&](const nlmsghdr& message) -> Result<void> {
      auto rule = decode_rule(message);
      if (!rule) return tl::unexpected(rule.error());
      const auto chain =
          std::ranges::lower_bound(ruleset_.chains, rule->chain, {}, &nft::Chain::name);
      if (chain == ruleset_.chains.end() || chain->name != rule->chain)
        return failed("read", "table inet fwctl", EINTR);  // the chain came into being meanwhile
      chain->rules.push_back(std::move(rule->rule));
      return {};
    });
  }

  Socket& socket_;
  std::uint32_t& sequence_;
  Elements elements_;
  std::optional<Socket> for_elements_;
  nft::Ruleset ruleset_;
};

}  // namespace

Result<std::optional<nft::Ruleset>> read_table(Socket& socket, std::uint32_t& sequence,
                                               Elements elements) {
  TableReader reader(socket, sequence, elements);
  for (int left = tries;; --left) {
    auto read = reader.read_once();
    if (read || read.error().code != EINTR || left == 0) return read;
  }
}

Result<std::optional<std::uint32_t>> read_owner(Socket& socket, std::uint32_t& sequence) {
  return TableReader(socket, sequence).owner();
}

Result<std::uint32_t> read_generation(Socket& socket, std::uint32_t& sequence) {
  return TableReader(socket, sequence).generation();
}

}  // namespace fwctl::netlink
