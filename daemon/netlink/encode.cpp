#include "daemon/netlink/encode.h"

#include <netinet/in.h>  // before linux/netfilter.h

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

#include <cassert>

#include "daemon/netlink/encode_rule.h"
#include "daemon/netlink/encode_set.h"
#include "daemon/netlink/userdata.h"

namespace fwctl::netlink {
namespace {

std::uint32_t hook_number(nft::HookPoint point) {
  switch (point) {
    case nft::HookPoint::prerouting:
      return NF_INET_PRE_ROUTING;
    case nft::HookPoint::input:
      return NF_INET_LOCAL_IN;
    case nft::HookPoint::forward:
      return NF_INET_FORWARD;
    case nft::HookPoint::output:
      return NF_INET_LOCAL_OUT;
    case nft::HookPoint::postrouting:
      return NF_INET_POST_ROUTING;
  }
  return NF_INET_NUMHOOKS;
}

void put_hook(MessageWriter& out, const nft::Hook& hook) {
  const bool nat = hook.type == nft::ChainType::nat;
  assert(!nat || !hook.policy_drop);
  {
    const Nest nest(out, NFTA_CHAIN_HOOK);
    out.put_be32(NFTA_HOOK_HOOKNUM, hook_number(hook.point));
    out.put_be32(NFTA_HOOK_PRIORITY, static_cast<std::uint32_t>(hook.priority));
  }
  out.put_be32(NFTA_CHAIN_POLICY, hook.policy_drop ? NF_DROP : NF_ACCEPT);
  out.put_text(NFTA_CHAIN_TYPE, nat ? "nat" : "filter");
}

void put_comment(MessageWriter& out, std::uint16_t attribute, std::string_view comment) {
  if (comment.empty()) return;
  std::string data;
  userdata::append_text(data, userdata::comment, comment);
  out.put(attribute, data);
}

// Never the one without the other: a table that is owned and does not persist goes with its owner,
// and all its rules with it. Older headers do not have the second (Linux 6.9).
constexpr std::uint32_t table_persists = 4;
constexpr std::uint32_t owned_table = NFT_TABLE_F_OWNER | table_persists;

// So that one line can put the table's name into any message.
constexpr bool same_number(int a, int b) {
  return a == b;
}
static_assert(same_number(NFTA_TABLE_NAME, NFTA_CHAIN_TABLE) &&
              same_number(NFTA_TABLE_NAME, NFTA_RULE_TABLE) &&
              same_number(NFTA_TABLE_NAME, NFTA_SET_TABLE) &&
              same_number(NFTA_TABLE_NAME, NFTA_SET_ELEM_LIST_TABLE));

}  // namespace

struct ChangeWriter {
  Batch& batch;
  MessageWriter& out;

  void begin(std::uint16_t type, int flags) const {
    batch.begin(type, static_cast<std::uint16_t>(flags));
    out.put_text(NFTA_TABLE_NAME, nft::table_name);
  }

  void operator()(const nft::AddTable& change) const {
    begin(NFT_MSG_NEWTABLE, NLM_F_CREATE);
    if (change.owned) out.put_be32(NFTA_TABLE_FLAGS, owned_table);
  }

  void operator()(const nft::DeleteTable& /*change*/) const { begin(NFT_MSG_DELTABLE, 0); }

  void operator()(const nft::AddChain& change) const {
    const nft::Chain& chain = change.chain;
    // Without NLM_F_EXCL a base chain that is there takes the policy.
    begin(NFT_MSG_NEWCHAIN, chain.hook ? NLM_F_CREATE : NLM_F_CREATE | NLM_F_EXCL);
    out.put_text(NFTA_CHAIN_NAME, chain.name);
    if (chain.hook) put_hook(out, *chain.hook);
    put_comment(out, NFTA_CHAIN_USERDATA, chain.comment);
  }

  void operator()(const nft::FlushChain& change) const {
    begin(NFT_MSG_DELRULE, 0);
    out.put_text(NFTA_RULE_CHAIN, change.chain);
  }

  void operator()(const nft::DeleteChain& change) const {
    begin(NFT_MSG_DELCHAIN, NLM_F_NONREC);
    out.put_text(NFTA_CHAIN_NAME, change.chain);
  }

  void operator()(const nft::AddRule& change) const {
    begin(NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND);
    out.put_text(NFTA_RULE_CHAIN, change.chain);
    {
      const Nest expressions(out, NFTA_RULE_EXPRESSIONS);
      for (const nft::Statement& statement : change.rule.statements) put_statement(out, statement);
    }
    put_comment(out, NFTA_RULE_USERDATA, change.rule.comment);
  }

  void operator()(const nft::AddSet& change) const {
    begin(NFT_MSG_NEWSET, NLM_F_CREATE | NLM_F_EXCL);
    put_set_definition(out, change.set, batch.next_);
  }

  void operator()(const nft::DeleteSet& change) const {
    begin(NFT_MSG_DELSET, 0);
    out.put_text(NFTA_SET_NAME, change.set);
  }

  void operator()(const nft::AddElements& change) const {
    put_elements(out, change.set, Purpose::add,
                 [this] { begin(NFT_MSG_NEWSETELEM, NLM_F_CREATE | NLM_F_EXCL); });
  }

  void operator()(const nft::DeleteElements& change) const {
    put_elements(out, change.set, Purpose::remove, [this] { begin(NFT_MSG_DELSETELEM, 0); });
  }

  void operator()(const nft::FlushSet& change) const {
    begin(NFT_MSG_DELSETELEM, 0);
    out.put_text(NFTA_SET_ELEM_LIST_SET, change.set);
  }
};

void Batch::begin(std::uint16_t type, std::uint16_t flags) {
  out_.begin(static_cast<std::uint16_t>(NFNL_SUBSYS_NFTABLES << 8 | type), flags, next_++,
             NFPROTO_INET);
  changes_.push_back(change_);
}

void Batch::begin_batch(std::uint32_t sequence) {
  clear();
  first_ = next_ = sequence;
  out_.begin(NFNL_MSG_BATCH_BEGIN, 0, next_++, NFPROTO_UNSPEC, NFNL_SUBSYS_NFTABLES);
}

void Batch::encode_trial_of_owning(std::uint32_t sequence) {
  begin_batch(sequence);
  change_ = 0;
  begin(NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_EXCL);
  out_.put_text(NFTA_TABLE_NAME, "fwctl can own a table");
  out_.put_be32(NFTA_TABLE_FLAGS, owned_table);
}

void Batch::encode(const nft::Changes& changes, std::uint32_t sequence, Ending ending) {
  begin_batch(sequence);
  std::size_t expected = 0;
  for (const auto& change : changes)
    if (const auto* add = std::get_if<nft::AddElements>(&change))
      expected += size_of_elements(add->set);
  out_.expect(expected);
  for (change_ = 0; change_ < changes.size(); ++change_)
    std::visit(ChangeWriter{*this, out_}, changes[change_]);
  if (ending == Ending::commit)
    out_.begin(NFNL_MSG_BATCH_END, 0, next_++, NFPROTO_UNSPEC, NFNL_SUBSYS_NFTABLES);
}

std::optional<std::size_t> Batch::change_of(std::uint32_t sequence) const {
  const std::uint32_t message =
      sequence - first_ - 1;  // wraps for the begin message, and is too big
  if (message >= changes_.size()) return std::nullopt;
  return changes_[message];
}

void Batch::clear() {
  out_.clear();
  changes_.clear();
}

}  // namespace fwctl::netlink
