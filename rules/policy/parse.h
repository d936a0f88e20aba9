// Policy files to a Policy, with every problem in them at once.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "rules/diagnostic.h"
#include "rules/policy/model.h"
#include "rules/policy/print.h"
#include "rules/policy/surroundings.h"

namespace fwctl::policy {

// All files of one policy. `managed` are policy.yaml and policy.d/*.yaml in the order they are
// read; `added` is rules.yaml.
struct Sources {
  std::vector<Source> managed;
  Source added{.name = "rules.yaml", .text = {}};
  // services.d/*.yaml in the order they are read.
  std::vector<Source> definitions;
  // The files that sets are read from; see set_files().
  std::vector<Source> set_files;
  // What the services that the policy relies on meant when it was put in force, as kept_text() has
  // it, so that it means the same later. Empty while that has not happened.
  std::string services;
  // What other names of the policy meant then, likewise.
  Surroundings surroundings;

  // By Rule::source: the managed files in order, then `added`, then the definitions; `added` for
  // what is none of them.
  const Source& at(std::size_t index) const {
    if (index < managed.size()) return managed[index];
    const std::size_t behind = index - managed.size();
    return behind == 0 || behind > definitions.size() ? added : definitions[behind - 1];
  }
  // Where something of the policy was written: "FILE:LINE".
  template <typename Written>
  std::string place_of(const Written& written) const {
    return place_in(at(written.source), written.at);
  }
  // All that are files: those of the policy, and those it refers to. `added` is one also where
  // there is no such file.
  std::vector<const Source*> files() const;
  // Of the file called `name`; nullptr where it is none of files().
  const std::string* text_of(const std::string& name) const;

  bool operator==(const Sources&) const = default;
};

struct ParsedPolicy {
  Policy policy;
  Added added;  // what rules.yaml alone says, to be changed and printed again
};

// Paths of the files that the sets of `sources` are read from, each once, as Sources::set_files has
// them for names: below the folder that `added` is in.
std::vector<std::string> set_files(const Sources& sources);
// The keys of each kind of map, by what is said where something else stands in its place: "defaults
// is a map: incoming, outgoing, routed". What documents and editors know is held against it.
using KnownKeys = std::map<std::string, std::vector<std::string>, std::less<>>;

// Appends what is wrong to `diagnostics`; the result is worth using only if nothing there is an
// error. `known`, where there is one, gets every kind of map that the sources have.
ParsedPolicy parse(const Sources& sources, Diagnostics& diagnostics, KnownKeys* known = nullptr);

// `item` is what yaml_text() makes of a rule: as parse() would have it from there as the last item
// of `sources.added`, in which it begins at `line`.
std::optional<Rule> parse_added_rule(const std::string& item, const Sources& sources,
                                     std::uint32_t line);

}  // namespace fwctl::policy
