#include "daemon/store.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <functional>
#include <nlohmann/json.hpp>
#include <string_view>
#include <system_error>
#include <utility>

#include "daemon/files.h"
#include "rules/digest.h"
#include "rules/number.h"

namespace fwctl {
namespace {

using Json = nlohmann::json;

constexpr std::string_view header = "fwctl-generation 1 ";
constexpr std::string_view file_prefix = "generation-";
constexpr std::string_view log_prefix = "changes-";
// So many lines are read at a start, at most, and so many bytes.
constexpr std::size_t most_lines = 256;
constexpr std::size_t most_bytes = 256UL << 10;

Json to_json(const Source& source) {
  return {{"name", source.name}, {"text", source.text}};
}

Source source_from(const Json& json) {
  return {.name = json.at("name").get<std::string>(), .text = json.at("text").get<std::string>()};
}

Json to_json(const Panic& panic) {
  Json spared = Json::array();
  for (const auto& one : panic.spared)
    spared.push_back({{"from", one.peer.text()},
                      {"fromPort", one.peer_port},
                      {"to", one.own.text()},
                      {"toPort", one.own_port}});
  return {{"since", time_text(panic.since)}, {"spared", std::move(spared)}};
}

// What is no connection is spared nothing.
Panic panic_from(const Json& json) {
  Panic out{.since = parse_time(json.at("since").get<std::string>()).value_or(Time()),
            .spared = {}};
  for (const auto& one : json.at("spared")) {
    const auto peer = Address::parse(one.at("from").get<std::string>());
    const auto own = Address::parse(one.at("to").get<std::string>());
    if (peer && own && peer->family() == own->family())
      out.spared.push_back({.peer = *peer,
                            .peer_port = one.at("fromPort").get<std::uint16_t>(),
                            .own = *own,
                            .own_port = one.at("toPort").get<std::uint16_t>()});
  }
  return out;
}

// What every generation says of itself, whether it stands in a file or in a line.
void add_circumstances(Json& json, const Generation& generation) {
  json["number"] = generation.number;
  json["created"] = generation.created;
  json["reason"] = generation.reason;
  if (generation.by.uid) json["uid"] = *generation.by.uid;
  if (!generation.by.user.empty()) json["user"] = generation.by.user;
  if (!generation.by.from.empty()) json["from"] = generation.by.from;
  if (const auto& trial = generation.trial)
    json["trial"] = {{"before", trial->before},
                     {"uptime", trial->deadline.count()},
                     {"until", time_text(trial->until)},
                     {"booted", time_text(trial->booted)}};
}

// Generations of old have "uid 0: enable" for their reason.
void split_reason(Generation& generation) {
  constexpr std::string_view sign = "uid ";
  const std::string_view reason = generation.reason;
  const auto colon = reason.find(": ");
  if (generation.by.uid || !reason.starts_with(sign) || colon == std::string_view::npos) return;
  const auto uid = parse_number(reason.substr(sign.size(), colon - sign.size()), UINT32_MAX);
  if (!uid) return;
  generation.by.uid = static_cast<std::uint32_t>(*uid);
  generation.reason = std::string(reason.substr(colon + 2));
}

Trial trial_from(const Json& json) {
  const auto until = parse_time(json.at("until").get<std::string>());
  const auto booted = parse_time(json.at("booted").get<std::string>());
  // One that cannot be read is one that is over.
  return {.before = json.at("before").get<std::uint64_t>(),
          .deadline = std::chrono::milliseconds(json.at("uptime").get<std::int64_t>()),
          .until = until.value_or(Time()),
          .booted = booted.value_or(Time())};
}

void read_circumstances(const Json& json, Generation& generation) {
  generation.number = json.at("number").get<std::uint64_t>();
  generation.created = json.at("created").get<std::string>();
  generation.reason = json.at("reason").get<std::string>();
  generation.by = {};
  if (json.contains("uid")) generation.by.uid = json.at("uid").get<std::uint32_t>();
  generation.by.user = json.value("user", std::string());
  generation.by.from = json.value("from", std::string());
  generation.trial.reset();
  if (json.contains("trial")) generation.trial = trial_from(json.at("trial"));
  split_reason(generation);
}

// By byte: whether it stands for itself in a text of JSON.
constexpr auto plain_bytes = [] {
  std::array<bool, 256> out{};
  for (std::size_t byte = 0x20; byte < 0x80; ++byte) out[byte] = byte != '"' && byte != '\\';
  return out;
}();

bool stands_for_itself(char c) {
  return plain_bytes[static_cast<unsigned char>(c)];
}

// As Json writes it, several times faster where most of it stands for itself: the files of sets are
// long. A character of several bytes is never cut.
void append_quoted(std::string& out, std::string_view text) {
  out += '"';
  while (!text.empty()) {
    std::size_t length = 0;
    while (length < text.size() && stands_for_itself(text[length])) ++length;
    out += text.substr(0, length);
    text.remove_prefix(length);
    if (text.starts_with('\n')) {
      out += "\\n";
      text.remove_prefix(1);
      continue;
    }
    for (length = 0; length < text.size() && !stands_for_itself(text[length]);) ++length;
    const auto quoted =
        Json(text.substr(0, length)).dump(-1, ' ', false, Json::error_handler_t::replace);
    out.append(quoted, 1, quoted.size() - 2);
    text.remove_prefix(length);
  }
  out += '"';
}

// The last of the keys of a generation, behind all that `body` has.
void append_sets(std::string& body, const std::vector<Source>& files) {
  constexpr std::string_view end = "\n}";
  body.erase(body.size() - end.size());
  std::string_view before = ",\n \"sets\": [";
  for (const auto& file : files) {
    body.append(before).append("\n  {\"name\": ");
    append_quoted(body, file.name);
    body += ", \"text\": ";
    append_quoted(body, file.text);
    body += '}';
    before = ",";
  }
  body.append("\n ]").append(end);
}

struct Encoded {
  std::string text;
  std::uint64_t sum;  // as digest_of() finds it there
};

Encoded encode(const Generation& generation) {
  Json managed = Json::array();
  for (const auto& source : generation.sources.managed) managed.push_back(to_json(source));
  Json definitions = Json::array();
  for (const auto& source : generation.sources.definitions) definitions.push_back(to_json(source));
  Json json{{"enabled", generation.enabled},
            {"managed", std::move(managed)},
            {"added", to_json(generation.sources.added)},
            {"definitions", std::move(definitions)},
            {"services", generation.sources.services}};
  add_circumstances(json, generation);
  if (generation.panic) json["panic"] = to_json(*generation.panic);
  if (generation.refreshed) json["refreshed"] = true;
  if (generation.restored) json["restored"] = true;
  if (auto names = text(generation.sources.surroundings); !names.empty())
    json["surroundings"] = std::move(names);
  Encoded out{.text = json.dump(1, ' ', false, Json::error_handler_t::replace), .sum = 0};
  const auto& sets = generation.sources.set_files;
  if (!sets.empty()) {
    std::size_t size = 0;
    for (const auto& file : sets) size += file.text.size() + file.text.size() / 8;
    out.text.reserve(out.text.size() + size + 1024);
    append_sets(out.text, sets);
  }
  out.text += '\n';
  out.sum = digest(out.text);
  out.text.insert(0, std::string(header) + hex(out.sum) + "\n");
  return out;
}

std::optional<std::uint64_t> digest_of(std::string_view text) {
  const std::size_t line = text.find('\n');
  if (line == std::string_view::npos || !text.starts_with(header)) return {};
  const std::uint64_t sum = digest(text.substr(line + 1));
  if (text.substr(header.size(), line - header.size()) != hex(sum)) return {};
  return sum;
}

std::optional<Generation> decode(std::string_view text) {
  try {
    const Json json = Json::parse(text.substr(text.find('\n') + 1));
    Generation generation;
    read_circumstances(json, generation);
    generation.enabled = json.at("enabled").get<bool>();
    for (const auto& source : json.at("managed"))
      generation.sources.managed.push_back(source_from(source));
    generation.sources.added = source_from(json.at("added"));
    for (const auto& source : json.value("definitions", Json::array()))
      generation.sources.definitions.push_back(source_from(source));
    for (const auto& source : json.value("sets", Json::array()))
      generation.sources.set_files.push_back(source_from(source));
    generation.sources.services = json.at("services").get<std::string>();
    if (json.contains("panic")) generation.panic = panic_from(json.at("panic"));
    generation.refreshed = json.value("refreshed", false);
    generation.restored = json.value("restored", false);
    auto surroundings = policy::parse_surroundings(json.value("surroundings", std::string()));
    if (!surroundings) return {};
    generation.sources.surroundings = *std::move(surroundings);
    return generation;
  } catch (const Json::exception&) {
    return {};
  }
}

bool differ_in_rules_only(const Generation& a, const Generation& b) {
  return a.enabled == b.enabled && a.panic == b.panic && !a.refreshed && !b.refreshed &&
         !a.restored && a.sources.added.name == b.sources.added.name &&
         a.sources.managed == b.sources.managed && a.sources.definitions == b.sources.definitions &&
         a.sources.set_files == b.sources.set_files && a.sources.services == b.sources.services &&
         a.sources.surroundings == b.sources.surroundings;
}

bool inside_a_character(std::string_view text, std::size_t at) {
  return at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0U) == 0x80U;
}

std::size_t same_beginning(std::string_view a, std::string_view b) {
  constexpr std::size_t block = 4096;  // compared at once
  const std::size_t shorter = std::min(a.size(), b.size());
  std::size_t at = 0;
  while (shorter - at >= block && a.substr(at, block) == b.substr(at, block)) at += block;
  while (at < shorter && a[at] == b[at]) ++at;
  return at;
}

TextChange text_change(std::string_view old_text, std::string_view new_text) {
  const std::size_t shorter = std::min(old_text.size(), new_text.size());
  std::size_t at = same_beginning(old_text, new_text);
  while (at > 0 && (inside_a_character(old_text, at) || inside_a_character(new_text, at))) --at;
  std::size_t same = 0;  // bytes behind the change
  while (same < shorter - at &&
         old_text[old_text.size() - same - 1] == new_text[new_text.size() - same - 1])
    ++same;
  while (same > 0 && inside_a_character(new_text, new_text.size() - same)) --same;
  return {.at = at,
          .removed = old_text.size() - same - at,
          .added = std::string(new_text.substr(at, new_text.size() - same - at))};
}

std::string encode_change(const Generation& next, const TextChange& change) {
  Json json{{"at", change.at}, {"removed", change.removed}, {"added", change.added}};
  add_circumstances(json, next);
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string encode_settled(std::uint64_t number) {
  return Json{{"settled", number}}.dump();
}

std::string encode_confirmed(std::uint64_t number) {
  return Json{{"confirmed", number}}.dump();
}

Entry entry_of(const Generation& generation) {
  return {.number = generation.number,
          .enabled = generation.enabled,
          .created = generation.created,
          .reason = generation.reason,
          .refreshed = generation.refreshed,
          .by = generation.by};
}

// What a line makes of the generation before it; nullopt where it makes no sense.
std::optional<Generation> changed(Generation generation, const Json& line) {
  read_circumstances(line, generation);
  generation.restored = false;
  auto& text = generation.sources.added.text;
  const auto at = line.at("at").get<std::size_t>();
  const auto removed = line.at("removed").get<std::size_t>();
  if (at > text.size() || removed > text.size() - at) return {};
  text.replace(at, removed, line.at("added").get<std::string>());
  return generation;
}

}  // namespace

std::uint64_t Generation::sum_of_rest() const {
  std::uint64_t sum = fingerprint(enabled ? "enabled" : "disabled", 0);
  if (panic) sum = fingerprint(to_json(*panic).dump(), sum);
  for (const auto* files : {&sources.managed, &sources.definitions, &sources.set_files})
    for (const auto& source : *files) sum = fingerprint(source.text, fingerprint(source.name, sum));
  return fingerprint(text(sources.surroundings), fingerprint(sources.services, sum));
}

std::string Generation::marker(std::uint64_t rest) const {
  return "generation " + std::to_string(number) + " " + hex(fingerprint(sources.added.text, rest));
}

std::optional<TextChange> change_of_rules(const Generation& next, const Generation& before) {
  if (!differ_in_rules_only(next, before)) return {};
  return text_change(before.sources.added.text, next.sources.added.text);
}

std::filesystem::path Store::file_of(std::uint64_t number) const {
  return folder_ / (std::string(file_prefix) + std::to_string(number));
}

std::filesystem::path Store::log_of(std::uint64_t number) const {
  return folder_ / (std::string(log_prefix) + std::to_string(number));
}

Result<std::vector<std::uint64_t>> Store::numbers() const {
  std::vector<std::uint64_t> out;
  std::error_code error;
  std::filesystem::directory_iterator entries(folder_, error);
  if (error == std::errc::no_such_file_or_directory) return out;
  for (const std::filesystem::directory_iterator end; !error && entries != end;
       entries.increment(error)) {
    const std::string name = entries->path().filename().string();
    std::error_code unreadable;
    if (!name.starts_with(file_prefix) || !entries->is_regular_file(unreadable)) continue;
    if (const auto number =
            parse_number(std::string_view(name).substr(file_prefix.size()), UINT64_MAX))
      out.push_back(*number);
  }
  if (error) return failed("list", folder_.string(), error.value());
  std::sort(out.begin(), out.end(), std::greater<>());
  return out;
}

// The generation of the file, then those of its log.
Result<Store::Chapter> Store::read(std::uint64_t base) const {
  Chapter chapter;
  auto& out = chapter.generations;
  const auto path = file_of(base);
  const auto text = read_file(path);
  if (!text) return tl::unexpected(text.error());
  if (!*text) return chapter;
  const auto sum = digest_of(**text);
  auto generation = sum ? decode(**text) : std::nullopt;
  if (!generation) chapter.damaged.push_back(path.string());
  auto log = ChangeLog::open(log_of(base), sum.value_or(0));
  if (!log) return tl::unexpected(log.error());
  if (generation && log->lost() > 0) chapter.damaged.push_back(log_of(base).string());
  chapter.highest = base + log->lost();
  if (!generation || generation->number != base) return chapter;
  chapter.tail = {.base = base, .newest = base};
  out.push_back(*std::move(generation));
  for (const auto& line : log->lines()) {
    try {
      const Json json = Json::parse(line);
      if (json.contains("confirmed")) {
        if (json.at("confirmed") == out.back().number) out.back().trial.reset();
        continue;
      }
      chapter.settled = json.contains("settled");
      if (chapter.settled) continue;
      auto next = changed(out.back(), json);
      if (!next) break;
      out.push_back(*std::move(next));
    } catch (const Json::exception&) {
      break;
    }
    ++chapter.tail.lines;
    if (out.size() > most_kept) out.erase(out.begin());
  }
  chapter.tail.newest = out.back().number;
  chapter.highest = std::max(chapter.highest, chapter.tail.newest + log->lost());
  chapter.tail.log = *std::move(log);
  return chapter;
}

Result<std::vector<Generation>> Store::kept() {
  ::unlink(pending_file().c_str());  // of a change that never was
  tail_.reset();
  damaged_.clear();
  kept_.clear();
  const auto all = numbers();
  if (!all) return tl::unexpected(all.error());
  std::vector<Generation> out;
  for (const auto base : *all) {
    auto chapter = read(base);
    if (!chapter) return tl::unexpected(chapter.error());
    damaged_.insert(damaged_.end(), chapter->damaged.begin(), chapter->damaged.end());
    highest_ = std::max(highest_, chapter->highest);
    auto& generations = chapter->generations;
    if (!tail_ && !generations.empty()) {
      tail_ = std::move(chapter->tail);
      settled_ = chapter->settled;
    }
    for (auto one = generations.rbegin(); one != generations.rend(); ++one) {
      if (out.size() == most_kept) break;
      kept_.insert(kept_.begin(), {.entry = entry_of(*one), .base = base});
      out.push_back(std::move(*one));
    }
  }
  return out;
}

std::vector<Entry> Store::entries() const {
  std::vector<Entry> out;
  for (auto kept = kept_.rbegin(); kept != kept_.rend() && out.size() < most_kept; ++kept)
    out.push_back(kept->entry);
  return out;
}

// 0: it is not kept.
std::uint64_t Store::base_of(std::uint64_t number) const {
  const auto found =
      std::ranges::find(kept_, number, [](const Kept& kept) { return kept.entry.number; });
  return found == kept_.end() ? 0 : found->base;
}

Result<std::optional<Generation>> Store::find(std::uint64_t number) const {
  const auto base = base_of(number);
  if (base == 0) return std::nullopt;
  auto chapter = read(base);
  if (!chapter) return tl::unexpected(chapter.error());
  for (auto& generation : chapter->generations)
    if (generation.number == number) return std::move(generation);
  return std::nullopt;
}

Result<void> Store::append(const Generation& next, std::uint64_t before,
                           const std::optional<TextChange>& change) {
  std::error_code error;
  std::filesystem::create_directories(folder_, error);
  if (error) return failed("create", folder_.string(), error.value());
  const bool line = change && tail_ && tail_->newest == before && tail_->log &&
                    tail_->log->writable() && tail_->lines < most_lines &&
                    tail_->log->size() < most_bytes;
  auto done = line ? append_line(next, before, *change) : append_file(next);
  if (!done && line && done.error().code == ESTALE) done = append_file(next);
  if (!done) return done;
  settled_before_ = std::exchange(settled_, false);
  highest_ = std::max(highest_, next.number);
  remember(next, tail_->base);
  if (was_file_) remove_old(next);
  return {};
}

// One more than most_kept, in case the newest is taken back.
void Store::remember(const Generation& generation, std::uint64_t base) {
  kept_.push_back({.entry = entry_of(generation), .base = base});
  if (kept_.size() > most_kept + 1) kept_.erase(kept_.begin());
}

Result<void> Store::append_line(const Generation& next, std::uint64_t before,
                                const TextChange& change) {
  auto done = tail_->log->append(encode_change(next, change), true);
  if (!done) return done;
  was_file_ = false;
  ++tail_->lines;
  tail_->newest = next.number;
  newest_before_ = before;
  return {};
}

Result<void> Store::append_file(const Generation& next) {
  const auto [text, sum] = encode(next);
  auto done = ChangeLog::create(log_of(next.number));
  if (done) done = write_synced(pending_file(), text, for_root);
  if (done) done = rename_durably(pending_file(), file_of(next.number));
  if (done && kept_.empty()) done = sync_folder(folder_ / "..");  // the folder may be as new
  if (!done) {
    for (const auto& path : {pending_file(), file_of(next.number), log_of(next.number)})
      ::unlink(path.c_str());
    return done;
  }
  Tail tail{.base = next.number, .newest = next.number};
  // Where it cannot be opened the next generation gets a file again.
  if (auto log = ChangeLog::open(log_of(next.number), sum)) tail.log = *std::move(log);
  tail_before_ = std::exchange(tail_, std::move(tail));
  was_file_ = true;
  return {};
}

Result<void> Store::take_back() {
  settled_ = settled_before_;
  kept_.pop_back();
  if (!was_file_) {
    tail_->newest = newest_before_;
    --tail_->lines;
    return tail_->log->take_back();
  }
  const auto number = tail_->base;
  tail_ = std::exchange(tail_before_, std::nullopt);
  return forget(number);
}

Result<void> Store::confirm() {
  if (!tail_ || !tail_->log || !tail_->log->writable())
    return failed("append to", log_of(tail_ ? tail_->base : 0).string(), EBADF);
  return tail_->log->append(encode_confirmed(tail_->newest), true);
}

Result<void> Store::forget(std::uint64_t number) {
  std::erase_if(kept_, [&](const Kept& kept) { return kept.entry.number == number; });
  for (const auto& path : {file_of(number), log_of(number)})
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) return failed("remove", path.string());
  return sync_folder(folder_);
}

void Store::settle() {
  if (settled_ || !tail_ || !tail_->log || !tail_->log->writable()) return;
  settled_ = tail_->log->append(encode_settled(tail_->newest), false).has_value();
}

// Those of whose generations none is among the newest `most_kept`, and those, from the oldest on,
// that are too much together.
void Store::remove_old(const Generation& newest) {
  const auto all = numbers();
  if (!all) return;
  const auto needed = newest.trial ? base_of(newest.trial->before) : 0;
  std::uintmax_t bytes = 0;
  for (std::size_t index = 0; index < all->size(); ++index) {
    const auto base = (*all)[index];
    for (const auto& path : {file_of(base), log_of(base)}) {
      std::error_code unknown;
      const auto size = std::filesystem::file_size(path, unknown);
      if (!unknown) bytes += size;
    }
    const bool new_enough = index == 0 || (*all)[index - 1] + most_kept > newest.number + 1;
    if (base == needed || (new_enough && (index < 2 || bytes <= most_bytes_))) continue;
    ::unlink(file_of(base).c_str());
    ::unlink(log_of(base).c_str());
    std::erase_if(kept_, [&](const Kept& kept) { return kept.base == base; });
  }
}

}  // namespace fwctl
