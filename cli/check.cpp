#include "cli/check.h"

#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>

#include "daemon/config.h"
#include "daemon/files.h"
#include "rules/policy/check.h"

namespace fwctl::cli {
namespace {

constexpr std::string_view default_folder = "/etc/fwctl";

Result<policy::Sources> read(const std::string& path) {
  if (std::filesystem::is_directory(path)) return ConfigFolder(path).read();
  auto text = read_file(path);
  if (!text) return tl::unexpected(text.error());
  if (!*text) return failed("open", path, ENOENT);
  policy::Sources sources;
  sources.managed.push_back({.name = path, .text = std::move(**text)});
  return sources;
}

nlohmann::json to_json(const Diagnostics& diagnostics) {
  auto out = nlohmann::json::array();
  for (const auto& diagnostic : diagnostics)
    out.push_back({{"severity", diagnostic.severity == Severity::error ? "error" : "warning"},
                   {"file", diagnostic.file},
                   {"line", diagnostic.at.line},
                   {"column", diagnostic.at.column},
                   {"length", diagnostic.at.length},
                   {"message", diagnostic.message},
                   {"text", diagnostic.text}});
  return out;
}

}  // namespace

int check_files(const Arguments& arguments) {
  const auto sources = read(arguments.file.empty() ? std::string(default_folder) : arguments.file);
  if (!sources) {
    std::cerr << "fwctl: " << sources.error().message() << "\n";
    return exit_refused;
  }
  const auto services = read_file("/etc/services");
  Diagnostics diagnostics;
  const auto policy =
      policy::load(*sources, services && *services ? **services : std::string(), diagnostics);
  if (arguments.json) {
    std::cout << nlohmann::json{{"valid", policy.has_value()},
                                {"diagnostics", to_json(diagnostics)}}
                     .dump(2, ' ', false, nlohmann::json::error_handler_t::replace)
              << "\n";
    return policy ? exit_done : exit_refused;
  }
  std::cerr << render(diagnostics);
  if (!policy) return exit_refused;
  const auto files = sources->managed.size() + (sources->added.text.empty() ? 0 : 1);
  const auto rules = policy->policy().rules.size();
  std::cout << "Valid: " << rules << (rules == 1 ? " rule" : " rules") << " in " << files
            << (files == 1 ? " file.\n" : " files.\n");
  return exit_done;
}

}  // namespace fwctl::cli
