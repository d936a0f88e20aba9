#include "rules/policy/edit_translation.h"

#include <algorithm>

namespace fwctl::policy {
namespace {

const std::vector<Forward>& all(const Policy& policy, const Forward& /*kind*/) {
  return policy.forwards;
}
const std::vector<Masquerade>& all(const Policy& policy, const Masquerade& /*kind*/) {
  return policy.masquerades;
}
std::vector<Forward>& all(Added& added, const Forward& /*kind*/) {
  return added.forwards;
}
std::vector<Masquerade>& all(Added& added, const Masquerade& /*kind*/) {
  return added.masquerades;
}

template <typename Item>
auto same_as(const Item& item) {
  return [&item](const Item& other) { return other.same_meaning(item); };
}

template <typename Item>
EditResult add_one(const CheckedPolicy& policy, const Sources& sources, const Added& added,
                   const Item& item) {
  Edit edit{.added = added};
  const auto& there = all(policy.policy(), item);
  const auto twin = std::find_if(there.begin(), there.end(), same_as(item));
  auto& own = all(edit.added, item);
  if (twin == there.end()) {
    own.push_back(item);
    edit.changed = true;
    return edit;
  }
  const bool keeps_comment = item.comment.empty() && !item.no_comment;
  if (twin->managed || keeps_comment || item.comment == twin->comment) {
    edit.notes.push_back("already there: '" + command_text(*twin) + "'" +
                         (twin->managed ? " (" + sources.place_of(*twin) + ")" : ""));
    return edit;
  }
  std::find_if(own.begin(), own.end(), same_as(item))->comment = item.comment;
  edit.changed = true;
  return edit;
}

template <typename Item>
EditResult remove_one(const CheckedPolicy& policy, const Sources& sources, const Added& added,
                      const Item& item) {
  Edit edit{.added = added};
  const auto matches = [&](const Item& other) {
    return other.same_meaning(item) && (item.comment.empty() || item.comment == other.comment);
  };
  const auto& there = all(policy.policy(), item);
  const auto managed = std::find_if(there.begin(), there.end(), [&](const Item& other) {
    return other.managed && matches(other);
  });
  if (managed != there.end())
    return tl::unexpected("'" + command_text(*managed) + "' stands in " +
                          sources.place_of(*managed) +
                          ", a file that fwctl does not write: delete it there, then 'fwctl "
                          "reload'");
  edit.changed = std::erase_if(all(edit.added, item), matches) > 0;
  if (!edit.changed) edit.notes.push_back("nothing says '" + command_text(item) + "'");
  return edit;
}

}  // namespace

EditResult add(const CheckedPolicy& policy, const Sources& sources, const Added& added,
               const Translation& translation) {
  return std::visit([&](const auto& item) { return add_one(policy, sources, added, item); },
                    translation);
}

EditResult remove(const CheckedPolicy& policy, const Sources& sources, const Added& added,
                  const Translation& translation) {
  return std::visit([&](const auto& item) { return remove_one(policy, sources, added, item); },
                    translation);
}

}  // namespace fwctl::policy
