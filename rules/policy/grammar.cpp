#include "rules/policy/grammar.h"

#include <algorithm>
#include <array>
#include <functional>
#include <utility>

#include "rules/ascii.h"
#include "rules/nearest.h"
#include "rules/policy/items.h"

namespace fwctl::policy {
namespace {

constexpr std::array<std::string_view, 6> first_words{"allow", "deny",  "reject",
                                                      "limit", "route", "rule"};
// Without "for", which too many names of services are nearly.
constexpr std::array<std::string_view, 17> clause_words{
    "user", "group", "unit",    "proto", "mac",     "mark", "from",  "to",   "port",
    "type", "app",   "comment", "log",   "log-all", "rate", "burst", "until"};

class Reader : WordReader {
 public:
  Reader(const std::vector<Word>& words, const Source& source, Span whole, std::optional<Time> now,
         Diagnostics& diagnostics)
      : WordReader(words, source, diagnostics), whole_(whole), now_(now) {}

  std::optional<Rule> read() {
    rule_.at = whole_;
    if (at_end()) {
      complain(whole_, "an empty rule: it begins with allow, deny, reject or limit");
      return {};
    }
    read_verdict();
    read_prefix();
    if (failed()) return {};
    read_what();
    if (!failed() && app_ != nullptr && rule_.protocol)
      complain(app_->at, "'app' brings its own protocols: leave 'proto' out");
    if (failed()) return {};
    if (!rule_.icmp_types.empty() && (!rule_.ports.empty() || !rule_.from_ports.empty()))
      complain(whole_, "a rule with ICMP types has no ports");
    else if (const auto disagreement = settle_protocol(rule_))
      complain(disagreement->at, disagreement->message);
    if (failed()) return {};
    return std::move(rule_);
  }

 private:
  void read_verdict() {
    const std::string& opening = word().text;
    if (take("route"))
      rule_.direction = Direction::routed;
    else
      take("rule");
    const Word* first = argument(opening, "allow, deny, reject or limit");
    if (first == nullptr) return;
    if (const auto verdict = parse_verdict(first->text))
      rule_.verdict = *verdict;
    else
      complain(first->at, "'" + first->text + "' is not allow, deny, reject or limit" +
                              suggestion(first->text, first_words));
  }

  void read_prefix() {
    read_anywhere();
    if (rule_.direction == Direction::routed) {
      while (read_way() && !failed()) read_anywhere();
    } else {
      if (take_any_case("out"))
        rule_.direction = Direction::out;
      else
        take_any_case("in");
      if (take("on")) read_interfaces(rule_.interfaces);
    }
    read_anywhere();
    if (take_any_case("log"))
      rule_.log = Log::fresh;
    else if (take_any_case("log-all"))
      rule_.log = Log::all;
  }

  // "in on eth0" or "out on eth1" of a routed rule.
  bool read_way() {
    if (at_end() || (word().text != "in" && word().text != "out")) return false;
    const Word& way = next();
    if (!take("on")) {
      complain(way.at, "in a routed rule '" + way.text + "' needs an interface: " + way.text +
                           " on INTERFACE");
      return true;
    }
    auto& interfaces = way.text == "in" ? rule_.interfaces : rule_.out_interfaces;
    if (!interfaces.empty())
      complain(way.at, "'" + way.text + "' a second time");
    else
      read_interfaces(interfaces);
    return true;
  }

  void read_interfaces(std::vector<std::string>& into) {
    if (const Word* names = argument("on", "an interface"))
      accept(*names, parse_interfaces(names->text), into);
  }

  // The clauses that may stand between any others.
  bool read_anywhere() {
    bool any = false;
    while (!at_end() && !failed()) {
      const Word& current = word();
      if (take_any_case("comment")) {
        once(seen_comment_, current);
        read_comment();
      } else if (take("for")) {
        read_for(current);
      } else if (take("until")) {
        read_until(current);
      } else if (rule_.verdict == Verdict::limit && take("rate")) {
        once(seen_rate_, current);
        if (const Word* rate = argument("rate", "a rate"))
          accept(*rate, parse_rate(rate->text, rule_.rate), rule_.rate);
      } else if (rule_.verdict == Verdict::limit && take("burst")) {
        once(seen_burst_, current);
        if (const Word* burst = argument("burst", "a number"))
          accept(*burst, parse_burst(burst->text), rule_.rate.burst);
      } else {
        return any;
      }
      any = true;
    }
    return any;
  }

  void read_comment() {
    const Word* comment = argument("comment", "a text");
    if (comment == nullptr) return;
    if (const auto why = not_a_comment(comment->text)) complain(comment->at, *why);
    rule_.comment = comment->text;
    rule_.no_comment = comment->text.empty();
  }

