#include "cli/commands.h"

#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <optional>
#include <string>
#include <utility>

#include "cli/become_check.h"
#include "cli/client.h"
#include "cli/render.h"
#include "cli/ssh_connections.h"
#include "daemon/files.h"
#include "daemon/protocol/diagnostics.h"
#include "rules/policy/grammar.h"
#include "rules/policy/items.h"
#include "rules/policy/set_file.h"

namespace fwctl::cli {
namespace {

using protocol::Json;
using protocol::Reply;

std::string dump(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

bool is_error(const Reply& reply, std::string_view name) {
  return reply.error == std::string(protocol::interface_name) + "." + std::string(name);
}

// Mistakes in the words typed are wrong usage; everything else that is refused is not.
bool about_the_command(const Reply& reply) {
  if (is_error(reply, "InvalidQuestion")) return true;
  if (!is_error(reply, "InvalidPolicy")) return false;
  const auto diagnostics =
      protocol::diagnostics_from(reply.parameters.value("diagnostics", Json::array()));
  return std::any_of(diagnostics.begin(), diagnostics.end(), [](const Diagnostic& diagnostic) {
    return diagnostic.file == policy::command_source;
  });
}

int exit_code(const Reply& reply) {
  if (reply.error.empty()) return exit_done;
  if (is_error(reply, "PermissionDenied")) return exit_no_permission;
  return about_the_command(reply) ? exit_usage : exit_refused;
}

class Session {
 public:
  explicit Session(const Arguments& arguments)
      : arguments_(arguments), style_(Style::of_stdout(arguments.color)) {}

  int run() {
    switch (arguments_.verb) {
      case Verb::rule:
        return change("Add", {{"rule", arguments_.words}});
      case Verb::insert:
        return change("Add", {{"rule", arguments_.words}, {"position", arguments_.position}});
      case Verb::prepend:
        return change("Add", {{"rule", arguments_.words}, {"position", 0}});
      case Verb::remove:
        return remove();
      case Verb::set_default:
        return change("SetDefault",
                      {{"verdict", arguments_.what}, {"direction", arguments_.direction}});
      case Verb::set_logging:
        return change("SetLogging", {{"level", arguments_.what}});
      case Verb::enable:
        return change("Enable", Json::object());
      case Verb::disable:
        return change("Disable", Json::object());
      case Verb::cut:
        return cut();
      case Verb::panic:
        return change("Panic", {{"on", arguments_.what == "on"}});
      case Verb::reload:
        return change("Reload", Json::object());
      case Verb::apply:
        return with_policy("Apply");
      case Verb::diff:
        return diff();
      case Verb::reset:
        return reset();
      case Verb::confirm:
        return show("Confirm", Json::object(), [this](const Json& reply) {
          return render_outcome(reply.at("outcome"), false, style_);
        });
      case Verb::rollback:
        return change("Rollback", generation());
      case Verb::history:
        return show("History", generation(),
                    [this](const Json& reply) { return render_history(reply, style_); });
      case Verb::status:
        return show("Status", Json::object(), [this](const Json& status) {
          return render_status(status, arguments_.verbose, style_);
        });
      case Verb::ports:
        return ports();
      case Verb::explain:
        return show("Explain", {{"question", arguments_.words}},
                    [this](const Json& reply) { return render_explanations(reply, style_); });
      case Verb::log:
        return log();
      case Verb::trace:
        return trace();
      case Verb::show:
        return show("Show", {{"what", arguments_.what}}, [](const Json& reply) {
          const auto text = reply.at("text").get<std::string>();
          return text.empty() ? std::string("# fwctl has added no rules\n") : text;
        });
      case Verb::check:
        return become_check(arguments_);
      case Verb::app_list:
        return show("Services", Json::object(),
                    [this](const Json& reply) { return render_service_list(reply, style_); });
      case Verb::app_info:
        return show("Services", named(), [](const Json& reply) { return render_services(reply); });
      case Verb::app_update:
        return update_services();
      case Verb::app_default:
        return app_default();
      case Verb::ban:
        return change_bans("Ban");
      case Verb::unban:
        return change_bans("Unban");
      case Verb::bans:
        return bans();
      case Verb::set_list:
        return show("Sets", Json::object(),
                    [this](const Json& reply) { return render_set_list(reply, style_); });
      case Verb::set_show:
        return show("Sets", {{"name", arguments_.name}},
                    [](const Json& reply) { return render_sets(reply); });
      case Verb::set_edit:
        return edit_set();
    }
    return exit_usage;
  }

 private:
  // These three: false or nullopt after saying why; the exit code is then in `failure_`.
  bool connect() {
    if (client_) return true;
    auto client = Client::connect(arguments_.socket);
    if (client)
      client_ = std::move(*client);
    else
      fail(client.error());
    return client_.has_value();
  }

  std::optional<Reply> call(const std::string& method, Json parameters) {
    if (!connect()) return {};
    return received(client_->call(method, std::move(parameters)));
  }

  std::optional<Reply> received(tl::expected<Reply, ClientError> reply) {
    if (!reply) return fail(reply.error());
    if (reply->error.empty()) return std::move(*reply);
    failure_ = exit_code(*reply);
    print_error(*reply);
    return {};
  }

  // Prints each reply of a stream as it comes, in JSON as one line.
  template <typename Render>
  int follow(const std::string& method, Json parameters, Render render) {
    if (!connect()) return failure_;
    const auto print = [&](const Reply& reply) {
      if (!reply.error.empty()) return false;
      const Json& news = reply.parameters;
      std::cout << (arguments_.json
                        ? news.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n"
                        : render(news))
                << std::flush;
      return std::cout.good();
    };
    return received(client_->stream(method, std::move(parameters), print)) ? exit_done : failure_;
  }

  void print_error(const Reply& reply) const {
    if (arguments_.json)
      std::cout << dump({{"error", reply.error}, {"parameters", reply.parameters}});
    else
      std::cerr << render_error(reply);
  }

  std::nullopt_t fail(const ClientError& error) {
    failure_ = exit_refused;
    if (error.kind == ClientError::Kind::no_daemon) failure_ = exit_no_daemon;
    if (error.kind == ClientError::Kind::no_permission) failure_ = exit_no_permission;
    if (arguments_.json)
      std::cout << dump({{"error", "connection"}, {"parameters", {{"message", error.message}}}});
    else
      std::cerr << "fwctl: " << error.message << "\n";
    return std::nullopt;
  }

  template <typename Render>
  int show(const std::string& method, Json parameters, Render render) {
    const auto reply = call(method, std::move(parameters));
    if (!reply) return failure_;
    std::cout << (arguments_.json ? dump(reply->parameters) : render(reply->parameters));
    return exit_done;
  }

  // What goes with every change.
  Json asked(Json parameters) const {
    if (arguments_.dry_run) parameters["dryRun"] = true;
    if (arguments_.confirm) parameters["confirm"] = arguments_.confirm->count();
    if (arguments_.cut) parameters["cut"] = true;
    if (arguments_.allow_lockout) parameters["allowLockout"] = true;
    if (auto connections = callers(); !connections.empty())
      parameters["connections"] = std::move(connections);
    return parameters;
  }

  // Whether this may shut out whoever asks for it, as far as that is easily told.
  bool may_shut_out() const {
    if (arguments_.cut || arguments_.verb == Verb::panic || arguments_.verb == Verb::cut)
      return true;
    if (arguments_.allow_lockout || arguments_.confirm) return false;
    switch (arguments_.verb) {
      case Verb::rule:
      case Verb::insert:
      case Verb::prepend: {
        const auto& verdict = arguments_.words.front();
        return verdict != "allow" && verdict != "limit" && verdict != "route";
      }
      case Verb::set_logging:
      case Verb::disable:
      case Verb::unban:
        return false;
      default:
        return true;
    }
  }

  // Over which connections the person who runs this may be here.
  Json callers() const {
    Json out = Json::array();
    for (const auto& one : ssh_connections(may_shut_out() ? Search::thorough : Search::quick))
      out.push_back({{"from", one.from},
                     {"fromPort", one.from_port},
                     {"to", one.to},
                     {"toPort", one.to_port}});
    return out;
  }

  Json generation() const {
    return arguments_.generation ? Json{{"generation", *arguments_.generation}} : Json::object();
  }

  int change(const std::string& method, Json parameters) {
    // First of all: fwctld awakes while we look for who sits here.
    if (!connect()) return failure_;
    return show(method, asked(std::move(parameters)), [this](const Json& reply) {
      return render_outcome(reply.at("outcome"), arguments_.dry_run, style_, arguments_.cut);
    });
  }

  // The file named, or with - standard input; nullopt after saying why.
  static std::optional<Source> source(const std::string& path) {
    if (path == "-") {
      const std::string all((std::istreambuf_iterator<char>(std::cin)),
                            std::istreambuf_iterator<char>());
      return Source{.name = "standard input", .text = all};
    }
    auto text = read_file(path);
    if (text && *text) return Source{.name = path, .text = std::move(**text)};
    std::cerr << "fwctl: " << (text ? Error{"open", path, ENOENT, {}} : text.error()).message()
              << "\n";
    return {};
  }

  std::optional<Json> policy_parameters() const {
    const auto policy = source(arguments_.file);
    if (!policy) return {};
    return Json{{"policy", policy->text}, {"name", policy->name}};
  }

  int with_policy(const std::string& method) {
    auto parameters = policy_parameters();
    return parameters ? change(method, std::move(*parameters)) : exit_refused;
  }

  int diff() {
    Json parameters = Json::object();
    if (!arguments_.file.empty()) {
      auto policy = policy_parameters();
      if (!policy) return exit_refused;
      parameters = std::move(*policy);
    }
    return show("Diff", std::move(parameters), [this](const Json& reply) {
      const auto text = render_difference(reply.at("outcome"), style_);
      return text.empty() ? std::string("No difference.\n") : text;
    });
  }

  int ports() {
    return show("Ports", Json::object(), [this](const Json& reply) {
      return render_ports(reply, Processes::scan(), style_);
    });
  }

  int log() {
    const auto render = [this](const Json& reply) {
      if (const auto problem = reply.value("problem", std::string()); !problem.empty())
        std::cerr << "fwctl: " << problem << "\n";
      return render_log(reply, style_);
    };
    const Json parameters{{"count", arguments_.lines}};
    return arguments_.follow ? follow("Log", parameters, render) : show("Log", parameters, render);
  }

  int trace() {
    Json parameters{{"question", arguments_.words}, {"seconds", arguments_.seconds}};
    if (arguments_.connections) parameters["connections"] = true;
    if (arguments_.packets > 0) parameters["count"] = arguments_.packets;
    return follow("Trace", std::move(parameters),
                  [this](const Json& reply) { return render_trace(reply, style_); });
  }

  bool ask(const std::string& question) const {
    if (arguments_.force || arguments_.json || arguments_.dry_run || ::isatty(STDIN_FILENO) == 0)
      return true;
    std::cout << question << " [y/N] " << std::flush;
    std::string answer;
    std::getline(std::cin, answer);
    return answer == "y" || answer == "Y" || answer == "yes";
  }

  int remove() {
    const Json selection{{"selection", arguments_.words}};
    const bool terminal =
        ::isatty(STDIN_FILENO) == 1 && !arguments_.force && !arguments_.json && !arguments_.dry_run;
    if (terminal) {
      Json rehearsal = asked(selection);
      rehearsal["dryRun"] = true;
      const auto reply = call("Delete", std::move(rehearsal));
      if (!reply) return failure_;
      const auto& outcome = reply->parameters.at("outcome");
      std::cout << render_difference(outcome, style_);
      if (outcome.value("changed", false) && !ask("Delete?")) {
        std::cout << "Nothing changed.\n";
        return exit_refused;
      }
    }
    return change("Delete", selection);
  }

  // Where `set replace` is given one word that is no address, it is a file of addresses. When they
  // end may stand behind it.
  bool names_a_file() const {
    const auto& words = arguments_.words;
    const bool alone =
        words.size() == 1 || (words.size() > 1 && (words[1] == "for" || words[1] == "until"));
    return arguments_.what == "replace" && alone && words.front().find(',') == std::string::npos &&
           !policy::parse_set_entry(words.front());
  }

  int edit_set() {
    Json parameters{{"action", arguments_.what}, {"name", arguments_.name}};
    if (!arguments_.words.empty()) parameters["addresses"] = arguments_.words;
    if (names_a_file()) {
      const auto file = source(arguments_.words.front());
      if (!file) return exit_refused;
      Diagnostics diagnostics;
      const auto entries = policy::parse_set_file(*file, diagnostics);
      if (!diagnostics.empty()) return refuse(diagnostics);
      Json addresses = Json::array();
      entries.ranges.each([&](const AddressRange& range) { addresses.push_back(range.text()); });
      entries.pairs.each([&](const AddressPort& pair) { addresses.push_back(pair.text()); });
      for (std::size_t index = 1; index < arguments_.words.size(); ++index)
        addresses.push_back(arguments_.words[index]);
      parameters["addresses"] = std::move(addresses);
    }
    return change("EditSet", std::move(parameters));
  }

  int change_bans(const std::string& method) {
    return show(method, asked({{"addresses", arguments_.words}}), [this](const Json& reply) {
      return render_ban_outcome(reply.at("outcome"), arguments_.dry_run, style_);
    });
  }

  int bans() {
    Json parameters = Json::object();
    if (!arguments_.words.empty()) parameters["address"] = arguments_.words.front();
    return show("Bans", std::move(parameters),
                [this](const Json& reply) { return render_bans(reply, style_); });
  }

  // As the daemon says it of its own files.
  int refuse(const Diagnostics& diagnostics) const {
    const auto reply = protocol::firewall_error("InvalidPolicy",
                                                {{"diagnostics", protocol::to_json(diagnostics)}});
    print_error(reply);
    return exit_refused;
  }

  // One service, or all of them.
  Json named() const {
    return arguments_.name == "all" ? Json::object() : Json{{"name", arguments_.name}};
  }

  // What ufw does here for package scripts adds a rule by itself; nothing adds rules here but
  // people.
  int update_services() {
    if (arguments_.add_new && arguments_.name == "all")
      return refuse("--add-new takes the name of one profile", exit_usage);
    return change("UpdateServices", named());
  }

  int app_default() {
    if (arguments_.what == "skip") {
      std::cout << (arguments_.json ? dump({{"default", "skip"}})
                                    : "New profiles get no rules; it is always so.\n");
      return exit_done;
    }
    return refuse("no rule is made because a profile is new: say 'fwctl " + arguments_.what +
                      " NAME' for the profile you mean",
                  exit_refused);
  }

  int refuse(const std::string& message, int code) const {
    if (arguments_.json)
      std::cout << dump({{"error", "usage"}, {"parameters", {{"message", message}}}});
    else
      std::cerr << "fwctl: " << message << "\n";
    return code;
  }

  int cut() {
    Json parameters = asked(Json::object());
    if (!arguments_.denied) parameters["question"] = arguments_.words;
    return show("Cut", std::move(parameters),
                [this](const Json& reply) { return render_cut(reply, arguments_.dry_run); });
  }

  int reset() {
    if (!ask("Disable the firewall and drop all rules that fwctl added?")) {
      std::cout << "Nothing changed.\n";
      return exit_refused;
    }
    return show("Reset", asked(Json::object()), [this](const Json& reply) {
      const auto kept = reply.value("kept", std::string());
      return render_outcome(reply.at("outcome"), arguments_.dry_run, style_) +
             (kept.empty() || arguments_.dry_run ? ""
                                                 : "The old rules are kept in " + kept + ".\n");
    });
  }

  const Arguments& arguments_;
  Style style_;
  std::optional<Client> client_;
  int failure_ = exit_refused;
};

}  // namespace

int run(const Arguments& arguments) {
  return Session(arguments).run();
}

}  // namespace fwctl::cli
