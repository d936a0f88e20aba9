// What is wrong with a policy and where. A policy that is refused comes with every problem in it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace fwctl {

// A piece of one line. Line and column count from 1, column and length in bytes; line 0: nowhere.
struct Span {
  std::uint32_t line = 0;
  std::uint32_t column = 0;
  std::uint32_t length = 1;
  bool operator==(const Span&) const = default;
};

enum class Severity : std::uint8_t { error, warning };

struct Diagnostic {
  Severity severity = Severity::error;
  std::string file;
  Span at;
  std::string message;
  std::string text;  // the line it is in, without its end
  bool operator==(const Diagnostic&) const = default;
};

using Diagnostics = std::vector<Diagnostic>;

bool has_errors(const Diagnostics& diagnostics);

// Of those of one kind, as rules are, so many are told: who made more made one again and again.
constexpr std::size_t most_problems = 100;

// "FILE:LINE:COLUMN: error: MESSAGE", the line, and a caret below the place. Ends with a newline.
// Control characters in the message and the line are shown as '?'.
std::string render(const Diagnostic& diagnostic);
std::string render(const Diagnostics& diagnostics);

// A text with a name, as diagnostics quote it.
struct Source {
  std::string name;
  std::string text;
  bool operator==(const Source&) const = default;

  // Line `number`, counted from 1, without its end; empty when there is none.
  std::string_view line(std::uint32_t number) const;
};

// "FILE:LINE".
std::string place_in(const Source& source, Span at);

Diagnostic error_in(const Source& source, Span at, std::string_view message);
Diagnostic warning_in(const Source& source, Span at, std::string_view message);

// Whether so much is wrong that the rest, from that place on, is not to be looked at. Then the last
// of them says so.
bool too_much(Diagnostics& diagnostics, const Source& source, Span at);

}  // namespace fwctl
