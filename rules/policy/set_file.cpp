#include "rules/policy/set_file.h"

#include <algorithm>
#include <string>

#include "rules/policy/items.h"

namespace fwctl::policy {
namespace {

constexpr std::size_t most_told = 20;
constexpr std::string_view blanks = " \t\r\f\v";
constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";

// What is wrong with the one entry of a line; offsets count within the line.
Parsed<AddressRange> parse_entry(std::string_view line, std::size_t begin, std::size_t end) {
  const std::size_t blank = line.substr(0, end).find_first_of(blanks, begin);
  if (blank != std::string_view::npos) {
    const std::size_t second = line.find_first_not_of(blanks, blank);
    return tl::unexpected(Problem{.offset = second,
                                  .length = end - second,
                                  .message = "one address, prefix or range a line; '#' begins a "
                                             "comment"});
  }
  auto range = parse_address_range(line.substr(begin, end - begin));
  if (!range) range.error().offset += begin;
  return range;
}

}  // namespace

AddressRanges parse_set_file(const Source& file, Diagnostics& diagnostics) {
  AddressRanges out;
  const std::string_view text = file.text;
  std::size_t wrong = 0;
  std::uint32_t number = 1;
  for (std::size_t start = 0; start < text.size(); ++number) {
    const std::size_t stop = std::min(text.find('\n', start), text.size());
    const auto line = text.substr(start, stop - start);
    const std::size_t skipped =
        number == 1 && line.starts_with(byte_order_mark) ? byte_order_mark.size() : 0;
    start = stop + 1;
    const std::size_t comment = std::min(line.find_first_of("#;"), line.size());
    const std::size_t begin = line.substr(0, comment).find_first_not_of(blanks, skipped);
    if (begin == std::string_view::npos) continue;
    const std::size_t end = line.substr(0, comment).find_last_not_of(blanks) + 1;
    const auto range = parse_entry(line, begin, end);
    if (range) {
      out.push_back(*range);
    } else if (++wrong <= most_told) {
      const auto& problem = range.error();
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
