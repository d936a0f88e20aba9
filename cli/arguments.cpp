#include "cli/arguments.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <string_view>

#include "daemon/protocol/message.h"
#include "rules/ascii.h"
#include "rules/moment.h"
#include "rules/nearest.h"
#include "rules/number.h"

namespace fwctl::cli {
namespace {

constexpr std::string_view examples =
    "Examples:\n"
    "  fwctl allow 22/tcp                      let SSH in\n"
    "  fwctl allow 80,443/tcp comment nginx\n"
    "  fwctl allow proto tcp from 10.0.0.0/8 to any port 5432\n"
    "  fwctl deny in on eth1 log 3000/tcp\n"
    "  fwctl ban 203.0.113.9 for 1h            drop all that comes from there\n"
    "  fwctl enable                            put it in force, also after a reboot\n"
    "  fwctl ports                             what listens here, and who can reach it\n"
    "  fwctl --confirm 60s apply new.yaml      undone unless 'fwctl confirm' follows in time\n"
    "  fwctl explain 3000/tcp from 192.0.2.7   what becomes of it, and by which rule\n"
    "  fwctl trace from 192.0.2.7              what becomes of what really comes from there\n"
    "Exit codes: 0 done or already so, 1 refused or failed, 2 wrong usage, 3 no permission, 4 no "
    "daemon";

constexpr std::string_view rule_grammar =
    "A rule is\n"
    "  [in|out] [on INTERFACES] [log|log-all] PORTS [comment TEXT]\n"
    "  [in|out] [on INTERFACES] [log|log-all] [proto PROTOCOL [type ICMPTYPES]]\n"
    "      [from ADDRESSES [port PORTS]] [to ADDRESSES [port PORTS]] [comment TEXT]\n"
    "  and instead of 'port PORTS', with no 'proto': app NAME\n"
    "  with limit also: [rate 12/minute] [burst 6]\n"
    "  behind route, for what passes through: [in on INTERFACES] [out on INTERFACES]\n"
    "PORTS       22   22/tcp   80,443/tcp   9000-9010/udp   ssh   'Apache Full'\n"
    "ADDRESSES   any   192.0.2.7   10.0.0.0/8,2001:db8::/32   10.0.0.1-10.0.0.9   @set   "
    "!10.0.0.0/8\n"
    "INTERFACES  eth0   eth0,wg*";

constexpr std::string_view translation_grammar =
    "fwctl forward PORTS to ADDRESS[:PORT] [from ADDRESSES] [on INTERFACES] [comment TEXT]\n"
    "fwctl masquerade out on INTERFACES [from ADDRESSES] [comment TEXT]\n"
    "'fwctl delete forward ...' and 'fwctl delete masquerade ...' take them away again.";

constexpr std::string_view ban_grammar =
    "fwctl ban ADDRESS... [for TIME | until MOMENT] [comment TEXT]\n"
    "TIME        1h   30m   2d12h; without it, until 'fwctl unban'\n"
    "MOMENT      2026-11-22T18:00:00Z";

constexpr std::string_view unban_grammar =
    "fwctl unban ADDRESS... [comment TEXT]   fwctl unban comment TEXT   fwctl unban --all\n"
    "With a comment, only bans that have it.";

constexpr std::string_view question_grammar =
    "fwctl explain WHAT [in|out|routed] [on INTERFACE] [from ADDRESS [port PORT]] [to ADDRESS]\n"
    "WHAT        3000/tcp   80   ssh   icmp echo   icmpv6 128   esp\n"
    "What is left out may be anything; the answer says where it matters.";

constexpr std::string_view trace_grammar =
    "fwctl trace [-a] [-n N] [--for TIME] [WHAT] [in|out|routed] [on INTERFACE]\n"
    "            [from ADDRESS [port PORT]] [to ADDRESS]\n"
    "WHAT        3000/tcp   80   ssh   icmp echo   icmpv6 128   esp\n"
    "What is left out may be anything. No more than some packets a second are picked.";

constexpr std::string_view cut_grammar =
    "fwctl cut [WHAT] [in|out|routed] [on INTERFACE] [from ADDRESS [port PORT]] [to ADDRESS]\n"
    "WHAT        3000/tcp   80   ssh   esp\n"
    "What is left out may be anything. The connection you are here by is spared.";

constexpr std::string_view selection_grammar =
    "fwctl delete 3   fwctl delete 3 5-7   fwctl delete r1a2b3c4   fwctl delete allow 22/tcp\n"
    "fwctl delete comment nginx";

// What CLI11 says of a word that is not one.
std::string not_a_number(const std::string& text) {
  return parse_number(text, 1'000'000'000).value_or(0) > 0
             ? std::string()
             : "'" + text + "' is not the number of a rule";
}

std::string not_a_span(const std::string& text) {
  return parse_span(text) ? std::string() : "'" + text + "' is no span of time, as 30s or 5m";
}

// A span of time, or a number of seconds.
std::optional<std::chrono::seconds> parse_trial(const std::string& text) {
  if (const auto seconds = parse_number(text, 999'999'999)) return std::chrono::seconds(*seconds);
  return parse_span(text);
}

std::string not_a_trial(const std::string& text) {
  const auto time = parse_trial(text);
  return time && *time > std::chrono::seconds(0) && *time <= std::chrono::hours(24)
             ? std::string()
             : "'" + text + "' is no time from 1s to 24h";
}

// Those that change the policy.
bool is_change(Verb verb) {
  switch (verb) {
    case Verb::rule:
    case Verb::insert:
    case Verb::prepend:
    case Verb::remove:
    case Verb::set_default:
    case Verb::set_logging:
    case Verb::enable:
    case Verb::disable:
    case Verb::panic:
    case Verb::apply:
    case Verb::reload:
    case Verb::reset:
    case Verb::rollback:
    case Verb::app_update:
    case Verb::set_edit:
      return true;
    default:
      return false;
  }
}

CLI::Validator one_of(std::vector<std::string> words) {
  return {[words = std::move(words)](const std::string& text) {
            if (std::find(words.begin(), words.end(), text) != words.end()) return std::string();
            std::string known;
            for (const auto& word : words) known += (known.empty() ? "" : ", ") + word;
            return "'" + text + "' is none of: " + known;
          },
          ""};
}

// ufw's names for the three kinds of traffic are understood too.
const std::map<std::string, std::string> directions{
    {"incoming", "incoming"}, {"input", "incoming"}, {"outgoing", "outgoing"},
    {"output", "outgoing"},   {"routed", "routed"},  {"forward", "routed"}};

// Puts the one word in the place of the other.
const CLI::Validator direction(
    [](std::string& text) {
      const auto known = directions.find(text);
      if (known == directions.end()) return "'" + text + "' is none of: incoming, outgoing, routed";
      text = known->second;
      return std::string();
    },
    "");

bool contains(std::initializer_list<std::string_view> list, std::string_view word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

// Spellings of ufw's own in those of fwctl: some commands in capitals, "rule" before a rule, "route
// insert 1 allow ..." for "insert 1 route allow ...", reports by other names.
std::vector<std::string> as_fwctl_says(std::vector<std::string> words) {
  if (words.empty()) return words;
  if (contains({"rule"}, words.front()) && words.size() > 1) words.erase(words.begin());
  const std::string command = lower(words.front());
  if (contains({"insert", "delete", "prepend"}, command)) words.front() = command;
  if (contains({"default", "logging", "status", "show", "enable", "disable", "panic", "reset"},
               command))
    for (auto& word : words) word = lower(word);
  if (words.front() == "route" && words.size() > 1) {
    const std::string edit = lower(words[1]);
    const std::size_t own = edit == "insert" ? 2 : 1;  // words before the rule
    if (contains({"insert", "delete", "prepend"}, edit)) {
      words.erase(words.begin());
      words.front() = edit;
      words.insert(words.begin() + static_cast<std::ptrdiff_t>(std::min(own, words.size())),
                   "route");
    }
  }
  if (words.size() == 2 && words[0] == "show") {
    if (words[1] == "listening")
      words = {"ports"};
    else if (contains(
                 {"raw", "builtins", "before-rules", "user-rules", "after-rules", "logging-rules"},
                 words[1]))
      words[1] = "ruleset";
  }
  if (words.front() == "version") words = {"--version"};
  if (words.front() == "help") words = {"--help"};
  return words;
}

// Options of fwctl itself whose value is the next word.
bool has_value(std::string_view word) {
  return word == "--socket" || word == "--color" || word == "--confirm";
}

// Options of fwctl itself are understood wherever they stand, as people type them; CLI11 wants them
// before the command.
std::vector<std::string> options_first(int argc, char** argv) {
  std::vector<std::string> first;
  std::vector<std::string> rest;
  bool options = true;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    options = options && word != "--";
    const bool flag = word == "--json" || word == "--dry-run" || word == "--allow-lockout" ||
                      word == "--cut" || word.starts_with("--color=") ||
                      word.starts_with("--socket=") || word.starts_with("--confirm=") ||
                      (rest.empty() && (word == "--force" || word == "-f"));
    const bool with_value = has_value(word) && i + 1 < argc;
    if (options && (flag || with_value)) {
      first.push_back(word);
      if (with_value) first.emplace_back(argv[++i]);
    } else {
      rest.push_back(word);
    }
  }
  rest = as_fwctl_says(std::move(rest));
  first.insert(first.end(), rest.begin(), rest.end());
  return first;
}

// The command among such words; words.end() where there is none.
std::vector<std::string>::const_iterator find_command(const std::vector<std::string>& words) {
  auto first = words.begin();
  while (first != words.end() && first->starts_with('-'))
    first += has_value(*first) && first + 1 != words.end() ? 2 : 1;
  return first;
}

class CommandLine {
 public:
  // What each command takes is built for the one that is typed: of a short command, it is most of
  // the time to build it for all. It is for all where that is none of them.
  explicit CommandLine(std::vector<std::string> words)
      : words_(std::move(words)), typed_(find_command(words_)) {
    app_.set_version_flag("--version", std::string("fwctl ") + FWCTL_VERSION);
    app_.require_subcommand(1);
    app_.get_formatter()->column_width(24);
    app_.add_flag("--json", arguments_.json, "Answer in JSON");
    app_.add_flag("-f,--force", arguments_.force, "Do not ask");
    app_.add_flag("--dry-run", arguments_.dry_run, "Say what would change, change nothing");
    app_.add_option_function<std::string>(
            "--confirm",
            [this](const std::string& text) { arguments_.confirm = parse_trial(text); },
            "Undo the change after that time, as 60s or 2m, unless 'fwctl confirm' comes")
        ->check(CLI::Validator(not_a_trial, ""))
        ->type_name("TIME");
    app_.add_flag("--allow-lockout", arguments_.allow_lockout,
                  "Also when you could not come back by the connection you are here by");
    app_.add_flag("--cut", arguments_.cut,
                  "End connections that go on although the policy lets them begin no more");
    app_.add_option("--color", color_, "auto (if left out), always or never")
        ->check(one_of({"auto", "always", "never"}))
        ->type_name("WHEN");
    arguments_.socket = protocol::default_socket;
    app_.add_option("--socket", arguments_.socket, "Where the daemon listens")->type_name("PATH");
    add_commands();
    if (app_.get_subcommands({}).empty()) {
      typed_ = words_.end();
      add_commands();
    }
    app_.footer(std::string(examples));  // last: commands take over what is set when they are added
  }

  std::optional<Arguments> parse(int& exit_code) {
    try {
      app_.parse(std::vector<std::string>(words_.rbegin(), words_.rend()));  // as CLI11 wants them
      if (!is_change(arguments_.verb)) {
        constexpr const char* misplaced = "goes with commands that change the policy";
        if (arguments_.confirm) throw CLI::ValidationError("--confirm", misplaced);
        if (arguments_.cut) throw CLI::ValidationError("--cut", misplaced);
        if (arguments_.allow_lockout && arguments_.verb != Verb::cut &&
            arguments_.verb != Verb::ban)
          throw CLI::ValidationError("--allow-lockout", misplaced);
      }
      if (color_ == "always") arguments_.color = ColorChoice::always;
      if (color_ == "never") arguments_.color = ColorChoice::never;
      exit_code = exit_done;
      return std::move(arguments_);
    } catch (const CLI::Success& wanted) {
      app_.exit(wanted);
      exit_code = exit_done;
    } catch (const CLI::ParseError& mistake) {
      exit_code = exit_usage;
      std::cerr << "fwctl: " << explain(mistake) << "\n";
    }
    return {};
  }

 private:
  // Adds to a command what it takes.
  using More = std::function<void(CLI::App&)>;

  void add_commands() {
    add_rules();
    add_policy();
    add_state();
    add_services();
    add_bans();
    add_sets();
  }

  bool is_built(const std::string& name) const { return typed_ == words_.end() || *typed_ == name; }

  void group(const std::string& name, const std::string& description, const More& more) {
    if (is_built(name)) more(*app_.add_subcommand(name, description)->require_subcommand(1));
  }

  void command(const std::string& name, const std::string& description, Verb verb,
               const More& more = {}) {
    if (!is_built(name)) return;
    CLI::App* added = app_.add_subcommand(name, description);
    added->callback([this, verb] { arguments_.verb = verb; });
    if (more) more(*added);
  }

  // Everything behind the command's own arguments belongs to the rule or question.
  void rule_command(const std::string& name, const std::string& description, Verb verb,
                    std::string_view grammar = rule_grammar, const More& more = {}) {
    if (!is_built(name)) return;
    CLI::App* added = app_.add_subcommand(name, description);
    added->prefix_command();
    added->footer(std::string(grammar));
    added->callback([this, added, verb, name] {
      arguments_.verb = verb;
      arguments_.words = added->remaining();
      if (verb == Verb::rule) arguments_.words.insert(arguments_.words.begin(), name);
    });
    if (more) more(*added);
  }

  void add_rules() {
    rule_command("allow", "Let packets in (or, with out, out)", Verb::rule);
    rule_command("deny", "Drop packets without an answer", Verb::rule);
    rule_command("reject", "Refuse packets with an answer", Verb::rule);
    rule_command("limit", "Let each source begin a few connections, refuse more", Verb::rule);
    rule_command("route", "A rule for what passes through: route allow ...", Verb::rule);
    rule_command("forward", "Send connections to another machine: forward 80/tcp to 10.0.0.5",
                 Verb::rule, translation_grammar);
    rule_command("masquerade", "Hide addresses behind an interface: masquerade out on eth0",
                 Verb::rule, translation_grammar);
    rule_command("insert", "Add a rule as number N: insert N allow ...", Verb::insert, rule_grammar,
                 [this](CLI::App& insert) {
                   insert.add_option("N", arguments_.position, "Number the rule will have")
                       ->required()
                       ->check(CLI::Validator(not_a_number, ""))
                       ->type_name("");
                 });
    rule_command("prepend", "Add a rule before all others: prepend deny ...", Verb::prepend);
    rule_command("delete", "Delete rules by number, id or text", Verb::remove, selection_grammar,
                 [this](CLI::App& remove) { add_force(remove); });
    command("default", "Set the verdict for what no rule matches", Verb::set_default,
            [this](CLI::App& defaults) {
              add_word(defaults, "VERDICT", "allow, deny or reject", {"allow", "deny", "reject"});
              arguments_.direction = "incoming";
              defaults
                  .add_option("DIRECTION", arguments_.direction,
                              "incoming (if left out), outgoing or routed")
                  ->transform(direction)
                  ->type_name("");
            });
    command("logging", "Set how much is written to the log", Verb::set_logging,
            [this](CLI::App& logging) {
              add_word(logging, "LEVEL", "on, off, low, medium, high or full",
                       {"on", "off", "low", "medium", "high", "full"});
            });
  }

  // One of those words, which must be there.
  void add_word(CLI::App& to, const std::string& name, const std::string& description,
                std::vector<std::string> words) {
    to.add_option(name, arguments_.what, description)
        ->required()
        ->check(one_of(std::move(words)))
        ->type_name("");
  }

  CLI::Option* add_file(CLI::App& to, const std::string& name, const std::string& description) {
    return to.add_option(name, arguments_.file, description)->type_name("");
  }

  void add_generation(CLI::App& to, const std::string& description) {
    to.add_option("GENERATION", arguments_.generation, description)
        ->check(CLI::PositiveNumber)
        ->type_name("");
  }

  void add_force(CLI::App& to) { to.add_flag("-f,--force", arguments_.force, "Do not ask"); }

  void add_policy() {
    command("check", "Check policy files; needs no daemon", Verb::check, [this](CLI::App& check) {
      add_file(check, "PATH", "A file, or a folder as /etc/fwctl (if left out)");
    });
    command("apply", "Replace policy.yaml", Verb::apply, [this](CLI::App& apply) {
      add_file(apply, "FILE", "The new policy, - for standard input")->required();
    });
    command("diff", "Show what apply FILE, or reload, would change", Verb::diff,
            [this](CLI::App& diff) {
              add_file(diff, "FILE", "As for apply; the files of reload if left out");
            });
    command("reload", "Read the policy files again", Verb::reload);
    command("show", "Print the policy, or the nftables ruleset made of it", Verb::show,
            [this](CLI::App& show) {
              add_word(show, "WHAT",
                       "policy, ruleset, or added: the commands that add fwctl's own rules",
                       {"policy", "ruleset", "added"});
            });
    command("confirm", "Keep what was changed with --confirm", Verb::confirm);
    command("rollback", "Go back to an earlier policy, files included", Verb::rollback,
            [this](CLI::App& rollback) {
              add_generation(rollback, "As history has it; before the last change if left out");
            });
    command("history", "Show who changed what, and when", Verb::history,
            [this](CLI::App& history) { add_generation(history, "Show what that one changed"); });
    command("reset", "Disable and drop the rules fwctl added, keeping a copy", Verb::reset,
            [this](CLI::App& reset) { add_force(reset); });
  }

  void add_state() {
    command("enable", "Put the policy in force, now and after a reboot", Verb::enable);
    command("disable", "Take it out of force, now and after a reboot", Verb::disable);
    command("panic", "Cut everything off at once but loopback and your own connection", Verb::panic,
            [this](CLI::App& panic) { add_word(panic, "STATE", "on or off", {"on", "off"}); });
    command("cut", "End connections that go on: cut from 192.0.2.7, cut --denied", Verb::cut,
            [this](CLI::App& cut) { add_to_cut(cut); });
    command("status", "Show the state and the rules", Verb::status, [this](CLI::App& status) {
      status.add_option("DETAIL", arguments_.what, "verbose adds ids; numbered is as without")
          ->check(one_of({"verbose", "numbered"}))
          ->type_name("");
      status.callback([this] {
        arguments_.verb = Verb::status;
        arguments_.verbose = arguments_.what == "verbose";
      });
    });
    command("ports", "Show what listens here, and who can reach it", Verb::ports);
    command("log", "Show what rules logged", Verb::log, [this](CLI::App& log) {
      log.add_flag("-f,--follow", arguments_.follow, "Go on with what comes");
      log.add_option("-n,--lines", arguments_.lines, "How many entries, the newest; 20 if left out")
          ->check(CLI::NonNegativeNumber)
          ->type_name("N");
    });
    command("trace", "Show live packets, and what the kernel does with them", Verb::trace,
            [this](CLI::App& trace) { add_to_trace(trace); });
    rule_command("explain", "Say what becomes of a packet, and by which rule", Verb::explain,
                 question_grammar);
  }

  void add_to_cut(CLI::App& cut) {
    cut.add_option("WHAT", arguments_.words, "As for trace")->type_name("");
    cut.add_flag("--denied", arguments_.denied, "Those that the policy would not let begin");
    cut.callback([this] {
      arguments_.verb = Verb::cut;
      if (arguments_.denied != arguments_.words.empty())
        throw CLI::ValidationError("cut",
                                   "takes --denied, or what to end: 3000/tcp from 192.0.2.7");
    });
    cut.footer(std::string(cut_grammar));
  }

  // Options stand anywhere among the words.
  void add_to_trace(CLI::App& trace) {
    trace.add_option("WHAT", arguments_.words, "As for explain; all that comes in if left out")
        ->type_name("");
    trace.add_flag("-a,--all", arguments_.connections,
                   "Of TCP not only what begins a connection, but all packets");
    trace.add_option("-n,--count", arguments_.packets, "Stop after so many packets")
        ->check(CLI::PositiveNumber)
        ->type_name("N");
    trace
        .add_option_function<std::string>(
            "--for",
            [this](const std::string& text) { arguments_.seconds = parse_span(text)->count(); },
            "How long, as 30s or 5m: at most 10m, 60s if left out")
        ->check(CLI::Validator(not_a_span, ""))
        ->type_name("TIME");
    trace.footer(std::string(trace_grammar));
  }

  // ufw's words for what it calls applications.
  void add_services() {
    group("app", "Services and application profiles", [this](CLI::App& app) {
      const auto add = [&](const std::string& name, const std::string& description, Verb verb) {
        CLI::App* added = app.add_subcommand(name, description)->ignore_case();
        added->callback([this, verb] { arguments_.verb = verb; });
        return added;
      };
      const auto add_name = [&](CLI::App* to) {
        to->add_option("NAME", arguments_.name, "Of a service or profile, or all")
            ->required()
            ->type_name("");
      };
      add("list", "List what rules can name", Verb::app_list);
      add_name(add("info", "Show all about one", Verb::app_info));
      CLI::App* update =
          add("update", "Put in force what one means on this host now", Verb::app_update);
      add_name(update);
      update->add_flag("--add-new", arguments_.add_new, "Accepted for ufw's sake; adds no rule");
      add_word(*add("default", "What becomes of new profiles: skip", Verb::app_default), "POLICY",
               "skip; fwctl adds no rules by itself", {"allow", "deny", "reject", "skip"});
    });
  }

  void add_bans() {
    const auto add_addresses = [this](CLI::App& to, const std::string& description) {
      return to.add_option("ADDRESS", arguments_.words, description)->type_name("");
    };
    command("ban", "Drop all that comes from addresses, and what runs already", Verb::ban,
            [&](CLI::App& ban) {
              add_addresses(ban, "192.0.2.7, 10.0.0.0/8, ...")->required();
              ban.footer(std::string(ban_grammar));
            });
    command("unban", "Lift bans", Verb::unban, [&](CLI::App& unban) {
      add_addresses(unban, "As they were banned");
      unban.add_flag("--all", arguments_.all, "All bans there are");
      unban.footer(std::string(unban_grammar));
      unban.callback([this] {
        arguments_.verb = Verb::unban;
        if (arguments_.all) arguments_.words.insert(arguments_.words.begin(), "all");
        if (arguments_.words.empty()) throw CLI::RequiredError("ADDRESS or --all");
      });
    });
    command("bans", "Show who is banned, and for how long", Verb::bans, [&](CLI::App& bans) {
      add_addresses(bans, "Only the bans that this one is under")->expected(0, 1);
    });
  }

  void add_sets() {
    group("set", "Sets of addresses, @NAME in rules", [this](CLI::App& sets) {
      const auto add = [&](const std::string& name, const std::string& description, Verb verb) {
        CLI::App* added = sets.add_subcommand(name, description);
        added->callback([this, verb, name] {
          arguments_.verb = verb;
          if (verb == Verb::set_edit) arguments_.what = name;
        });
        if (verb != Verb::set_list)
          added->add_option("NAME", arguments_.name, "Of a set, without the @")
              ->required()
              ->type_name("");
        return added;
      };
      const auto add_addresses = [&](CLI::App* to, const std::string& description) {
        to->add_option("ADDRESS", arguments_.words, description)->required()->type_name("");
      };
      const std::string address =
          "192.0.2.7, 10.0.0.0/8, 10.0.0.1-10.0.0.9, '192.0.2.7 443/tcp', ...";
      const std::string ending = "; behind them, 'for 2h' or 'until 2026-11-22T18:00:00Z'";
      add("list", "List all sets", Verb::set_list);
      add("show", "Show what is in one", Verb::set_show);
      add_addresses(add("add", "Put addresses into a set, new or there", Verb::set_edit),
                    address + ending);
      add_addresses(add("remove", "Take addresses out of a set", Verb::set_edit), address);
      add_addresses(add("replace", "Give a set new addresses for all it has", Verb::set_edit),
                    "As for add, or a file with one a line, - for standard input" + ending);
      add("delete", "Remove a set that no rule names", Verb::set_edit);
    });
  }

  std::string explain(const CLI::ParseError& mistake) const {
    const auto first = find_command(words_);
    const auto commands = app_.get_subcommands({});
    const bool known = first != words_.end() &&
                       std::any_of(commands.begin(), commands.end(),
                                   [&](const auto* one) { return one->get_name() == *first; });
    if (first == words_.end() && mistake.get_name() == "RequiredError")
      return "what is to be done? 'fwctl --help' lists the commands";
    if (known) return std::string(mistake.what()) + "\nTry 'fwctl " + *first + " --help'.";
    if (first == words_.end() || mistake.get_name() == "ConversionError" ||
        mistake.get_name() == "ValidationError")
      return std::string(mistake.what()) + "\nTry 'fwctl --help'.";
    std::vector<std::string> names;
    names.reserve(commands.size());
    for (const auto* one : commands) names.push_back(one->get_name());
    const std::vector<std::string_view> views(names.begin(), names.end());
    return "there is no command '" + *first + "'" + suggestion(*first, views) +
           "\nTry 'fwctl --help'.";
  }

  std::vector<std::string> words_;
  std::vector<std::string>::const_iterator typed_;  // whom to build; words_.end(): all
  Arguments arguments_;
  std::string color_;
  CLI::App app_{
      "fwctl looks at and changes the firewall of this host, which fwctld keeps in force.",
      "fwctl"};
};

}  // namespace

std::optional<Arguments> parse_arguments(int argc, char** argv, int& exit_code) {
  return CommandLine(options_first(argc, argv)).parse(exit_code);
}

}  // namespace fwctl::cli
