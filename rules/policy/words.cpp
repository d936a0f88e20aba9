#include "rules/policy/words.h"

#include <algorithm>

#include "rules/ascii.h"

namespace fwctl::policy {
namespace {

// Means itself to every shell.
bool plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("_@%+=:,./-").find(c) != std::string_view::npos;
}

}  // namespace

Span within(const Word& whole, std::size_t offset, std::size_t length) {
  Span at = whole.at;
  at.column += whole.quote + static_cast<std::uint32_t>(offset);
  at.length = static_cast<std::uint32_t>(std::max<std::size_t>(length, 1));
  return at;
}

std::string join(const std::vector<std::string>& words) {
  std::string out;
  for (const auto& word : words) {
    if (&word != &words.front()) out += ' ';
    if (!word.empty() && std::all_of(word.begin(), word.end(), plain)) {
      out += word;
      continue;
    }
    out += '\'';
    for (const char c : word) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
    out += '\'';
  }
  return out;
}

Command place(const std::vector<std::string>& words) {
  Command command{.source = {.name = std::string(command_source), .text = join(words)}};
  std::uint32_t column = 1;
  for (const auto& word : words) {
    const std::string shown = join({word});
    const auto length = static_cast<std::uint32_t>(shown.size());
    command.words.push_back({.text = word,
                             .at = {.line = 1, .column = column, .length = length},
                             .quote = shown.starts_with('\'') ? 1U : 0U});
    column += length + 1;
  }
  command.whole = {
      .line = 1, .column = 1, .length = static_cast<std::uint32_t>(command.source.text.size())};
  return command;
}

bool WordReader::take(std::string_view expected) {
  if (at_end() || word().text != expected) return false;
  ++next_;
  return true;
}

bool WordReader::take_any_case(std::string_view expected) {
  if (at_end() || !same_but_for_case(word().text, expected)) return false;
  ++next_;
  return true;
}

const Word* WordReader::argument(std::string_view keyword, std::string_view what) {
  if (!at_end()) return &next();
  Span after = words_.back().at;
  after.column += after.length;
  after.length = 1;
  complain(after, "'" + std::string(keyword) + "' needs " + std::string(what) + " behind it");
  return nullptr;
}

void WordReader::complain(Span at, std::string_view message) {
  failed_ = true;
  diagnostics_.push_back(error_in(source_, at, message));
}

}  // namespace fwctl::policy
