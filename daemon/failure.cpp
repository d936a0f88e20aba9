#include "daemon/failure.h"

#include <cerrno>
#include <vector>

namespace fwctl {
namespace {

template <typename... Handlers>
struct Overloaded : Handlers... {
  using Handlers::operator()...;
};
template <typename... Handlers>
Overloaded(Handlers...) -> Overloaded<Handlers...>;

// Ids of the policy's rules in the object that the change is about.
std::vector<std::string> ids_in(const nft::Change& change) {
  return std::visit(
      Overloaded{[](const nft::AddRule& add) { return std::vector{add.rule.comment}; },
                 [](const nft::AddElements& add) {
                   std::vector<std::string> ids;
                   ids.reserve(add.set.elements.size());
                   for (const auto& element : add.set.elements) ids.push_back(element.comment);
                   return ids;
                 },
                 [](const auto&) { return std::vector<std::string>{}; }},
      change);
}

std::string object_of(const nft::Change& change) {
  return std::visit(
      Overloaded{
          [](const nft::AddRule& add) { return "a rule of chain " + add.chain; },
          [](const nft::AddElements& add) { return "elements of set " + add.set.name; },
          [](const nft::DeleteElements& remove) { return "elements of set " + remove.set.name; },
          [](const nft::AddChain& add) { return "chain " + add.chain.name; },
          [](const nft::AddSet& add) { return "set " + add.set.name; },
          [](const nft::FlushChain& flush) { return "the rules of chain " + flush.chain; },
          [](const nft::DeleteChain& remove) { return "chain " + remove.chain; },
          [](const nft::DeleteSet& remove) { return "set " + remove.set; },
          [](const nft::FlushSet& flush) { return "elements of set " + flush.set; },
          [](const auto&) { return std::string("table inet fwctl"); }},
      change);
}

KernelRefused in_lines(const TransactionError& error, const nft::Changes& changes,
                       const policy::CheckedPolicy& policy, const policy::Sources& sources) {
  KernelRefused refused{.message = "the kernel refused the change: " + error.error.message()};
  if (error.error.code == EPERM && !error.refusals.empty()) {  // no line is to blame
    refused.message += ": another program, most likely another fwctld, keeps all others out of it";
    return refused;
  }
  std::vector<std::string> objects;
  for (const auto& [index, code] : error.refusals) {
    if (index >= changes.size()) continue;
    const std::string why =
        "the kernel refuses this: " + Error{"load", object_of(changes[index]), code, {}}.message();
    if (objects.size() < 3) objects.push_back(object_of(changes[index]));
    for (const auto& id : ids_in(changes[index])) {
      const auto blame = [&](const auto& written) {
        refused.diagnostics.push_back(error_in(sources.at(written.source), written.at, why));
      };
      if (const auto number = policy.find(id)) blame(policy.policy().rules[*number]);
      for (const auto& forward : policy.forwards())
        if (forward.id == id) blame(policy.policy().forwards[forward.written]);
      for (const auto& masquerade : policy.masquerades())
        if (masquerade.id == id) blame(policy.policy().masquerades[masquerade.written]);
    }
  }
  for (const auto& object : objects)
    refused.message += (&object == &objects.front() ? ": " : ", ") + object;
  return refused;
}

}  // namespace

std::string message(const Failure& failure) {
  return std::visit(
      Overloaded{
          [](const InvalidPolicy& invalid) { return render(invalid.diagnostics); },
          [](const KernelRefused& refused) {
            return refused.message + render(refused.diagnostics);
          },
          [](const WouldLockOut& lockout) { return lockout.message + render(lockout.diagnostics); },
          [](const Error& error) { return error.message(); },
          [](const auto& other) { return other.message; }},
      failure);
}

Failure explain(const TableFailure& failure, const policy::CheckedPolicy& policy,
                const policy::Sources& sources) {
  if (const auto* refused = std::get_if<RefusedChanges>(&failure))
    return in_lines(refused->error, refused->changes, policy, sources);
  return std::get<Error>(failure);
}

}  // namespace fwctl
