#include "rules/policy/translation.h"

#include <algorithm>
#include <array>
#include <functional>
#include <utility>

#include "rules/nearest.h"
#include "rules/policy/grammar.h"

namespace fwctl::policy {
namespace {

constexpr std::array<std::string_view, 2> first_words{"forward", "masquerade"};

tl::unexpected<Problem> problem(std::size_t offset, std::string_view piece, std::string message) {
  return tl::unexpected(Problem{.offset = offset,
                                .length = std::max<std::size_t>(piece.size(), 1),
                                .message = std::move(message)});
}

class Reader : WordReader {
 public:
  Reader(const Command& command, Diagnostics& diagnostics)
      : WordReader(command.words, command.source, diagnostics), command_(command) {}

  std::optional<Translation> read() {
    const bool forward = next().text == "forward";
    auto result = forward ? Translation(read_forward()) : Translation(read_masquerade());
    if (failed()) return {};
    return result;
  }

 private:
  struct Clause {
    std::string_view keyword;
    std::string_view needs;
    std::function<void(const Word&)> read;
    bool required = false;
  };

  Forward read_forward() {
    Forward out;
    out.at = command_.whole;
    if (const Word* ports = argument("forward", "a port")) {
      accept(*ports, parse_ports(ports->text), out.ports);
      if (!failed() && out.ports.empty()) complain(ports->at, "a forward is of ports: 8080/tcp");
    }
    read_clauses(
        {{"to", "where it leads, as 10.0.0.5:80",
          [&](const Word& word) {
            out.to_at = word.at;
            Target target;
            if (!accept(word, parse_target(word.text), target)) return;
            out.to = target.address;
            out.to_port = target.port;
          },
          true},
         from(out.from),
         {"on", "an interface",
          [&](const Word& word) { accept(word, parse_interfaces(word.text), out.interfaces); }},
         comment(out)});
    return out;
  }

  Masquerade read_masquerade() {
    Masquerade out;
    out.at = command_.whole;
    take("out");
    read_clauses(
        {{"on", "an interface",
          [&](const Word& word) { accept(word, parse_interfaces(word.text), out.out_interfaces); },
          true},
         from(out.from),
         comment(out)});
    return out;
  }

  Clause from(std::vector<AddressItem>& into) {
    return {"from", "an address, or any", [this, &into](const Word& word) {
              if (!accept(word, parse_addresses(word.text), into)) return;
              if (const auto odd = mixed_negation(into)) complain(odd->at, odd->message);
            }};
  }

  template <typename Item>
  Clause comment(Item& into) {
    return {"comment", "a text", [this, &into](const Word& word) {
              if (const auto why = not_a_comment(word.text)) complain(word.at, *why);
              into.comment = word.text;
              into.no_comment = word.text.empty();
            }};
  }

  void read_clauses(const std::vector<Clause>& clauses) {
    std::vector<std::string_view> seen;
    while (!failed() && !at_end()) {
      const Word& word = next();
      const auto clause = std::find_if(clauses.begin(), clauses.end(),
                                       [&](const Clause& one) { return one.keyword == word.text; });
      if (clause == clauses.end()) return unexpected(word, clauses);
      if (std::find(seen.begin(), seen.end(), word.text) != seen.end())
        return complain(word.at, "'" + word.text + "' a second time");
      seen.push_back(clause->keyword);
      if (const Word* value = argument(clause->keyword, clause->needs)) clause->read(*value);
    }
    for (const auto& clause : clauses)
      if (!failed() && clause.required &&
          std::find(seen.begin(), seen.end(), clause.keyword) == seen.end())
        complain(command_.whole, "'" + command_.words.front().text + "' needs '" +
                                     std::string(clause.keyword) + "' and " +
                                     std::string(clause.needs));
  }

  void unexpected(const Word& word, const std::vector<Clause>& clauses) {
    std::vector<std::string_view> known;
    known.reserve(clauses.size());
    for (const auto& clause : clauses) known.push_back(clause.keyword);
    complain(word.at, "'" + word.text + "' has no meaning here" + suggestion(word.text, known));
  }

  const Command& command_;
};

}  // namespace

Parsed<Target> parse_target(std::string_view text) {
  const bool bracketed = text.starts_with('[');
  const std::size_t close = text.find(']');
  if (bracketed && close == std::string_view::npos)
    return problem(0, text, "'[' without ']' behind the address");
  const std::size_t begin = bracketed ? 1 : 0;
  std::size_t end = text.size();
  if (bracketed)
    end = close;
  else if (std::count(text.begin(), text.end(), ':') == 1)
    end = text.find(':');
  const auto piece = text.substr(begin, end - begin);
  const auto address = Address::parse(piece);
  if (!address || (bracketed && address->family() == Family::ipv4))
    return problem(begin, piece,
                   "'" + std::string(piece) +
                       (bracketed ? "' is not an IPv6 address" : "' is not an address") +
                       ": a forward leads to one, as 10.0.0.5:80 or [2001:db8::5]:80");
  Target out{.address = *address, .port = {}};
  const auto rest = text.substr(end + begin);
  if (rest.empty()) return out;
  const std::size_t at = end + begin;
  if (rest.front() != ':')
    return problem(at, rest,
                   "'" + std::string(rest) + "' behind the address: a port begins with ':'");
  const auto port = parse_ports(rest.substr(1));
  const auto* range =
      port && port->size() == 1 ? std::get_if<PortRange>(&port->front().what) : nullptr;
  if (range == nullptr || !range->single() || port->front().protocol)
    return problem(at + 1, rest.substr(1),
                   "'" + std::string(rest.substr(1)) + "' is not a port: one is 1 to 65535");
  out.port = range->first;
  return out;
}

std::string target_text(const Forward& forward) {
  if (!forward.to_port) return forward.to.text();
  const std::string address =
      forward.to.family() == Family::ipv6 ? "[" + forward.to.text() + "]" : forward.to.text();
  return address + ":" + std::to_string(*forward.to_port);
}

bool begins_translation(std::string_view word) {
  return std::find(first_words.begin(), first_words.end(), word) != first_words.end();
}

std::optional<Translation> parse_translation(const std::vector<std::string>& words,
                                             Diagnostics& diagnostics) {
  const Command command = place(words);
  return Reader(command, diagnostics).read();
}

}  // namespace fwctl::policy
