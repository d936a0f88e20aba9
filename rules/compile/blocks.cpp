#include "rules/compile/blocks.h"

#include <utility>

namespace fwctl::compile {
namespace {

// How far back a clause looks for a block of its kind. It bounds the compiler's own time.
constexpr std::size_t most_passed_by = 64;

}  // namespace

bool Block::disjoint(const Clause& clause) {
  if (!coverage_) {
    coverage_.emplace();
    for (const auto& entry : entries) coverage_->add(entry.clause);
  }
  return coverage_->disjoint(clause);
}

std::optional<Joined> Blocks::join(const policy::CheckedRule& rule, Clause clause) {
  const Split parts = split(clause, traffic_);
  return join(rule, clause, parts);
}

std::optional<Joined> Blocks::join(const policy::CheckedRule& rule, Clause& clause,
                                   const Split& parts) {
  if (parts.fields.empty()) return {};
  std::size_t passed_by = 0;
  for (auto block = blocks_.rbegin(); block != blocks_.rend() && passed_by < most_passed_by;
       ++block, ++passed_by) {
    if (block->takes(parts)) {
      if (auto boxes = block->cells.claim(parts.box, &rule)) {
        if (block->coverage_) block->coverage_->add(clause);
        block->entries.push_back({&rule, std::move(clause)});
        const auto index = static_cast<std::size_t>(blocks_.rend() - block) - 1;
        return Joined{.block = index, .boxes = *std::move(boxes)};
      }
    }
    if (!block->disjoint(clause)) return {};
  }
  return {};
}

void Blocks::add(const policy::CheckedRule& rule, Clause clause, bool looked_up) {
  Split parts =
      looked_up ? split(clause, traffic_) : Split{.rest = clause, .fields = {}, .box = {}};
  if (join(rule, clause, parts)) return;
  Block block;
  block.rest = std::move(parts.rest);
  block.fields = std::move(parts.fields);
  block.cells = Cells(block.fields);
  if (!block.fields.empty()) block.cells.claim(parts.box, &rule);
  block.entries.push_back({&rule, std::move(clause)});
  blocks_.push_back(std::move(block));
}

std::vector<Block> Blocks::take() {
  return std::exchange(blocks_, {});
}

}  // namespace fwctl::compile
