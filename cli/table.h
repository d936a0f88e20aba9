// Columns that line up.
#pragma once

#include <string>
#include <vector>

#include "cli/style.h"

namespace fwctl::cli {

struct Cell {
  std::string text;
  Tint tint = Tint::plain;
};

class Table {
 public:
  struct Column {
    std::string head;
    bool right = false;  // aligned
  };

  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  // As many cells as there are columns.
  void add(std::vector<Cell> row) { rows_.push_back(std::move(row)); }

  // Columns without any text are left out. What does not fit the style's width is cut from the last
  // column, with a '~' for what is gone.
  std::string text(const Style& style) const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<Cell>> rows_;
};

}  // namespace fwctl::cli
