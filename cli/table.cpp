#include "cli/table.h"

#include <algorithm>
#include <cassert>

namespace fwctl::cli {
namespace {

constexpr std::size_t gap = 2;
// A last column cut to less than this says nothing: the line is left to wrap instead.
constexpr std::size_t least = 12;

// Columns of a terminal that a UTF-8 text takes, one a character.
std::size_t columns_of(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U;
  }));
}

std::string cut(const std::string& text, std::size_t room) {
  if (columns_of(text) <= room || room < least) return text;
  std::string out;
  std::size_t taken = 0;
  for (const char c : text) {
    const bool begins = (static_cast<unsigned char>(c) & 0xc0U) != 0x80U;
    if (begins && ++taken == room) break;
    out += c;
  }
  return out + "~";
}

}  // namespace

std::string Table::text(const Style& style) const {
  std::vector<std::size_t> widths(columns_.size(), 0);
  for (const auto& row : rows_) {
    assert(row.size() == columns_.size());
    for (std::size_t i = 0; i < row.size(); ++i)
      widths[i] = std::max(widths[i], columns_of(row[i].text));
  }
  std::vector<std::size_t> shown;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    if (widths[i] == 0) continue;
    widths[i] = std::max(widths[i], columns_of(columns_[i].head));
    shown.push_back(i);
  }
  std::string out;
  const auto line = [&](const auto& cell_at) {
    std::string text;
    std::size_t used = 0;
    for (const auto i : shown) {
      Cell cell = cell_at(i);
      if (i != shown.front()) {
        text += std::string(gap, ' ');
        used += gap;
      }
      if (i == shown.back())
        cell.text = cut(cell.text, style.width > used ? style.width - used : 0);
      const std::size_t missing = widths[i] - std::min(widths[i], columns_of(cell.text));
      const std::string pad(missing, ' ');
      const std::string painted = style.paint(cell.tint, cell.text);
      text += columns_[i].right ? pad + painted : painted + pad;
      used += widths[i];
    }
    text.erase(text.find_last_not_of(' ') + 1);
    out += text + "\n";
  };
  line([&](std::size_t i) { return Cell{columns_[i].head, Tint::bold}; });
  for (const auto& row : rows_) line([&](std::size_t i) { return row[i]; });
  return out;
}

}  // namespace fwctl::cli
