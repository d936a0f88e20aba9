// The objects in nft's own language, the way `nft list` prints them.
#pragma once

#include <optional>
#include <string>

#include "rules/nft/changes.h"
#include "rules/nft/ruleset.h"

namespace fwctl::nft {

// One block `table inet fwctl { ... }`, sets first, that `nft -f` loads as it stands. Names,
// comments and log prefixes are taken to hold no double quote: the language cannot say one. Without
// `now`, elements that end have their end as a comment only, and would stay.
std::string text(const Ruleset& ruleset, std::optional<Time> now = std::nullopt);

// One line without its end. A match that what follows implies is left out: `meta l4proto tcp`
// before a port becomes `tcp dport 22`.
std::string text(const Rule& rule);

std::string text(const Verdict& verdict);

// One line a change, in the manner of nft's commands; for people, and not meant to be loaded.
std::string text(const Changes& changes);

}  // namespace fwctl::nft
