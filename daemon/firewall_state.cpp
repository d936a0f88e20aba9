// What is asked of the firewall and changes nothing.
#include <algorithm>

#include "daemon/clock.h"
#include "daemon/firewall.h"
#include "daemon/forwarding_problems.h"
#include "rules/compile/compile.h"
#include "rules/nft/text.h"

namespace fwctl {
namespace {

// Says what differs between a file as it is in force and as it is `now`, if it is there.
void compare(const Source& loaded, const Source* now, std::vector<std::string>& out) {
  if (now == nullptr)
    out.push_back(loaded.name + " is gone but still in force: 'fwctl reload' takes it out");
  else if (now->text != loaded.text)
    out.push_back(now->name + " has changed since it was loaded: 'fwctl reload' puts it in force");
}

void compare_all(const std::vector<Source>& loaded, const std::vector<Source>& now,
                 std::vector<std::string>& out) {
  const auto find = [](const std::vector<Source>& sources, const std::string& name) {
    const auto found = std::ranges::find(sources, name, &Source::name);
    return found == sources.end() ? nullptr : &*found;
  };
  for (const auto& source : loaded) compare(source, find(now, source.name), out);
  for (const auto& source : now)
    if (find(loaded, source.name) == nullptr)
      out.push_back(source.name + " is new: 'fwctl reload' puts it in force");
}

}  // namespace

std::vector<std::string> Firewall::problems() const {
  std::vector<std::string> out = problems_;
  if (current_.restored && !current_.by.uid)
    out.push_back(current_.reason + " ('fwctl history' says what it changed)");
  const auto files = config_.read();
  if (!files) {
    out.push_back(files.error().message());
    return out;
  }
  if (fallback()) return out;  // nothing on disk is in force
  compare_all(current_.sources.managed, files->managed, out);
  compare_all(current_.sources.definitions, files->definitions, out);
  compare_all(current_.sources.set_files, files->set_files, out);
  compare(current_.sources.added, &files->added, out);
  const auto services = policy::kept_difference(
      current_.sources.services, policy::used_services(policy_->policy(), services_of_host()));
  if (current_.sources.surroundings.wan && current_.sources.surroundings.wan->empty())
    out.emplace_back("there is no default route: rules on 'wan' match nothing until there is one");
  const auto names = policy::names(policy_->policy());
  for (const auto& host : names.hosts)
    if (!current_.sources.surroundings.hosts.contains(host))
      out.push_back("host:" + host +
                    " has not been resolved yet: no packet matches it until it is");
  for (const auto& line :
       policy::difference(current_.sources.surroundings,
                          surroundings({.users = names.users, .groups = names.groups}, {})))
    out.push_back("since the policy was loaded, this host changed " + line +
                  ": 'fwctl reload' puts it in force");
  for (const auto& line : services)
    out.push_back("since the policy was loaded, this host changed " + line +
                  ": 'fwctl app update all' puts it in force");
  return out;
}

std::vector<std::string> Firewall::forwarding_problems() const {
  return current_.enabled ? fwctl::forwarding_problems(*policy_, places_.forwarding())
                          : std::vector<std::string>();
}

Result<Table::Look> Firewall::look() {
  return has_table() ? table_.look() : Table::Look();
}

std::string_view Firewall::why_watched() const {
  if (places_.protection == Protection::watching) return "daemon.yaml says so";
  if (!table_.owning()) return "this kernel keeps nobody out of a table";
  return "the table was made without; it is made anew by 'fwctl disable' and 'fwctl enable', or by "
         "a boot";
}

std::string Firewall::ruleset_text() const {
  auto ruleset = compile::compile(*policy_, units_of(*policy_));
  nft::remove_ended(ruleset, now());
  return nft::text(ruleset, now());
}

std::optional<Time> Firewall::next_end() const {
  std::optional<Time> next;
  for (const auto& rule : policy_->policy().rules)
    if (rule.layer != policy::Layer::managed && rule.until && (!next || *rule.until < *next))
      next = rule.until;
  for (const auto& set : policy_->policy().sets)
    if (set.source == current_.sources.managed.size())
      for (const auto& [range, until] : set.temporary)
        if (const Time then = until + around_an_end; !next || then < *next) next = then;
  return next;
}

}  // namespace fwctl
