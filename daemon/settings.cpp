#include "daemon/settings.h"

#include <grp.h>
#include <pwd.h>

#include <optional>

#include "daemon/files.h"
#include "rules/diagnostic.h"
#include "rules/yaml.h"

namespace fwctl {
namespace {

// The group whose members may look, made by systemd/fwctl.sysusers.conf.
constexpr const char* looking_group = "fwctl";

class Reader {
 public:
  explicit Reader(Source source) : source_(std::move(source)) {}

  Diagnostics read(Settings& settings) {
    const auto root = yaml::parse(source_, diagnostics_);
    if (!root || root->kind == yaml::Kind::null) return diagnostics_;
    for (const auto& [key, value] : entries(*root)) {
      if (key.scalar == "access")
        read_access(value, settings.access);
      else if (key.scalar == "protection")
        read_protection(value, settings.protection);
      else if (key.scalar != "version" || value.scalar != "1")
        complain(key, "expected 'version: 1', 'access:' or 'protection:'");
    }
    return diagnostics_;
  }

 private:
  void complain(const yaml::Node& node, std::string_view message) {
    diagnostics_.push_back(error_in(source_, node.at, message));
  }

  const std::vector<yaml::Entry>& entries(const yaml::Node& node) {
    if (node.kind != yaml::Kind::map) complain(node, "a map is expected here");
    return node.entries;
  }

  void read_protection(const yaml::Node& node, Protection& protection) {
    if (node.scalar == "kernel")
      protection = Protection::kernel;
    else if (node.scalar == "watching")
      protection = Protection::watching;
    else
      complain(node, "expected 'kernel' or 'watching'");
  }

  void read_access(const yaml::Node& node, Access& access) {
    for (const auto& [key, value] : entries(node)) {
      std::optional<Role> role;
      for (const auto known : {Role::look, Role::change})
        if (key.scalar == name(known)) role = known;
      if (!role) {
        complain(key, "a role is look or change");
        continue;
      }
      if (value.kind != yaml::Kind::list)
        complain(value, "a list of users and @groups is expected here");
      for (const auto& who : value.items) grant(who, *role, access);
    }
  }

  void grant(const yaml::Node& who, Role role, Access& access) {
    if (who.scalar.starts_with('@')) {
      if (const group* found = ::getgrnam(who.scalar.c_str() + 1))
        access.groups.emplace_back(found->gr_gid, role);
      else
        complain(who, "no group is called '" + who.scalar.substr(1) + "'");
    } else if (const passwd* found = ::getpwnam(who.scalar.c_str())) {
      access.users.emplace_back(found->pw_uid, role);
    } else {
      complain(who, "no user is called '" + who.scalar + "'");
    }
  }

  Source source_;
  Diagnostics diagnostics_;
};

}  // namespace

Result<Settings> read_settings(const std::filesystem::path& file) {
  Settings settings;
  if (const group* looking = ::getgrnam(looking_group))
    settings.access.groups.emplace_back(looking->gr_gid, Role::look);
  auto text = read_file(file, 1UL << 20);
  if (!text) return tl::unexpected(text.error());
  if (!*text) return settings;
  const auto diagnostics =
      Reader({.name = file.string(), .text = std::move(**text)}).read(settings);
  if (diagnostics.empty()) return settings;
  return failed("read", file.string(), 0, "\n" + render(diagnostics));
}

}  // namespace fwctl
