#include "tests/kernel/fake_kernel.h"

#include <algorithm>
#include <cerrno>
#include <utility>

namespace fwctl::testing {
namespace {

using nft::Element;

const nft::Bytes& last(const Element& element) {
  return element.key_end.empty() ? element.key : element.key_end;
}

// In every field the two have a value in common.
bool overlap(const std::vector<nft::Field>& key, const Element& a, const Element& b) {
  std::size_t from = 0;
  for (const nft::Field field : key) {
    const std::size_t length = nft::width(field);
    const auto part = [&](const nft::Bytes& bytes) {
      return std::string_view(bytes).substr(from, length);
    };
    if (part(last(a)) < part(b.key) || part(last(b)) < part(a.key)) return false;
    from += length;
  }
  return true;
}

bool jumps_to(const nft::Verdict& verdict, const std::string& chain) {
  const bool leaves =
      verdict.kind == nft::VerdictKind::jump || verdict.kind == nft::VerdictKind::go_to;
  return leaves && verdict.chain == chain;
}

bool refers_to_chain(const nft::Rule& rule, const std::string& chain) {
  return std::ranges::any_of(rule.statements, [&](const nft::Statement& statement) {
    const auto* verdict = std::get_if<nft::Verdict>(&statement);
    return verdict != nullptr && jumps_to(*verdict, chain);
  });
}

bool refers_to_set(const nft::Rule& rule, const std::string& set) {
  return std::ranges::any_of(rule.statements, [&](const nft::Statement& statement) {
    if (const auto* lookup = std::get_if<nft::SetLookup>(&statement)) return lookup->set == set;
    if (const auto* lookup = std::get_if<nft::MapLookup>(&statement)) return lookup->map == set;
    if (const auto* meter = std::get_if<nft::Meter>(&statement)) return meter->set == set;
    return false;
  });
}

}  // namespace

// Each change gives the errno the kernel would, 0 where it takes it. One that was refused leaves no
// trace for those after it.
class FakeKernel::Transaction {
 public:
  Transaction(const FakeKernel& by, State state, bool can_own)
      : by_(by), can_own_(can_own), table_(std::move(state)) {}

  State take() { return std::move(table_); }

  int make(const nft::Change& change) {
    if (table_ && table_->owner != nullptr && table_->owner != &by_) return EPERM;
    return std::visit(*this, change);
  }

  int operator()(const nft::AddTable& change) {
    if (change.owned && !can_own_) return EOPNOTSUPP;
    if (!table_) {
      table_ = Table{};
      table_->persists = change.owned;
    }
    if (change.owned && !table_->persists) return EOPNOTSUPP;
    if (change.owned) table_->owner = &by_;
    return 0;
  }

  int operator()(const nft::DeleteTable& /*change*/) {
    if (!table_) return ENOENT;
    table_.reset();
    return 0;
  }

  int operator()(const nft::AddChain& change) {
    if (!table_) return ENOENT;
    nft::Chain chain = change.chain;
    chain.rules.clear();
    const auto there = table_->chains.find(chain.name);
    if (there == table_->chains.end()) {
      table_->chains.emplace(chain.name, std::move(chain));
      return 0;
    }
    auto& hook = there->second.hook;
    if (!chain.hook) return EEXIST;
    if (!hook || chain.hook->point != hook->point || chain.hook->priority != hook->priority ||
        chain.hook->type != hook->type)
      return EOPNOTSUPP;  // EEXIST in some kernels
    hook->policy_drop = chain.hook->policy_drop;
    return 0;
  }

  int operator()(const nft::FlushChain& change) {
    nft::Chain* chain = find_chain(change.chain);
    if (chain == nullptr) return ENOENT;
    chain->rules.clear();
    return 0;
  }

  int operator()(const nft::DeleteChain& change) {
    const nft::Chain* chain = find_chain(change.chain);
    if (chain == nullptr) return ENOENT;
    if (!chain->rules.empty() || chain_in_use(change.chain)) return EBUSY;
    table_->chains.erase(change.chain);
    return 0;
  }

  int operator()(const nft::AddRule& change) {
    nft::Chain* chain = find_chain(change.chain);
    if (chain == nullptr) return ENOENT;
    for (const nft::Statement& statement : change.rule.statements)
      if (const int code = check_references(statement)) return code;
    chain->rules.push_back(change.rule);
    return 0;
  }

