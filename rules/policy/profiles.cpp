#include "rules/policy/profiles.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <string>

#include "rules/ascii.h"
#include "rules/policy/items.h"

namespace fwctl::policy {
namespace {

constexpr std::size_t longest_key = 64;
constexpr std::size_t longest_value = 1024;
constexpr std::string_view blanks = " \t\r";

std::string_view trimmed(std::string_view text) {
  const auto begin = text.find_first_not_of(blanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(blanks) - begin + 1);
}

std::string folder_of(std::string_view path) {
  return std::string(path.substr(0, path.rfind('/') + 1));
}

// Reads one file; a problem in a section costs that section.
class ProfileReader {
 public:
  ProfileReader(const Source& source, const ServiceTable& host, Diagnostics& warnings)
      : source_(source), host_(host), warnings_(warnings) {}

  std::vector<Definition> read() {
    std::string_view rest = source_.text;
    while (!rest.empty()) {
      const auto end = std::min(rest.find('\n'), rest.size());
      ++line_;
      read_line(rest.substr(0, end));
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    finish();
    return std::move(profiles_);
  }

 private:
  struct Field {
    std::string value;
    Span at;  // of the value's first line
  };

  Span span(std::string_view line, std::string_view piece) const {
    return {.line = line_,
            .column = static_cast<std::uint32_t>(piece.data() - line.data() + 1),
            .length = static_cast<std::uint32_t>(std::max<std::size_t>(piece.size(), 1))};
  }

  void warn(Span at, const std::string& message) {
    broken_ = true;
    warnings_.push_back(warning_in(source_, at, message + "; this profile is left out"));
  }

  void read_line(std::string_view line) {
    const auto content = trimmed(line);
    if (content.empty() || content.front() == '#' || content.front() == ';') return;
    const bool continued = blanks.find(line.front()) != std::string_view::npos;
    if (continued && last_ != nullptr)
      last_->value += "\n" + std::string(content);
    else if (content.front() == '[')
      read_head(line, content);
    else
      read_field(line, content);
  }

  void read_head(std::string_view line, std::string_view content) {
    finish();
    const auto close = content.find(']');
    const auto name = content.substr(1, close == std::string_view::npos ? close : close - 1);
    open_ = true;
    current_ = {.name = std::string(name),
                .title = {},
                .description = {},
                .ports = {},
                .origin = Origin::profile,
                .profile = true,
                .file = source_.name,
                .line = line_};
    head_ = span(line, name);
    if (close == std::string_view::npos) return warn(head_, "a name that is not closed with ]");
    if (!valid_profile(name))
      return warn(head_,
                  "a profile's name begins with a letter or digit, has letters, digits, blanks and "
                  "any of _.+- and at least one letter, at most 64 in all, and is no word of the "
                  "rule language");
    const auto* known = host_.find(current_.name);
    if (known != nullptr && known->origin == Origin::system)
      warn(head_, "'" + current_.name + "' is a name in /etc/services");
  }

  void read_field(std::string_view line, std::string_view content) {
    const auto equals = content.find_first_of("=:");
    if (!open_ || equals == std::string_view::npos) {
      if (open_ && !broken_)
        warn(span(line, content), "a line that is neither KEY=VALUE nor [NAME]");
      if (!open_)
        warnings_.push_back(
            warning_in(source_, span(line, content), "a line before the first [NAME]"));
      return;
    }
    const auto key = trimmed(content.substr(0, equals));
    const auto value = trimmed(content.substr(equals + 1));
    if (key.size() > longest_key) return warn(span(line, key), "a key of more than 64 characters");
    Field field{.value = std::string(value),
                .at = value.empty() ? span(line, key) : span(line, value)};
    // In any case, as ufw's reader of such files takes keys.
    last_ = &(fields_[lower(key)] = std::move(field));
  }

  void finish() {
    if (!open_) return;
    if (!broken_) current_.title = required("title");
    if (!broken_) current_.description = required("description");
    if (!broken_) read_ports(required("ports"));
    if (!broken_) profiles_.push_back(std::move(current_));
    open_ = broken_ = false;
    last_ = nullptr;
    fields_.clear();
  }

  // One line of text.
  std::string required(const std::string& key) {
    const auto found = fields_.find(key);
    if (found == fields_.end() || found->second.value.empty()) {
      warn(head_, "profile '" + current_.name + "' has no " + key);
      return {};
    }
    auto& [value, at] = found->second;
    if (value.size() > longest_value) warn(at, "a value of more than 1024 characters");
    std::replace_if(value.begin(), value.end(), [](char c) { return !one_line({&c, 1}); }, ' ');
    return value;
  }

  // "12/udp|34|56,78:90/tcp": a list or a range says its protocol.
  void read_ports(std::string_view text) {
    if (broken_) return;
    const Span at = fields_.at("ports").at;
    std::uint32_t item = 0;
    for (std::size_t begin = 0; begin <= text.size() && !broken_; ++item) {
      const auto end = std::min(text.find('|', begin), text.size());
      read_item(text.substr(begin, end - begin), at, begin, item + 1);
      begin = end + 1;
    }
  }

  void read_item(std::string_view piece, Span at, std::size_t offset, std::uint32_t item) {
    at.column += static_cast<std::uint32_t>(offset);
    at.length = static_cast<std::uint32_t>(std::max<std::size_t>(piece.size(), 1));
    const auto slash = piece.find('/');
    const auto numbers = piece.substr(0, slash);
    std::optional<Protocol> protocol;
    if (slash != std::string_view::npos) {
      protocol = Protocol::parse(piece.substr(slash + 1));
      if (protocol != tcp && protocol != udp)
        return warn(at, "the protocol of ports is tcp or udp");
    } else if (numbers.find_first_of(",:") != std::string_view::npos) {
      return warn(at, "lists and ranges of ports need a protocol: " + std::string(piece) + "/tcp");
    }
    const auto ports = parse_ports(numbers);
    if (!ports) return warn(at, ports.error().message);
    for (const auto& port : *ports) {
      const auto* range = std::get_if<PortRange>(&port.what);
      if (range == nullptr) return warn(at, "ports are numbers");
      for (const auto one : protocol ? std::vector{*protocol} : std::vector{tcp, udp})
        current_.ports.push_back({.protocol = one, .ports = *range, .item = item});
    }
    if (ports->empty()) warn(at, "ports are numbers");
  }

  const Source& source_;
  const ServiceTable& host_;
  Diagnostics& warnings_;
  std::vector<Definition> profiles_;
  std::uint32_t line_ = 0;

  // The section that is being read.
  bool open_ = false;
  bool broken_ = false;  // and has been complained of
  Definition current_;
  Span head_;
  std::map<std::string, Field> fields_;
  Field* last_ = nullptr;  // continued by lines that begin with a blank
};

}  // namespace

bool is_profile_file(std::string_view name) {
  constexpr std::array<std::string_view, 6> left_over{".dpkg-new", ".dpkg-old", ".dpkg-dist",
                                                      ".rpmnew",   ".rpmsave",  "~"};
  return !name.empty() && name.front() != '.' &&
         std::none_of(left_over.begin(), left_over.end(),
                      [&](std::string_view end) { return name.ends_with(end); });
}

std::vector<Definition> parse_profiles(const std::vector<Source>& files,
                                       std::string_view etc_services, Diagnostics& warnings) {
  const ServiceTable host(etc_services);
  std::vector<Definition> out;
  std::map<std::string, std::string> places;  // folder and name to file:line
  for (const auto& file : files)
    for (auto& profile : ProfileReader(file, host, warnings).read()) {
      const std::string place = place_in(file, {.line = profile.line});
      const auto [first, fresh] =
          places.try_emplace(folder_of(file.name) + "\n" + profile.name, place);
      if (!fresh) {
        const Span at{.line = profile.line,
                      .column = 2,
                      .length = static_cast<std::uint32_t>(profile.name.size())};
        warnings.push_back(warning_in(file, at,
                                      "profile '" + profile.name + "' also stands at " +
                                          first->second + "; this one counts"));
        first->second = place;
      }
      out.push_back(std::move(profile));
    }
  return out;
}

}  // namespace fwctl::policy