  void read_for(const Word& current) {
    if (rule_.until) return complain(current.at, "a rule ends once: one of 'for' and 'until'");
    if (!now_)
      return complain(
          current.at,
          "'for' counts from the moment of a command that adds a rule: write 'until' and "
          "a time in UTC instead, as 2026-11-22T18:00:00Z");
    const Word* word = argument("for", "how long, as 2h");
    if (word == nullptr) return;
    if (const auto span = accept(*word, parse_lasting(word->text))) rule_.until = *now_ + *span;
  }

  void read_until(const Word& current) {
    if (rule_.until) return complain(current.at, "a rule ends once: one of 'for' and 'until'");
    const Word* word = argument("until", "a time in UTC, as 2026-11-22T18:00:00Z");
    if (word == nullptr) return;
    rule_.until = accept(*word, parse_until(word->text));
    if (rule_.until && now_ && *rule_.until <= *now_)
      complain(word->at, "that is over: it is " + time_text(*now_));
  }

  void read_what() {
    bool simple = false;
    bool any_clause = false;
    while (!at_end() && !failed()) {
      const Word& current = word();
      if (read_anywhere()) continue;
      if (take("proto")) {
        any_clause = true;
        once(seen_proto_, current);
        read_proto();
      } else if (take("mac")) {
        any_clause = true;
        once(seen_mac_, current);
        if (const Word* macs = argument("mac", "a MAC address"))
          accept(*macs, parse_macs(macs->text), rule_.macs);
      } else if (take("mark")) {
        any_clause = true;
        once(seen_mark_, current);
        read_mark();
      } else if (take("user")) {
        any_clause = true;
        once(seen_user_, current);
        read_accounts("user", rule_.users);
      } else if (take("group")) {
        any_clause = true;
        once(seen_group_, current);
        read_accounts("group", rule_.groups);
      } else if (take("unit")) {
        any_clause = true;
        once(seen_unit_, current);
        if (const Word* units = argument("unit", "the name of a unit"))
          accept(*units, parse_units(units->text), rule_.units);
      } else if (take("from")) {
        any_clause = true;
        once(seen_from_, current);
        read_side("from", rule_.from, rule_.from_ports);
      } else if (take("to")) {
        any_clause = true;
        once(seen_to_, current);
        read_side("to", rule_.to, rule_.ports);
      } else if (!simple && !any_clause) {
        simple = true;
        next();
        read_simple(current);
      } else {
        unexpected(current);
      }
    }
    if (!failed() && !simple && !any_clause && rule_.interfaces.empty() &&
        rule_.out_interfaces.empty())
      complain(whole_, "this rule names no port, address or interface: say what to " +
                           std::string(text(rule_.verdict)) + ", or 'from any' for everything");
  }

  void once(bool& seen, const Word& current) {
    if (std::exchange(seen, true)) complain(current.at, "'" + current.text + "' a second time");
  }

  void read_proto() {
    const Word* name = argument("proto", "a protocol");
    if (name == nullptr || name->text == "any") return;
    Protocol protocol;
    if (!accept(*name, parse_protocol(name->text), protocol)) return;
    rule_.protocol = protocol;
    const Word* type = at_end() ? nullptr : &word();
    if (!take("type")) return;
    if (protocol != icmp && protocol != icmpv6)
      return complain(type->at, "only icmp and icmpv6 have types");
    if (const Word* types = argument("type", "a type, as echo-request"))
      accept(*types, parse_icmp_types(protocol, types->text), rule_.icmp_types);
  }

  void read_mark() {
    const Word* bits = argument("mark", "a mark, as 0x1 or 0x1/0xff");
    Mark mark;
    if (bits != nullptr && accept(*bits, parse_mark(bits->text), mark)) rule_.mark = mark;
  }

  void read_accounts(std::string_view keyword, std::vector<Account>& into) {
    if (const Word* accounts = argument(keyword, "a name or number"))
      accept(*accounts, parse_accounts(accounts->text), into);
  }

  void read_side(std::string_view keyword, std::vector<AddressItem>& addresses,
                 std::vector<PortItem>& ports) {
    const Word* address = argument(keyword, "an address, or any");
    if (address == nullptr || !accept(*address, parse_addresses(address->text), addresses)) return;
    if (const auto odd = mixed_negation(addresses)) return complain(odd->at, odd->message);
    if (!at_end() && word().text == "app") return read_app(ports);
    if (!take("port")) return;
    const Word* port = argument("port", "a port");
    if (port == nullptr) return;
    if (port->text == "any") return complain(port->at, "leave 'port' out to mean any port");
    if (!ports.empty()) return complain(port->at, "the ports are given already");
    accept(*port, parse_ports(port->text), ports);
  }

