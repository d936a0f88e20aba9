#include "rules/diagnostic.h"

#include <algorithm>

namespace fwctl {
namespace {

// Lines longer than this are cut: a diagnostic is for people.
constexpr std::size_t longest_quote = 200;

constexpr std::string_view not_looked_at =
    "so much is wrong until here that the rest was not looked at: mend that first";

std::string printable(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = c == '\t' ? ' ' : '?';
  return out;
}

// Of UTF-8: a caret must stand below what people see, not below as many bytes.
std::size_t characters(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U;
  }));
}

Diagnostic make(Severity severity, const Source& source, Span at, std::string_view message) {
  return {.severity = severity,
          .file = source.name,
          .at = at,
          .message = printable(message),
          .text = std::string(source.line(at.line))};
}

}  // namespace

bool has_errors(const Diagnostics& diagnostics) {
  return std::any_of(diagnostics.begin(), diagnostics.end(), [](const Diagnostic& diagnostic) {
    return diagnostic.severity == Severity::error;
  });
}

std::string render(const Diagnostic& diagnostic) {
  std::string out = diagnostic.file;
  if (diagnostic.at.line != 0)
    out += ":" + std::to_string(diagnostic.at.line) + ":" + std::to_string(diagnostic.at.column);
  out += diagnostic.severity == Severity::error ? ": error: " : ": warning: ";
  out += diagnostic.message + "\n";
  if (diagnostic.at.line == 0 || diagnostic.text.empty()) return out;
  const std::string line = printable(std::string_view(diagnostic.text).substr(0, longest_quote));
  out += "  " + line + "\n";
  const std::size_t column = diagnostic.at.column == 0 ? 0 : diagnostic.at.column - 1;
  if (column > line.size()) return out;
  const auto quoted = std::string_view(line);
  const std::size_t length =
      std::max<std::size_t>(1, characters(quoted.substr(column, diagnostic.at.length)));
  return out + "  " + std::string(characters(quoted.substr(0, column)), ' ') + "^" +
         std::string(length - 1, '~') + "\n";
}

std::string render(const Diagnostics& diagnostics) {
  std::string out;
  for (const auto& diagnostic : diagnostics) out += render(diagnostic);
  return out;
}

std::string_view Source::line(std::uint32_t number) const {
  if (number == 0) return {};
  std::size_t begin = 0;
  for (std::uint32_t line = 1; line < number; ++line) {
    begin = text.find('\n', begin);
    if (begin == std::string::npos) return {};
    ++begin;
  }
  auto found = std::string_view(text).substr(begin);
  found = found.substr(0, found.find('\n'));
  if (found.ends_with('\r')) found.remove_suffix(1);
  return found;
}

std::string place_in(const Source& source, Span at) {
  return source.name + ":" + std::to_string(at.line);
}

Diagnostic error_in(const Source& source, Span at, std::string_view message) {
  return make(Severity::error, source, at, message);
}

Diagnostic warning_in(const Source& source, Span at, std::string_view message) {
  return make(Severity::warning, source, at, message);
}

bool too_much(Diagnostics& diagnostics, const Source& source, Span at) {
  if (diagnostics.size() < most_problems || !has_errors(diagnostics)) return false;
  if (diagnostics.back().message != not_looked_at)
    diagnostics.push_back(error_in(source, at, not_looked_at));
  return true;
}

}  // namespace fwctl
