#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "cli/phrases.h"
#include "cli/render.h"
#include "rules/joined.h"

namespace fwctl::cli {
namespace {

using protocol::Json;
using Words = std::vector<std::string>;

// More rules than this that are passed for one reason, one behind the other, are one line.
constexpr std::size_t longest_run = 5;

template <std::size_t size>
std::string word_for(const std::array<std::pair<std::string_view, std::string_view>, size>& table,
                     const std::string& name) {
  for (const auto& [known, word] : table)
    if (known == name) return std::string(word);
  return name;
}

constexpr std::array<std::pair<std::string_view, std::string_view>, 6> conditions{
    {{"family", "address family"},
     {"outInterface", "outgoing interface"},
     {"mac", "MAC source"},
     {"icmpType", "ICMP type"},
     {"sourcePort", "source port"},
     {"state", "state of the connection"}}};

void add(Words& words, std::string word) {
  if (std::find(words.begin(), words.end(), word) == words.end()) words.push_back(std::move(word));
}

// "80/tcp and 80/udp over IPv4 and IPv6"; "icmp type 8 over IPv4, icmpv6 type 128 over IPv6".
std::string packets_text(const Json& packets) {
  Words kinds;
  std::map<std::string, Words> families;
  for (const auto& one : packets) {
    add(kinds, string_at(one, "what"));
    add(families[kinds.back()], string_at(one, "family") == "ipv4" ? "IPv4" : "IPv6");
  }
  Words out;
  while (!kinds.empty()) {
    const Words shared = families[kinds.front()];
    Words alike;
    for (const auto& kind : kinds)
      if (families[kind] == shared) alike.push_back(kind);
    std::erase_if(kinds, [&](const std::string& kind) { return families[kind] == shared; });
    out.push_back(joined(alike, " and ") + " over " + joined(shared, " and "));
  }
  return joined(out);
}

class Explanation {
 public:
  Explanation(const Json& reply, const Json& explanation, const Style& style)
      : explanation_(explanation),
        access_(explanation.at("access")),
        style_(style),
        traffic_(string_at(reply, "traffic")),
        enabled_(reply.value("enabled", false) && !reply.value("panic", false)) {}

  std::string text() const {
    std::string out = heading() + "\n";
    if (access_.size() == 1)
      out += "  by " + decider(access_.front()) + "\n";
    else
      for (const auto& entry : access_)
        out += "  " + who(entry) + ": " + painted(entry) + " by " + decider(entry) + "\n";
    return out + redirected() + passed();
  }

 private:
  std::string painted(const Json& entry) const {
    const std::string verdict = string_at(entry, "verdict");
    const std::string word =
        entry.contains("to") ? "sent on to " + string_at(entry, "to") : participle(verdict);
    return style_.paint(tint_of(verdict), word);
  }

  std::string heading() const {
    const std::string sources = string_at(access_.back(), "sources");
    std::string out = traffic_ + " " + packets_text(explanation_.at("packets"));
    if (traffic_ != "outgoing" || sources != "this host") out += " from " + sources;
    const bool agreed = std::ranges::all_of(access_, [&](const Json& entry) {
      return entry.at("verdict") == access_.back().at("verdict") &&
             string_at(entry, "to") == string_at(access_.back(), "to");
    });
    out = style_.paint(Tint::bold, out) + ": ";
    if (!agreed) return out + "it depends";
    return out + (enabled_ ? "" : "would be ") + painted(access_.back());
  }

  std::string who(const Json& entry) const {
    std::string sources = string_at(entry, "sources");
    if (&entry != &access_.back()) return sources;
    return sources == "anyone" ? "anyone else" : "otherwise";
  }

  std::string decider(const Json& entry) const {
    if (!entry.contains("rule")) return "the default for " + traffic_ + " traffic: no rule matches";
    const std::string id = string_at(entry, "rule");
    if (id == "banned") return reason(entry);
    if (!entry.contains("line"))
      return "'" + id + "', which is always there " + (id == "containers" ? "behind" : "before") +
             " the rules: " + reason(entry);
    return reason(entry) + " " +
           style_.paint(Tint::dim, "(" + string_at(entry, "file") + ":" +
                                       std::to_string(entry.value("line", 0)) + ", " + id + ")") +
           (entry.contains("to") ? ", which asks no rule" : "");
  }

  // What becomes of connections that a forward has sent to where these packets go.
  std::string redirected() const {
    std::string out;
    for (const auto& entry : explanation_.at("redirected"))
      out += "  before the rules passes what is sent there by " + decider(entry) + "\n";
    return out;
  }

  static std::string unmet(const Json& passed) {
    if (passed.at("unmet") == Json{"time"}) return "it has ended";
    Words words;
    for (const auto& condition : passed.at("unmet"))
      words.push_back(word_for(conditions, condition.get<std::string>()));
    return "other " + joined(words, " or ");
  }

  std::string passed() const {
    const auto& rules = explanation_.at("passed");
    std::string out;
    Words always;
    auto next = rules.begin();
    for (; next != rules.end() && !next->contains("number"); ++next)
      add(always, string_at(*next, "rule"));
    if (!always.empty())
      out += style_.paint(Tint::dim, "    what is always there: " + joined(always)) + "\n";
    while (next != rules.end()) {
      const std::string why = unmet(*next);
      // What no one wrote has no number and stands for itself, among the rules or behind them.
      const auto end = std::find_if(next + 1, rules.end(), [&](const Json& rule) {
        return unmet(rule) != why || !rule.contains("number") || !next->contains("number");
      });
      out += run(next, end, why);
      next = end;
    }
    if (const int unlisted = explanation_.value("unlisted", 0); unlisted > 0)
      out += "    " + std::to_string(unlisted) + " more rules behind these\n";
    return out.empty() ? out : "  not matched:\n" + out;
  }

  static std::string run(Json::const_iterator first, const Json::const_iterator& end,
                         const std::string& why) {
    const auto number = [](const Json& rule) {
      return std::to_string(rule.at("number").get<int>());
    };
    const auto length = static_cast<std::size_t>(end - first);
    if (length > longest_run)
      return "    " + std::to_string(length) + " rules, " + number(*first) + " to " +
             number(*(end - 1)) + ": " + why + "\n";
    std::string out;
    for (; first != end; ++first) out += "    " + reason(*first) + ": " + why + "\n";
    return out;
  }

  const Json& explanation_;
  const Json& access_;
  const Style& style_;
  std::string traffic_;
  bool enabled_;
};

}  // namespace

std::string render_explanations(const Json& reply, const Style& style) {
  std::string out;
  if (reply.value("panic", false))
    out += style.paint(Tint::bad, "PANIC IS ON") +
           ": no packet passes. This is what would be after 'fwctl panic off':\n\n";
  else if (!reply.value("enabled", false))
    out += style.paint(Tint::warn, "The firewall is inactive") +
           ": every packet passes. This is what would be after 'fwctl enable':\n\n";
  for (const auto& explanation : reply.at("explanations")) {
    if (&explanation != &reply.at("explanations").front()) out += "\n";
    out += Explanation(reply, explanation, style).text();
  }
  return out;
}

}  // namespace fwctl::cli