  void read_app(std::vector<PortItem>& ports) {
    app_ = &next();
    const Word* name = argument("app", "the name of a service");
    if (name == nullptr) return;
    if (!ports.empty()) return complain(name->at, "the ports are given already");
    accept(*name, parse_service_names(name->text), ports);
  }

  void read_simple(const Word& what) {
    if (what.text == "any") return complain(what.at, "say 'from any' to mean every packet");
    const auto ports = parse_ports(what.text);
    // A word that looks like an address, or like a mistyped keyword, deserves a better answer.
    if (!ports && parse_addresses(what.text))
      return complain(what.at, "an address needs 'from' or 'to' before it");
    const bool may_follow = at_end() || same_but_for_case(word().text, "comment") ||
                            word().text == "for" || word().text == "until";
    if (!may_follow && !suggestion(what.text, clause_words).empty()) return unexpected(what);
    accept(what, ports, rule_.ports);
  }

  void unexpected(const Word& what) {
    if (what.text == "log" || what.text == "log-all" || what.text == "on" || what.text == "in" ||
        what.text == "out") {
      const bool routed = rule_.direction == Direction::routed;
      return complain(
          what.at,
          "'" + what.text + "' stands directly behind the verdict: " + (routed ? "route " : "") +
              std::string(text(rule_.verdict)) +
              (routed ? " [in on INTERFACE] [out on INTERFACE]" : " [in|out] [on INTERFACE]") +
              " [log] ...");
    }
    if (what.text == "rate" || what.text == "burst")
      return complain(what.at, "'" + what.text + "' goes with limit only");
    if (what.text == "type")
      return complain(what.at, "'type' stands behind 'proto icmp' or 'proto icmpv6'");
    if (what.text == "port" || what.text == "app")
      return complain(what.at, "'" + what.text + "' stands behind 'from ADDRESS' or 'to ADDRESS'");
    complain(what.at,
             "'" + what.text + "' has no meaning here" + suggestion(what.text, clause_words));
  }

  Span whole_;
  std::optional<Time> now_;
  const Word* app_ = nullptr;  // one of the words `app`
  bool seen_proto_ = false;
  bool seen_from_ = false;
  bool seen_to_ = false;
  bool seen_mac_ = false;
  bool seen_mark_ = false;
  bool seen_user_ = false;
  bool seen_group_ = false;
  bool seen_unit_ = false;
  bool seen_comment_ = false;
  bool seen_rate_ = false;
  bool seen_burst_ = false;
  Rule rule_;
};

// Splits at blanks; ' and " hold blanks together. The error is the offset of an open quote.
tl::expected<std::vector<Word>, std::size_t> split(std::string_view text, Span at) {
  std::vector<Word> words;
  std::size_t index = 0;
  while (true) {
    while (index < text.size() && text[index] == ' ') ++index;
    if (index == text.size()) return words;
    const std::size_t begin = index;
    std::string word;
    while (index < text.size() && text[index] != ' ') {
      if (text[index] != '\'' && text[index] != '"') {
        word += text[index++];
        continue;
      }
      const std::size_t close = text.find(text[index], index + 1);
      if (close == std::string_view::npos) return tl::unexpected(index);
      word += text.substr(index + 1, close - index - 1);
      index = close + 1;
    }
    Span place = at;
    place.column += static_cast<std::uint32_t>(begin);
    place.length = static_cast<std::uint32_t>(index - begin);
    const bool quoted = text[begin] == '\'' || text[begin] == '"';
    words.push_back({.text = std::move(word), .at = place, .quote = quoted ? 1U : 0U});
  }
}

}  // namespace

bool begins_rule(std::string_view word) {
  return std::find(first_words.begin(), first_words.end(), word) != first_words.end();
}

std::optional<Rule> parse_rule(const std::vector<std::string>& words, Diagnostics& diagnostics,
                               std::optional<Time> now) {
  const Command command = place(words);
  return Reader(command.words, command.source, command.whole, now, diagnostics).read();
}

std::optional<Rule> parse_rule(std::string_view text, const Source& source, Span at,
                               Diagnostics& diagnostics) {
  const auto words = split(text, at);
  if (!words) {
    at.column += static_cast<std::uint32_t>(words.error());
    at.length = 1;
    diagnostics.push_back(error_in(source, at, "a quote that is not closed"));
    return {};
  }
  return Reader(*words, source, at, std::nullopt, diagnostics).read();
}

}  // namespace fwctl::policy
