#include "daemon/bans.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace fwctl {

using std::chrono::milliseconds;
using std::chrono::seconds;

std::optional<milliseconds> Ban::end() const {
  if (!lasting) return {};
  return began + *lasting;
}

std::optional<seconds> Ban::left(const Instant& now) const {
  if (!lasting) return {};
  return std::max(std::chrono::ceil<seconds>(*end() - now.uptime), seconds(0));
}

std::optional<Time> Ban::until(const Instant& now) const {
  if (!lasting) return {};
  const Time planned = since + *lasting;
  const Time expected = now.wall + *left(now);
  // Nobody has set that clock: then it does not waver with the moment in which it is asked.
  return std::chrono::abs(expected - planned) <= seconds(1) ? planned : expected;
}

std::set<PrefixKind> Bans::kinds() const {
  std::set<PrefixKind> out;
  for (const auto& [kind, count] : kinds_) out.insert(out.end(), kind);
  return out;
}

const Ban* Bans::find(const Prefix& prefix, const Instant& now) const {
  const auto found = bans_.find(prefix);
  return found == bans_.end() || found->second.over(now) ? nullptr : &found->second;
}

std::optional<std::pair<Prefix, Ban>> Bans::covering(const AddressRange& range,
                                                     const Instant& now) const {
  const auto ends_later = [](const Ban& one, const Ban& other) {
    return other.end() && (!one.end() || *one.end() > *other.end());
  };
  std::optional<std::pair<Prefix, Ban>> last;
  for (const auto& [kind, count] : kinds_) {
    if (kind.family != range.family()) continue;
    const Prefix around{.address = prefix(range.first, kind.length).first, .length = kind.length};
    const Ban* ban = around.range().contains(range) ? find(around, now) : nullptr;
    if (ban != nullptr && (!last || ends_later(*ban, last->second))) last.emplace(around, *ban);
  }
  return last;
}

std::size_t Bans::count(const Instant& now) const {
  return static_cast<std::size_t>(
      std::ranges::count_if(bans_, [&](const auto& ban) { return !ban.second.over(now); }));
}

std::size_t Bans::meeting(const AddressRange& range, const Instant& now) const {
  return static_cast<std::size_t>(std::ranges::count_if(bans_, [&](const auto& ban) {
    return !ban.second.over(now) && ban.first.range().overlaps(range);
  }));
}

std::shared_ptr<const BanOrigin> Bans::share(BanOrigin origin) {
  return *origins_.insert(std::make_shared<const BanOrigin>(std::move(origin))).first;
}

void Bans::put(const Prefix& prefix, Ban ban) {
  const auto [there, added] = bans_.insert_or_assign(prefix, std::move(ban));
  if (added) ++kinds_[prefix.kind()];
}

void Bans::erase(const Prefix& prefix) {
  if (bans_.erase(prefix) == 0) return;
  const auto kind = kinds_.find(prefix.kind());
  if (--kind->second == 0) kinds_.erase(kind);
}

void Bans::prune(const Instant& now) {
  std::vector<Prefix> over;
  for (const auto& [prefix, ban] : bans_)
    if (ban.over(now)) over.push_back(prefix);
  for (const auto& prefix : over) erase(prefix);
  std::erase_if(origins_, [](const auto& origin) { return origin.use_count() == 1; });
}

}  // namespace fwctl
