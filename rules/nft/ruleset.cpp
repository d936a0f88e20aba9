#include "rules/nft/ruleset.h"

#include <algorithm>

#include "rules/number.h"

namespace fwctl::nft {
namespace {

constexpr std::string_view end_word = "until ";

template <typename T>
const T* find_named(const std::vector<T>& sorted, std::string_view name) {
  const auto found = std::ranges::lower_bound(sorted, name, {}, &T::name);
  return found != sorted.end() && found->name == name ? &*found : nullptr;
}

}  // namespace

std::size_t width(Field field) {
  switch (kind(field)) {
    case Field::nfproto:
    case Field::l4proto:
    case Field::ip6_hoplimit:
    case Field::icmp_type:
    case Field::icmpv6_type:
    case Field::pkttype:
    case Field::tcp_flags:
      return 1;
    case Field::th_sport:
    case Field::th_dport:
    case Field::iiftype:
    case Field::ct_original_dport:
      return 2;
    case Field::iif:
    case Field::oif:
    case Field::mark:
    case Field::ct_state:
    case Field::ip_saddr:
    case Field::ip_daddr:
    case Field::skuid:
    case Field::skgid:
    case Field::ct_status:
    case Field::ct_original_daddr4:
    case Field::daddr_type:
      return 4;
    case Field::ether_saddr:
      return 6;
    case Field::time:
    case Field::cgroup:
      return 8;
    case Field::iifname:
    case Field::oifname:
    case Field::ip6_saddr:
    case Field::ip6_daddr:
    case Field::ct_original_daddr6:
      return 16;
  }
  return 0;
}

std::size_t width(const std::vector<Field>& key) {
  std::size_t sum = 0;
  for (const Field field : key) sum += width(field);
  return sum;
}

std::optional<std::uint8_t> cgroup_level(Field field) {
  if (field < Field::cgroup) return {};
  return static_cast<std::uint8_t>(static_cast<int>(field) - static_cast<int>(Field::cgroup) + 1);
}

const Set* Ruleset::find_set(std::string_view name) const {
  return find_named(sets, name);
}

const Chain* Ruleset::find_chain(std::string_view name) const {
  return find_named(chains, name);
}

std::string part_name(std::string_view whole, int length) {
  return std::string(whole) + '/' + std::to_string(length);
}

std::optional<Part> part(const Set& set) {
  const auto slash = set.name.rfind('/');
  if (!set.sized() || set.map || slash == std::string::npos) return {};
  const std::string_view name = set.name;
  const auto length = parse_number(name.substr(slash + 1), 128);
  if (!length) return {};
  return Part{.whole = name.substr(0, slash), .length = static_cast<int>(*length)};
}

std::vector<Element> all_elements(const Set& set) {
  std::vector<Element> out = set.elements;
  out.reserve(out.size() + set.intervals.size());
  for (std::size_t index = 0; index < set.intervals.size(); ++index) {
    const auto first = set.intervals.first(index);
    const auto last = set.intervals.last(index);
    out.push_back({.key = Bytes(first), .key_end = first == last ? Bytes() : Bytes(last)});
  }
  return out;
}

void pack(Set& set) {
  const bool plain = (set.sized() || (set.interval && set.key.size() == 1)) && !set.map &&
                     !set.counters && !set.ends;
  const auto bare = [](const Element& element) {
    return element.comment.empty() && element.until == no_end;
  };
  if (!plain || set.elements.empty() || !std::ranges::all_of(set.elements, bare)) return;
  const std::size_t width = nft::width(set.key);
  std::string bytes;
  bytes.reserve(set.elements.size() * 2 * width);
  for (const auto& element : set.elements) {
    bytes += element.key;
    if (set.interval) bytes += element.key_end.empty() ? element.key : element.key_end;
  }
  set.intervals = set.interval ? Intervals(width, std::move(bytes))
                               : Intervals::of_values(width, std::move(bytes));
  set.elements.clear();
  set.elements.shrink_to_fit();
}

std::string end_comment(Time until) {
  return std::string(end_word) + time_text(until);
}

std::optional<Time> parse_end_comment(std::string_view comment) {
  if (!comment.starts_with(end_word)) return {};
  return parse_time(comment.substr(end_word.size()));
}

bool remove_ended(Ruleset& ruleset, Time now) {
  std::size_t removed = 0;
  for (auto& set : ruleset.sets)
    if (set.ends)
      removed +=
          std::erase_if(set.elements, [&](const Element& element) { return element.until <= now; });
  return removed != 0;
}

}  // namespace fwctl::nft