  int operator()(const nft::AddSet& change) {
    if (!table_) return ENOENT;
    StoredSet stored{change.set, {}};
    stored.definition.elements.clear();
    stored.definition.intervals = {};
    return table_->sets.emplace(change.set.name, std::move(stored)).second ? 0 : EEXIST;
  }

  int operator()(const nft::DeleteSet& change) {
    if (find_set(change.set) == nullptr) return ENOENT;
    const bool used = std::ranges::any_of(table_->chains, [&](const auto& chain) {
      return std::ranges::any_of(chain.second.rules, [&](const nft::Rule& rule) {
        return refers_to_set(rule, change.set);
      });
    });
    if (used) return EBUSY;
    table_->sets.erase(change.set);
    return 0;
  }

  int operator()(const nft::AddElements& change) {
    if (change.set.empty()) return 0;
    StoredSet* set = find_set(change.set.name);
    if (set == nullptr) return ENOENT;
    for (const Element& element : nft::all_elements(change.set)) {
      if (element.verdict)
        if (const int code = check_target(*element.verdict)) return code;
      if (taken(*set, element)) return EEXIST;
      if (set->definition.size > 0 && set->elements.size() == set->definition.size) return ENFILE;
      set->elements.emplace(element.key, element);
    }
    return 0;
  }

  int operator()(const nft::DeleteElements& change) {
    if (change.set.empty()) return 0;
    StoredSet* set = find_set(change.set.name);
    if (set == nullptr) return ENOENT;
    for (const Element& element : nft::all_elements(change.set)) {
      const auto found = set->elements.find(element.key);
      if (found == set->elements.end() || last(found->second) != last(element)) return ENOENT;
      set->elements.erase(found);
    }
    return 0;
  }

  int operator()(const nft::FlushSet& change) {
    StoredSet* set = find_set(change.set);
    if (set == nullptr) return ENOENT;
    set->elements.clear();
    return 0;
  }

 private:
  nft::Chain* find_chain(const std::string& name) {
    if (!table_) return nullptr;
    const auto found = table_->chains.find(name);
    return found == table_->chains.end() ? nullptr : &found->second;
  }

  StoredSet* find_set(const std::string& name) {
    if (!table_) return nullptr;
    const auto found = table_->sets.find(name);
    return found == table_->sets.end() ? nullptr : &found->second;
  }

  bool chain_in_use(const std::string& name) const {
    const bool by_rule = std::ranges::any_of(table_->chains, [&](const auto& chain) {
      return std::ranges::any_of(
          chain.second.rules, [&](const nft::Rule& rule) { return refers_to_chain(rule, name); });
    });
    return by_rule || std::ranges::any_of(table_->sets, [&](const auto& set) {
             return std::ranges::any_of(set.second.elements, [&](const auto& element) {
               return element.second.verdict && jumps_to(*element.second.verdict, name);
             });
           });
  }

  int check_target(const nft::Verdict& verdict) {
    if (verdict.kind != nft::VerdictKind::jump && verdict.kind != nft::VerdictKind::go_to) return 0;
    const nft::Chain* target = find_chain(verdict.chain);
    if (target == nullptr) return ENOENT;
    return target->hook ? EOPNOTSUPP : 0;
  }

  int check_references(const nft::Statement& statement) {
    if (const auto* verdict = std::get_if<nft::Verdict>(&statement)) return check_target(*verdict);
    if (const auto* lookup = std::get_if<nft::SetLookup>(&statement))
      return find_set(lookup->set) != nullptr ? 0 : ENOENT;
    if (const auto* lookup = std::get_if<nft::MapLookup>(&statement)) {
      const StoredSet* map = find_set(lookup->map);
      if (map == nullptr) return ENOENT;
      return map->definition.map ? 0 : EINVAL;
    }
    if (const auto* meter = std::get_if<nft::Meter>(&statement)) {
      const StoredSet* set = find_set(meter->set);
      if (set == nullptr) return ENOENT;
      return set->definition.dynamic() ? 0 : EINVAL;
    }
    return 0;
  }

  static bool taken(const StoredSet& set, const Element& element) {
    const auto& key = set.definition.key;
    if (!set.definition.interval) return set.elements.contains(element.key);
    if (key.size() > 1)
      return std::ranges::any_of(
          set.elements, [&](const auto& other) { return overlap(key, other.second, element); });
    // Sorted and disjoint: only the neighbours can meet it.
    const auto after = set.elements.upper_bound(last(element));
    return after != set.elements.begin() && last(std::prev(after)->second) >= element.key;
  }

