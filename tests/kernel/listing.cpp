#include "tests/kernel/listing.h"

#include <regex>

#include "daemon/netlink/kernel.h"
#include "tests/kernel/own_namespace.h"
#include "tests/kernel/sample_rulesets.h"

namespace fwctl::testing {
namespace {

Listing list() {
  static const std::regex counts("counter packets [0-9]+ bytes [0-9]+");
  const auto listed = nft("list table inet fwctl");
  if (listed.status != 0) return {.text = {}, .error = "nft list: " + listed.output};
  return {.text = std::regex_replace(listed.output, counts, "counter"), .error = {}};
}

}  // namespace

std::string without_clocks(const std::string& listing) {
  static const std::regex clocks("timeout [0-9a-z]+ expires [0-9a-z]+ comment");
  return std::regex_replace(listing, clocks, "ends, comment");
}

Listing list_sent(const nft::Ruleset& ruleset) {
  if (auto refused = enter_new_network_namespace(); !refused.empty())
    return {.text = {}, .error = std::move(refused)};
  auto kernel = open_kernel();
  if (!kernel) return {.text = {}, .error = kernel.error().message()};
  const auto applied = (*kernel)->apply(creation(ruleset));
  if (!applied) return {.text = {}, .error = applied.error().error.message()};
  return list();
}

Listing list_loaded(const std::string& printed) {
  if (auto refused = enter_new_network_namespace(); !refused.empty())
    return {.text = {}, .error = std::move(refused)};
  const auto loaded = nft("-f -", printed);
  if (loaded.status != 0) return {.text = {}, .error = "nft -f: " + loaded.output};
  return list();
}

}  // namespace fwctl::testing
