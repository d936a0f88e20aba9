#include "daemon/store.h"

#include <unistd.h>

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>
#include <string_view>
#include <system_error>

#include "daemon/files.h"
#include "rules/digest.h"
#include "rules/number.h"

namespace fwctl {
namespace {

using Json = nlohmann::json;

constexpr std::string_view header = "fwctl-generation 1 ";
constexpr std::string_view file_prefix = "generation-";

Json to_json(const Source& source) {
  return {{"name", source.name}, {"text", source.text}};
}

Source source_from(const Json& json) {
  return {.name = json.at("name").get<std::string>(), .text = json.at("text").get<std::string>()};
}

std::string encode(const Generation& generation) {
  Json managed = Json::array();
  for (const auto& source : generation.sources.managed) managed.push_back(to_json(source));
  Json definitions = Json::array();
  for (const auto& source : generation.sources.definitions) definitions.push_back(to_json(source));
  Json sets = Json::array();
  for (const auto& source : generation.sources.set_files) sets.push_back(to_json(source));
  Json json{{"number", generation.number},           {"enabled", generation.enabled},
            {"created", generation.created},         {"reason", generation.reason},
            {"managed", std::move(managed)},         {"added", to_json(generation.sources.added)},
            {"definitions", std::move(definitions)}, {"services", generation.sources.services}};
  if (!sets.empty()) json["sets"] = std::move(sets);
  if (generation.refreshed) json["refreshed"] = true;
  if (auto names = text(generation.sources.surroundings); !names.empty())
    json["surroundings"] = std::move(names);
  const std::string body = json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
  return std::string(header) + hex(digest(body)) + "\n" + body;
}

std::optional<Generation> decode(std::string_view text) {
  const std::size_t line = text.find('\n');
  if (line == std::string_view::npos || !text.starts_with(header)) return {};
  const auto body = text.substr(line + 1);
  if (text.substr(header.size(), line - header.size()) != hex(digest(body))) return {};
  try {
    const Json json = Json::parse(body);
    Generation generation;
    generation.number = json.at("number").get<std::uint64_t>();
    generation.enabled = json.at("enabled").get<bool>();
    generation.created = json.at("created").get<std::string>();
    generation.reason = json.at("reason").get<std::string>();
    for (const auto& source : json.at("managed"))
      generation.sources.managed.push_back(source_from(source));
    generation.sources.added = source_from(json.at("added"));
    for (const auto& source : json.value("definitions", Json::array()))
      generation.sources.definitions.push_back(source_from(source));
    for (const auto& source : json.value("sets", Json::array()))
      generation.sources.set_files.push_back(source_from(source));
    generation.sources.services = json.at("services").get<std::string>();
    generation.refreshed = json.value("refreshed", false);
    auto surroundings = policy::parse_surroundings(json.value("surroundings", std::string()));
    if (!surroundings) return {};
    generation.sources.surroundings = *std::move(surroundings);
    return generation;
  } catch (const Json::exception&) {
    return {};
  }
}

}  // namespace

std::string Generation::marker() const {
  std::uint64_t sum = digest(enabled ? "enabled" : "disabled");
  for (const auto* files : {&sources.managed, &sources.definitions, &sources.set_files})
    for (const auto& source : *files) sum = digest(source.text, digest(source.name, sum));
  sum = digest(sources.services, digest(sources.added.text, sum));
  sum = digest(text(sources.surroundings), sum);
  return "generation " + std::to_string(number) + " " + hex(sum);
}

std::filesystem::path Store::file_of(std::uint64_t number) const {
  return folder_ / (std::string(file_prefix) + std::to_string(number));
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

Result<std::optional<Generation>> Store::load(const std::filesystem::path& path) {
  const auto text = read_file(path);
  if (!text) return tl::unexpected(text.error());
  if (!*text) return std::nullopt;
  auto generation = decode(**text);
  if (!generation) damaged_.push_back(path.string());
  return generation;
}

Result<std::vector<Generation>> Store::kept() {
  const auto all = numbers();
  if (!all) return tl::unexpected(all.error());
  std::vector<Generation> out;
  for (const auto number : *all) {
    auto generation = load(file_of(number));
    if (!generation) return tl::unexpected(generation.error());
    if (*generation && (*generation)->number == number) out.push_back(std::move(**generation));
  }
  return out;
}

Result<std::uint64_t> Store::highest() const {
  const auto all = numbers();
  if (!all) return tl::unexpected(all.error());
  return all->empty() ? 0 : all->front();
}

Result<std::optional<Generation>> Store::pending() {
  return load(pending_file());
}

Result<void> Store::prepare(const Generation& generation) {
  std::error_code error;
  std::filesystem::create_directories(folder_, error);
  if (error) return failed("create", folder_.string(), error.value());
  // After a power loss the kernel has forgotten it too: only what is promoted must survive that.
  auto written = write_synced(pending_file(), encode(generation), for_root);
  if (!written) static_cast<void>(discard());
  return written;
}

Result<void> Store::promote(const Generation& generation) {
  auto renamed = rename_durably(pending_file(), file_of(generation.number));
  if (!renamed) return renamed;
  const auto all = numbers();
  for (std::size_t index = most_kept; all && index < all->size(); ++index)
    ::unlink(file_of((*all)[index]).c_str());
  return {};
}

Result<void> Store::discard() {
  if (::unlink(pending_file().c_str()) != 0 && errno != ENOENT)
    return failed("remove", pending_file().string());
  return {};
}

Result<void> Store::demote(const Generation& generation) {
  const auto path = file_of(generation.number);
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return failed("remove", path.string());
  return {};
}

}  // namespace fwctl
