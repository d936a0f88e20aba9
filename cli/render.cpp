#include "cli/render.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "cli/phrases.h"
#include "cli/table.h"
#include "daemon/protocol/diagnostics.h"
#include "rules/joined.h"
#include "rules/moment.h"

namespace fwctl::cli {
namespace {

using protocol::Json;

std::string lower_file_name(const std::string& path) {
  return path.substr(path.rfind('/') + 1);
}

std::string action(const Json& rule) {
  std::string out = string_at(rule, "verdict");
  if (out == "limit") out += " " + string_at(rule, "rate");
  const std::string direction = string_at(rule, "direction");
  if (direction != "in") out += " " + direction;
  const std::string log = string_at(rule, "log");
  if (log != "off") out += log == "all" ? " log-all" : " log";
  return out;
}

std::string count(const Json& rule) {
  return rule.contains("packets") ? std::to_string(rule.at("packets").get<std::uint64_t>())
                                  : std::string();
}

// Of a temporary rule.
std::string time_left(const Json& rule) {
  if (!rule.contains("secondsLeft")) return {};
  const auto left = rule.at("secondsLeft").get<std::int64_t>();
  return left == 0 ? "ended" : span_text(std::chrono::seconds(left));
}

std::string place(const Json& rule) {
  if (!rule.value("managed", false)) return {};
  return lower_file_name(string_at(rule, "file")) + ":" + std::to_string(rule.value("line", 0));
}

std::string rule_table(const Json& rules, bool verbose, const Style& style) {
  Table table({{"#", true},
               {"ACTION"},
               {"TO"},
               {"FROM"},
               {"ON"},
               {"PACKETS", true},
               {"ENDS IN", true},
               {"ID"},
               {"FILE"},
               {"COMMENT"}});
  for (const auto& rule : rules) {
    table.add({{std::to_string(rule.value("number", 0)), Tint::dim},
               {action(rule), tint_of(string_at(rule, "verdict"))},
               {string_at(rule, "what")},
               {string_at(rule, "from")},
               {string_at(rule, "on")},
               {count(rule)},
               {time_left(rule), Tint::warn},
               {verbose ? string_at(rule, "id") : std::string(), Tint::dim},
               {place(rule), Tint::dim},
               {string_at(rule, "comment"), Tint::dim}});
  }
  return table.text(style);
}

std::string translation_table(const Json& translations, bool verbose, const Style& style) {
  if (translations.empty()) return {};
  Table table({{"FORWARDS AND MASQUERADES"}, {"CONNECTIONS", true}, {"ID"}, {"FILE"}, {"COMMENT"}});
  for (const auto& one : translations)
    table.add({{string_at(one, "text")},
               {count(one)},
               {verbose ? string_at(one, "id") : std::string(), Tint::dim},
               {place(one), Tint::dim},
               {string_at(one, "comment"), Tint::dim}});
  return "\n" + table.text(style);
}

std::string access_text(const Json& entry, bool last) {
  const std::string sources = string_at(entry, "sources");
  const std::string verdict = string_at(entry, "verdict");
  std::string who = sources;
  const bool lets_in = verdict == "allow" || verdict == "limit";
  if (!lets_in) who = sources == "anyone" ? "nobody" : "not " + sources;
  if (sources == "anyone" && !last) who = lets_in ? "anyone" : "nobody";
  const bool how = verdict == "reject";
  return who + ": " + reason(entry) + (how ? " (rejects)" : "");
}

struct PortLine {
  std::string port;
  std::vector<std::string> addresses;
  std::string process;
  std::vector<std::pair<std::string, Tint>> access;
};

void add_access(PortLine& line, const Json& access, bool local) {
  const bool anyone_else = access.size() > 1;
  for (const auto& entry : access) {
    const bool last = &entry == &access.back();
    std::string text = access_text(entry, last);
    if (last && anyone_else) {
      const auto colon = text.find(':');
      text = (text.starts_with("nobody") ? "nobody else" : "everyone else") + text.substr(colon);
    }
    Tint tint = tint_of(string_at(entry, "verdict"));
    if (local) {
      text = "this host only";
      tint = Tint::dim;
    }
    line.access.emplace_back(std::move(text), tint);
  }
}

PortLine port_line(const Json& socket, const Processes& processes) {
  PortLine line;
  line.port = std::to_string(socket.at("port").get<int>()) + "/" + string_at(socket, "protocol");
  line.addresses.push_back(string_at(socket, "address"));
  line.process = processes.name(socket.value("inode", std::uint64_t{0}));
  add_access(line, socket.at("access"), socket.value("local", false));
  return line;
}

PortLine forward_line(const Json& forward) {
  PortLine line;
  line.port = string_at(forward, "ports") + "/" + string_at(forward, "protocol");
  line.addresses.push_back("to " + string_at(forward, "to"));
  line.process = "(forward)";
  add_access(line, forward.at("access"), false);
  return line;
}

// A service that listens on both families, or on several addresses, is one line when the answer is
// the same for all.
std::vector<PortLine> port_lines(const Json& sockets, const Processes& processes) {
  std::vector<PortLine> lines;
  for (const auto& socket : sockets) {
    PortLine line = port_line(socket, processes);
    const auto same = std::find_if(lines.begin(), lines.end(), [&](const PortLine& other) {
      return other.port == line.port && other.process == line.process &&
             other.access == line.access;
    });
    if (same == lines.end())
      lines.push_back(std::move(line));
    else if (std::find(same->addresses.begin(), same->addresses.end(), line.addresses.front()) ==
             same->addresses.end())
      same->addresses.push_back(line.addresses.front());
  }
  return lines;
}

std::string connections(std::uint64_t count) {
  return std::to_string(count) + (count == 1 ? " connection" : " connections");
}

std::string flowing_text(const Json& outcome, bool cut, const Style& style) {
  const auto count = outcome.at("flowing").get<std::uint64_t>();
  const bool more = outcome.value("flowingMore", false);
  if (cut) return "Ended: " + connections(count) + ".\n";
  if (count == 0 && !more) return {};
  return style.paint(Tint::warn, "Still there: ") + (more ? "at least " : "") + connections(count) +
         " that would not be let begin any more; 'fwctl cut --denied' ends " +
         (count == 1 && !more ? "it" : "them") + ".\n";
}

std::string panic_text(const Json& panic, const Style& style) {
  std::string out = style.paint(Tint::bad, "PANIC IS ON") + " since " +
                    readable_time(string_at(panic, "since")) + ": nothing passes but on loopback";
  for (const auto& one : panic.at("spared"))
    out += ", and between " + string_at(one, "from") + " port " + one.at("fromPort").dump() +
           " and " + string_at(one, "to") + " port " + one.at("toPort").dump();
  return out + "; 'fwctl panic off' ends it";
}

std::string protection_text(const Json& protection) {
  const auto because = string_at(protection, "because");
  return "by " + std::string(string_at(protection, "by") == "kernel" ? "the kernel" : "watching") +
         (because.empty() ? "" : ", since " + because);
}

}  // namespace

std::string readable_time(std::string time) {
  if (time.size() != 20) return time;
  time[10] = ' ';
  time.pop_back();
  return time + " UTC";
}

std::string render_status(const Json& status, bool verbose, const Style& style) {
  const bool enabled = status.value("enabled", false);
  std::string out = "Firewall: ";
  out += enabled ? style.paint(Tint::good, "active") : style.paint(Tint::warn, "inactive");
  if (enabled)
    out += ", generation " + std::to_string(status.value("generation", 0)) + " since " +
           readable_time(string_at(status, "since"));
  else
    out += " (nothing is enforced until 'fwctl enable')";
  if (status.contains("panic")) out += "\n" + panic_text(status.at("panic"), style);
  out += "\nDefaults: ";
  const auto& defaults = status.at("defaults");
  for (const char* traffic : {"incoming", "outgoing", "routed"}) {
    const std::string verdict = string_at(defaults, traffic);
    out += std::string(traffic) + " " + style.paint(tint_of(verdict), verdict) + ", ";
  }
  out += "logging " + string_at(status, "logging") + "\n";
  if (status.contains("trial")) {
    const auto& trial = status.at("trial");
    out += style.paint(Tint::warn, "On trial: ") +
           span_text(std::chrono::seconds(trial.at("secondsLeft").get<std::int64_t>())) +
           " left until generation " + trial.at("before").dump() +
           " comes back; 'fwctl confirm' keeps this one\n";
  }
  if (status.contains("protection"))
    out += "Protected from other programs: " + protection_text(status.at("protection")) + "\n";
  if (const auto bans = status.value("bans", 0); bans > 0)
    out += "Bans: " + std::to_string(bans) + " ('fwctl bans' lists them)\n";
  for (const auto& problem : status.at("problems"))
    out += style.paint(Tint::bad, "! ") + problem.get<std::string>() + "\n";
  const auto& rules = status.at("rules");
  out += rules.empty() ? "\nNo rules. For example: fwctl allow ssh\n"
                       : "\n" + rule_table(rules, verbose, style);
  return out + translation_table(status.value("translations", Json::array()), verbose, style);
}

std::string render_ports(const Json& reply, const Processes& processes, const Style& style) {
  auto lines = port_lines(reply.at("sockets"), processes);
  for (const auto& forward : reply.at("forwards")) lines.push_back(forward_line(forward));
  if (lines.empty()) return "Nothing listens on this host.\n";
  Table table({{"PORT"}, {"ADDRESS"}, {"PROCESS"}, {"WHO CAN REACH IT"}});
  for (const auto& line : lines) {
    for (std::size_t i = 0; i < line.access.size(); ++i) {
      const auto& [text, tint] = line.access[i];
      if (i == 0)
        table.add(
            {{line.port, Tint::bold}, {joined(line.addresses)}, {line.process}, {text, tint}});
      else
        table.add({{}, {}, {}, {text, tint}});
    }
  }
  return table.text(style);
}

std::string render_difference(const Json& outcome, const Style& style) {
  std::string out;
  for (const auto& entry : outcome.at("difference")) {
    const auto line = entry.get<std::string>();
    out += style.paint(line.starts_with('+') ? Tint::good : Tint::bad, line) + "\n";
  }
  return out;
}

std::string render_outcome(const Json& outcome, bool dry_run, const Style& style, bool cut) {
  std::string out;
  for (const auto& note : outcome.at("notes")) out += note.get<std::string>() + "\n";
  out += render_difference(outcome, style);
  out += render(protocol::diagnostics_from(outcome.at("warnings")));
  const bool changed = outcome.value("changed", false);
  const bool enabled = outcome.value("enabled", false);
  if (!changed) return out + "Nothing changed.\n";
  if (dry_run) return out + "This is what would change; nothing was changed (--dry-run).\n";
  const std::string generation = "generation " + std::to_string(outcome.value("generation", 0));
  out += enabled ? "In force: " + generation + ".\n"
                 : "Stored: " + generation +
                       ". The firewall is inactive; 'fwctl enable' puts it in force.\n";
  if (outcome.contains("flowing")) out += flowing_text(outcome, cut, style);
  if (outcome.value("panic", false))
    out += style.paint(Tint::bad, "PANIC IS ON") +
           ": nothing passes until 'fwctl panic off', also after a reboot.\n";
  if (outcome.contains("confirm"))
    out += "On trial: it is undone in " +
           span_text(std::chrono::seconds(outcome.at("confirm").get<std::int64_t>())) +
           " unless 'fwctl confirm' keeps it.\n";
  return out;
}

std::string render_cut(const Json& reply, bool dry_run) {
  const auto spared = reply.at("spared").get<std::uint64_t>();
  return (dry_run ? "This would end " : "Ended: ") +
         connections(reply.at("ended").get<std::uint64_t>()) + "." +
         (spared == 0 ? "" : " Yours is spared ('--allow-lockout' ends it, too).") + "\n";
}

std::string render_error(const protocol::Reply& reply) {
  const std::string name = reply.error.substr(reply.error.rfind('.') + 1);
  const auto& parameters = reply.parameters;
  const auto diagnostics = parameters.contains("diagnostics")
                               ? protocol::diagnostics_from(parameters.at("diagnostics"))
                               : Diagnostics{};
  std::string out = render(diagnostics);
  if (name == "PermissionDenied")
    return "fwctl: you are not permitted to do this: it takes the right to '" +
           string_at(parameters, "role") + "' (root, or 'access:' in daemon.yaml)\n";
  if (parameters.contains("message")) out += "fwctl: " + string_at(parameters, "message") + "\n";
  if (out.empty())
    out = "fwctl: the daemon answered " + reply.error + " " + parameters.dump() + "\n";
  if (name == "InvalidPolicy") {
    const auto errors = std::count_if(
        diagnostics.begin(), diagnostics.end(),
        [](const Diagnostic& diagnostic) { return diagnostic.severity == Severity::error; });
    out += "fwctl: refused, " + std::to_string(errors) + (errors == 1 ? " error" : " errors") +
           "; nothing changed\n";
  }
  return out;
}

}  // namespace fwctl::cli
