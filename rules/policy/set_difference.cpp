#include "rules/policy/set_difference.h"

#include <algorithm>
#include <functional>
#include <string_view>
#include <tuple>

#include "rules/sorted_walk.h"

namespace fwctl::policy {
namespace {

using Lines = std::vector<std::string>;

struct Entries {
  AddressRanges lasting;                  // sorted
  std::vector<TemporaryRange> temporary;  // sorted
  AddressPorts pairs;                     // sorted

  bool empty() const { return lasting.size() + temporary.size() + pairs.size() == 0; }
};

bool earlier(const TemporaryRange& a, const TemporaryRange& b) {
  return std::tie(a.range, a.until) < std::tie(b.range, b.until);
}

Entries entries(const AddressSet& set) {
  Entries out{.lasting = set.from_file, .temporary = set.temporary, .pairs = set.pairs_from_file};
  for (const auto& range : set.ranges) out.lasting.push_back(range);
  out.lasting = out.lasting.sorted();
  std::ranges::sort(out.temporary, earlier);
  for (const auto& pair : set.pairs) out.pairs.push_back(pair);
  out.pairs = out.pairs.sorted();
  return out;
}

constexpr auto skip = [](const auto&...) {};

void tell(const std::string& start, const Entries& some, const Entries& others, Lines& out) {
  std::size_t count = 0;
  const auto shown = [&] { return ++count <= most_entries; };
  // As bytes: of a million entries few are told.
  const auto tell_those = [&](const auto& there, const Intervals& wanted,
                              const Intervals& unwanted) {
    if (wanted == unwanted) return;
    std::size_t at = 0;
    walk_sorted(
        wanted, unwanted, std::less<>(),
        [&](std::string_view) {
          if (shown()) out.push_back(start + ' ' + there[at].text());
          ++at;
        },
        skip, [&](std::string_view, std::string_view) { ++at; });
  };
  for (const auto family : {Family::ipv4, Family::ipv6})
    tell_those(some.lasting.of(family), some.lasting.of(family).intervals(),
               others.lasting.of(family).intervals());
  for (const auto family : {Family::ipv4, Family::ipv6})
    tell_those(some.pairs.of(family), some.pairs.of(family).values(),
               others.pairs.of(family).values());
  walk_sorted(
      some.temporary, others.temporary, earlier,
      [&](const TemporaryRange& one) {
        if (shown())
          out.push_back(start + ' ' + one.range.text() + " until " + time_text(one.until));
      },
      skip, skip);
  if (count > most_entries)
    out.push_back(start + ": " + std::to_string(count - most_entries) + " more");
}

const AddressSet* find(const Policy& policy, const std::string& name) {
  const auto found = std::ranges::find(policy.sets, name, &AddressSet::name);
  return found == policy.sets.end() ? nullptr : &*found;
}

bool same(const AddressSet& one, const AddressSet& other) {
  return one.ranges == other.ranges && one.temporary == other.temporary &&
         one.pairs == other.pairs && one.from_file == other.from_file &&
         one.pairs_from_file == other.pairs_from_file;
}

void compare(const AddressSet* before, const AddressSet* after, const std::string& name,
             Lines& out) {
  // Of most sets nothing changes, and they may be big.
  if (before != nullptr && after != nullptr && same(*before, *after)) return;
  const Entries old = before == nullptr ? Entries() : entries(*before);
  const Entries fresh = after == nullptr ? Entries() : entries(*after);
  const bool was_empty = before != nullptr && old.empty();
  const bool is_empty = after != nullptr && fresh.empty();
  if (was_empty && !is_empty) out.push_back("- set " + name + " without addresses");
  tell("- set " + name, old, fresh, out);
  tell("+ set " + name, fresh, old, out);
  if (is_empty && !was_empty) out.push_back("+ set " + name + " without addresses");
}

}  // namespace

std::vector<std::string> difference_of_sets(const Policy& before, const Policy& after) {
  Lines out;
  for (const auto& set : before.sets) compare(&set, find(after, set.name), set.name, out);
  for (const auto& set : after.sets)
    if (find(before, set.name) == nullptr) compare(nullptr, &set, set.name, out);
  return out;
}

}  // namespace fwctl::policy