  const FakeKernel& by_;
  bool can_own_;
  State table_;
};

std::unique_ptr<FakeKernel> FakeKernel::that_cannot_own() {
  auto kernel = std::make_unique<FakeKernel>();
  kernel->machine_->can_own = false;
  return kernel;
}

FakeKernel::~FakeKernel() {
  auto& table = machine_->table;
  if (table && table->owner == this) table->owner = nullptr;
}

Result<Owner> FakeKernel::owner() {
  const auto& table = machine_->table;
  if (!table || table->owner == nullptr) return Owner::anyone;
  return table->owner == this ? Owner::us : Owner::another;
}

Result<std::optional<nft::Ruleset>> FakeKernel::read_hits() {
  auto ruleset = read();
  --readings_;
  if (ruleset && *ruleset)
    for (auto& set : (*ruleset)->sets)
      if (!set.counters) {
        set.elements.clear();
        set.intervals = {};
      }
  return ruleset;
}

Result<std::optional<nft::Ruleset>> FakeKernel::read() {
  ++readings_;
  if (const int code = std::exchange(fail_read_, 0))
    return failed("read", "table inet fwctl", code);
  if (!machine_->table) return std::nullopt;
  nft::Ruleset ruleset;
  for (const auto& [name, set] : machine_->table->sets) {
    ruleset.sets.push_back(set.definition);
    if (nft::holds_bans(name)) continue;
    for (const auto& [key, element] : set.elements) ruleset.sets.back().elements.push_back(element);
    nft::pack(ruleset.sets.back());
  }
  for (const auto& [name, chain] : machine_->table->chains) ruleset.chains.push_back(chain);
  return ruleset;
}

tl::expected<FakeKernel::State, TransactionError> FakeKernel::outcome(const nft::Changes& changes) {
  const auto refuse = std::exchange(refuse_, {});
  if (fail_ != 0 && succeed_before_ > 0) {
    --succeed_before_;
  } else if (fail_ != 0) {
    const int code = fail_;
    if (--failures_ == 0) fail_ = 0;
    return tl::unexpected(TransactionError{Error{"change", "table inet fwctl", code, {}}, {}});
  }
  Transaction transaction(*this, machine_->table, machine_->can_own);
  TransactionError error;
  for (std::size_t i = 0; i < changes.size(); ++i) {
    const auto told = std::ranges::find(refuse, i, &Refusal::index);
    int refused = told != refuse.end() ? told->code : transaction.make(changes[i]);
    if (refuse_change_ && refuse_change_->index-- == 0)
      refused = std::exchange(refuse_change_, std::nullopt)->code;
    if (refused != 0) error.refusals.push_back({i, refused});
  }
  if (error.refusals.empty()) return transaction.take();
  error.error = Error{"change", "table inet fwctl", error.refusals.front().code, {}};
  return tl::unexpected(std::move(error));
}

tl::expected<void, TransactionError> FakeKernel::check(const nft::Changes& changes) {
  if (changes.empty()) return {};
  auto state = outcome(changes);
  if (!state) return tl::unexpected(std::move(state.error()));
  return {};
}

tl::expected<void, TransactionError> FakeKernel::apply(const nft::Changes& changes) {
  if (changes.empty()) return {};
  auto state = outcome(changes);
  if (!state) return tl::unexpected(std::move(state.error()));
  machine_->table = std::move(*state);
  applied_.push_back(changes);
  ++machine_->revision;
  return {};
}

std::vector<nft::Element> FakeKernel::elements(const std::string& set) const {
  std::vector<nft::Element> out;
  const auto found = machine_->table->sets.find(set);
  if (found != machine_->table->sets.end())
    for (const auto& [key, element] : found->second.elements) out.push_back(element);
  return out;
}

void FakeKernel::take_out(const std::string& set, const nft::Bytes& key) {
  machine_->table->sets.at(set).elements.erase(key);
}

void FakeKernel::refuse_next(std::size_t change, int code) {
  refuse_.push_back({change, code});
}

void FakeKernel::fail_next(int code, int times) {
  fail_after(0, code);
  failures_ = times;
}

void FakeKernel::fail_after(int transactions, int code) {
  fail_ = code;
  succeed_before_ = transactions;
  failures_ = 1;
}

void FakeKernel::fail_next_read(int code) {
  fail_read_ = code;
}

}  // namespace fwctl::testing
