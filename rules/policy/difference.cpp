#include "rules/policy/difference.h"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <string_view>
#include <unordered_map>

#include "rules/policy/items.h"
#include "rules/policy/print.h"
#include "rules/policy/set_difference.h"
#include "rules/policy/translation.h"
#include "rules/yaml.h"

namespace fwctl::policy {
namespace {

using Lines = std::vector<std::string>;

// Beyond this many changed lines on both sides the shortest difference is not worth its time: the
// lines that only one side has are listed without regard to order.
constexpr std::size_t most_aligned = 2000;

template <typename Item>
std::string with_comment(const Item& item) {
  return command_text(item) + (item.comment.empty() ? "" : " comment '" + item.comment + "'");
}

Lines settings(const Policy& policy) {
  Lines out;
  for (const auto traffic : {Traffic::incoming, Traffic::outgoing, Traffic::routed})
    out.push_back("default " + std::string(text(policy.default_for(traffic))) + " " +
                  std::string(text(traffic)));
  out.push_back("logging " + std::string(text(policy.logging)));
  for (const auto& off : policy.switched_off) out.push_back("baseline without " + off.item);
  out.emplace_back(policy.containers ? "containers allow" : "containers deny");
  return out;
}

Lines items(const Policy& policy) {
  Lines out;
  out.reserve(policy.rules.size());
  for (const auto& service : policy.services)
    for (const auto& item : service.ports)
      out.push_back("service " + service.name + " " + text(item));
  for (const auto& service : policy.services)
    for (const auto protocol : service.protocols)
      out.push_back("service " + service.name + " " + protocol.text());
  for (const auto& service : policy.services)
    if (!service.description.empty())
      out.push_back("service " + service.name + " description " + yaml::quote(service.description));
  const auto add = [&](const auto& items) {
    for (const auto& item : items) out.push_back(with_comment(item));
  };
  add(policy.rules);
  add(policy.forwards);
  add(policy.masquerades);
  return out;
}

void unordered(const Lines& before, const Lines& after, Lines& out) {
  std::unordered_map<std::string_view, std::int64_t> surplus;
  for (const auto& line : after) ++surplus[line];
  for (const auto& line : before)
    if (--surplus[line] < 0) out.push_back("- " + line);
  surplus.clear();
  for (const auto& line : before) ++surplus[line];
  for (const auto& line : after)
    if (--surplus[line] < 0) out.push_back("+ " + line);
}

// By the longest common subsequence.
void aligned(const Lines& before, const Lines& after, Lines& out) {
  std::vector<std::vector<std::uint32_t>> common(before.size() + 1,
                                                 std::vector<std::uint32_t>(after.size() + 1));
  for (std::size_t i = before.size(); i-- > 0;)
    for (std::size_t j = after.size(); j-- > 0;)
      common[i][j] = before[i] == after[j] ? common[i + 1][j + 1] + 1
                                           : std::max(common[i + 1][j], common[i][j + 1]);
  std::size_t i = 0;
  std::size_t j = 0;
  while (i < before.size() || j < after.size()) {
    if (i < before.size() && j < after.size() && before[i] == after[j]) {
      ++i;
      ++j;
    } else if (j == after.size() || (i < before.size() && common[i + 1][j] >= common[i][j + 1])) {
      out.push_back("- " + before[i++]);
    } else {
      out.push_back("+ " + after[j++]);
    }
  }
}

void compare(Lines old_lines, Lines new_lines, Lines& out) {
  const auto first =
      std::mismatch(old_lines.begin(), old_lines.end(), new_lines.begin(), new_lines.end());
  new_lines.erase(new_lines.begin(), first.second);
  old_lines.erase(old_lines.begin(), first.first);
  while (!old_lines.empty() && !new_lines.empty() && old_lines.back() == new_lines.back()) {
    old_lines.pop_back();
    new_lines.pop_back();
  }
  out.reserve(out.size() + old_lines.size() + new_lines.size());
  if (old_lines.empty() || new_lines.empty()) {
    for (const auto& line : old_lines) out.push_back("- " + line);
    for (const auto& line : new_lines) out.push_back("+ " + line);
  } else if (old_lines.size() > most_aligned || new_lines.size() > most_aligned) {
    unordered(old_lines, new_lines, out);
  } else {
    aligned(old_lines, new_lines, out);
  }
}

}  // namespace

std::vector<std::string> difference(const Policy& before, const Policy& after) {
  Lines out;
  compare(settings(before), settings(after), out);
  std::ranges::move(difference_of_sets(before, after), std::back_inserter(out));
  compare(items(before), items(after), out);
  return out;
}

std::string difference_text(const Rule& rule) {
  return with_comment(rule);
}

}  // namespace fwctl::policy
