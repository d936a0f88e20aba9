#include "rules/nft/drift.h"

#include <algorithm>
#include <string_view>

#include "rules/nft/plan.h"

namespace fwctl::nft {
namespace {

template <typename Object>
void compare(std::string_view kind, const std::vector<Object>& was, const std::vector<Object>& is,
             std::vector<std::string>& out) {
  const auto say = [&](const Object& object, std::string_view what) {
    std::string line =
        std::string(kind) + " " + std::string(plain_name(object.name)) + " " + std::string(what);
    if (std::ranges::find(out, line) == out.end()) out.push_back(std::move(line));
  };
  for (const auto& object : was) {
    const auto found = std::ranges::find(is, object.name, &Object::name);
    if (found == is.end())
      say(object, "is gone");
    else if (!(*found == object))
      say(object, "was changed");
  }
  for (const auto& object : is)
    if (std::ranges::find(was, object.name, &Object::name) == was.end()) say(object, "is new");
}

}  // namespace

std::vector<std::string> drift(const std::optional<Ruleset>& was,
                               const std::optional<Ruleset>& is) {
  std::vector<std::string> out;
  if (was && !is) return {"it is gone"};
  if (!was && is) return {"it is new"};
  if (!was) return out;
  compare("chain", was->chains, is->chains, out);
  compare("set", was->sets, is->sets, out);
  return out;
}

}  // namespace fwctl::nft
