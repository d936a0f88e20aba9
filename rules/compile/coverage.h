// Which packets some clauses may match, field by field: a quick way to see that others cannot meet
// the same ones.
#pragma once

#include <array>
#include <map>
#include <optional>

#include "rules/compile/clause.h"
#include "rules/nft/ruleset.h"

namespace fwctl::compile {

class Coverage {
 public:
  void add(const Clause& clause);
  // No packet is matched by `clause` and by one that was added. It may say no where that is so.
  bool disjoint(const Clause& clause) const;

 private:
  // Values as numbers in network order, overlapping ranges merged.
  class Ranges {
   public:
    void add(nft::Bytes first, nft::Bytes last);
    bool meets(const nft::Bytes& first, const nft::Bytes& last) const;

   private:
    std::map<nft::Bytes, nft::Bytes> ranges_;  // first → last
  };
  // What clauses ask of one field.
  struct Field {
    Ranges ranges;
    bool any = false;  // one asks nothing, or what cannot be told as a range
  };
  struct Span {
    nft::Bytes first;
    nft::Bytes last;
  };
  static constexpr std::size_t field_count = 7;
  // nullopt: anything, or what cannot be told as a range.
  static std::array<std::optional<Span>, field_count> spans(const Clause& clause);

  std::array<Field, field_count> fields_;
};

}  // namespace fwctl::compile
