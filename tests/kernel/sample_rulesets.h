// Rulesets that between them use everything nft/ruleset.h can say.
#pragma once

#include <initializer_list>
#include <iosfwd>
#include <string>
#include <vector>

#include "rules/nft/changes.h"

namespace fwctl::testing {

struct Sample {
  std::string name;
  nft::Ruleset ruleset;
};

std::ostream& operator<<(std::ostream& out, const Sample& sample);

std::vector<Sample> sample_rulesets();

// From nothing to `ruleset`, in an order the kernel takes.
nft::Changes creation(const nft::Ruleset& ruleset);

// Building blocks.
nft::Bytes host(std::uint32_t number);
nft::Bytes half(std::uint16_t number);  // host order
nft::Bytes ethernet(std::initializer_list<std::uint8_t> address);
nft::Bytes port(std::uint16_t number);
nft::Bytes byte(std::uint8_t number);
nft::Bytes ip(const std::string& address);      // either family
nft::Bytes interface(const std::string& name);  // padded
nft::Verdict accept();
nft::Verdict drop();
nft::Rule rule(std::vector<nft::Statement> statements, std::string comment = {});
nft::Chain chain(std::string name, std::vector<nft::Rule> rules = {});
nft::Chain input_chain(std::vector<nft::Rule> rules = {});

}  // namespace fwctl::testing
