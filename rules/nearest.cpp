#include "rules/nearest.h"

#include <algorithm>
#include <numeric>
#include <vector>

namespace fwctl {
namespace {

std::size_t edits(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({row[j] + 1, row[j + 1] + 1, replaced});
    }
  }
  return row.back();
}

}  // namespace

std::string suggestion(std::string_view typed, std::span<const std::string_view> known) {
  if (typed.size() > 32) return {};
  std::size_t fewest = std::min<std::size_t>(2, typed.size() / 2) + 1;
  std::string_view best;
  for (const auto word : known) {
    const std::size_t distance = edits(typed, word);
    if (distance >= fewest) continue;
    fewest = distance;
    best = word;
  }
  if (best.empty()) return {};
  return ", did you mean '" + std::string(best) + "'?";
}

}  // namespace fwctl
