#include "rules/diagnostic.h"

#include <algorithm>
#include <utility>

namespace fwctl {
namespace {

// Lines longer than this are cut: a diagnostic is for people.
constexpr std::size_t longest_quote = 200;

std::string printable(std::string_view text) {
  std::string out(text.substr(0, longest_quote));
  for (char& c : out)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = c == '\t' ? ' ' : '?';
  return out;
}

Diagnostic make(Severity severity, const Source& source, Span at, std::string message) {
  return {.severity = severity,
          .file = source.name,
          .at = at,
          .message = std::move(message),
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
  const std::string line = printable(diagnostic.text);
  out += "  " + line + "\n";
  const std::size_t column = diagnostic.at.column == 0 ? 0 : diagnostic.at.column - 1;
  if (column > line.size()) return out;
  const std::size_t room = std::max<std::size_t>(1, line.size() - column);
  const std::size_t length = std::clamp<std::size_t>(diagnostic.at.length, 1, room);
  return out + "  " + std::string(column, ' ') + "^" + std::string(length - 1, '~') + "\n";
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

Diagnostic error_in(const Source& source, Span at, std::string message) {
  return make(Severity::error, source, at, std::move(message));
}

Diagnostic warning_in(const Source& source, Span at, std::string message) {
  return make(Severity::warning, source, at, std::move(message));
}

}  // namespace fwctl
