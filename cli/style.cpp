#include "cli/style.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <limits>

namespace fwctl::cli {
namespace {

bool on_terminal() {
  return ::isatty(STDOUT_FILENO) == 1;
}

bool wants_color() {
  const char* no_color = std::getenv("NO_COLOR");
  if (no_color != nullptr && *no_color != '\0') return false;
  const char* term = std::getenv("TERM");
  return on_terminal() && term != nullptr && std::string_view(term) != "dumb";
}

std::string_view code(Tint tint) {
  switch (tint) {
    case Tint::good:
      return "\033[32m";
    case Tint::bad:
      return "\033[31m";
    case Tint::warn:
      return "\033[33m";
    case Tint::dim:
      return "\033[2m";
    case Tint::bold:
      return "\033[1m";
    case Tint::plain:
      break;
  }
  return {};
}

}  // namespace

Style Style::of_stdout(ColorChoice choice) {
  Style style;
  style.color =
      choice == ColorChoice::always || (choice == ColorChoice::automatic && wants_color());
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
    style.width = std::max<std::size_t>(size.ws_col, 40);
  else if (!on_terminal())
    style.width = std::numeric_limits<std::size_t>::max();
  return style;
}

std::string Style::paint(Tint tint, std::string_view text) const {
  if (!color || tint == Tint::plain) return std::string(text);
  return std::string(code(tint)) + std::string(text) + "\033[0m";
}

}  // namespace fwctl::cli
