#include "rules/policy/set_file.h"

#include <algorithm>
#include <string>
#include <utility>

#include "rules/policy/items.h"
#include "rules/policy/plain_line.h"

namespace fwctl::policy {
namespace {

constexpr std::size_t most_told = 20;
constexpr bool is_blank(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r' && c != '\n');
}
constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";

// Where the entry of a line stands that has one; `skipped` bytes before it count for nothing.
std::pair<std::size_t, std::size_t> entry_in(std::string_view line, std::size_t skipped) {
  std::size_t begin = skipped;
  while (begin < line.size() && is_blank(line[begin])) ++begin;
  std::size_t end = begin;
  for (std::size_t at = begin; at < line.size() && line[at] != '#' && line[at] != ';'; ++at)
    if (!is_blank(line[at])) end = at + 1;
  return {begin, end};
}

// What the entry that ends there says, or what is wrong with it; offsets count within the line.
Parsed<SetEntry> parse_entry(std::string_view line, std::size_t begin, std::size_t end) {
  auto entry = parse_set_entry(line.substr(begin, end - begin));
  if (!entry) entry.error().offset += begin;
  return entry;
}

// False: those before it are of the other kind.
bool take(const SetEntry& entry, SetFile& file) {
  if (const auto* range = std::get_if<AddressRange>(&entry)) {
    if (!file.pairs.empty()) return false;
    file.ranges.push_back(*range);
    return true;
  }
  if (file.ranges.size() != 0) return false;
  file.pairs.push_back(std::get<AddressPort>(entry));
  return true;
}

// Likewise.
bool take(const PlainLine& line, SetFile& file) {
  if (line.port != 0) {
    if (file.ranges.size() != 0) return false;
    file.pairs.ipv4.push_back(line.address, line.protocol, line.port);
    return true;
  }
  if (!file.pairs.empty()) return false;
  const std::uint32_t hosts = line.prefix_length == 0
                                  ? ~std::uint32_t{0}
                                  : ~(~std::uint32_t{0} << (32 - line.prefix_length));
  file.ranges.ipv4.push_back(line.address & ~hosts, line.address | hosts);
  return true;
}

}  // namespace

SetFile parse_set_file(const Source& file, Diagnostics& diagnostics) {
  SetFile out;
  const std::string_view text = file.text;
  std::size_t wrong = 0;
  std::uint32_t number = 1;
  for (std::size_t start = 0; start < text.size(); ++number) {
    if (const auto plain = plain_line(text, start); plain && take(*plain, out)) {
      start += plain->length;
      continue;
    }
    const std::size_t stop = std::min(text.find('\n', start), text.size());
    const auto line = text.substr(start, stop - start);
    const std::size_t skipped =
        number == 1 && line.starts_with(byte_order_mark) ? byte_order_mark.size() : 0;
    start = stop + 1;
    const auto [begin, end] = entry_in(line, skipped);
    if (begin == end) continue;
    auto entry = parse_entry(line, begin, end);
    if (entry && !take(*entry, out))
      entry = tl::unexpected(
          Problem{.offset = begin, .length = end - begin, .message = other_kind(*entry)});
    if (!entry && ++wrong <= most_told) {
      const auto& problem = entry.error();
      const Span at{.line = number,
                    .column = static_cast<std::uint32_t>(problem.offset + 1),
                    .length = static_cast<std::uint32_t>(std::max<std::size_t>(problem.length, 1))};
      diagnostics.push_back(error_in(file, at, problem.message));
    }
  }
  if (wrong > most_told)
    diagnostics.push_back(error_in(
        file, {}, std::to_string(wrong - most_told) + " more lines are wrong in this file"));
  return out;
}

bool valid_set_path(std::string_view path) {
  if (!one_line(path) || !path.starts_with("sets/")) return false;
  while (true) {
    const auto step = path.substr(0, path.find('/'));
    if (step.empty() || step == "." || step == "..") return false;
    if (step.size() == path.size()) return true;
    path.remove_prefix(step.size() + 1);
  }
}

}  // namespace fwctl::policy
