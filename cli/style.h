// How output looks where it goes.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace fwctl::cli {

enum class ColorChoice { automatic, always, never };

enum class Tint { plain, good, bad, warn, dim, bold };

struct Style {
  bool color = false;
  std::size_t width = 80;  // columns that a line may have

  // `automatic`: colours on a terminal, unless NO_COLOR is set or TERM is dumb. The width is the
  // terminal's, 80 where it does not say; elsewhere lines may have any.
  static Style of_stdout(ColorChoice choice);

  std::string paint(Tint tint, std::string_view text) const;
};

}  // namespace fwctl::cli
