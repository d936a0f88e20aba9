#include "rules/policy/ban.h"

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "rules/policy/items.h"
#include "rules/policy/words.h"

namespace fwctl::policy {
namespace {

// The words behind the command, all of whose mistakes are told.
class Reader {
 public:
  Reader(const Command& typed, Diagnostics& diagnostics)
      : typed_(typed), diagnostics_(diagnostics), before_(diagnostics.size()) {}

  bool failed() const { return diagnostics_.size() != before_; }

  // The next word, nullptr behind the last.
  const Word* next() { return next_ < typed_.words.size() ? &typed_.words[next_++] : nullptr; }

  // What must stand behind `keyword`; nullptr after saying that it is missing.
  const Word* argument(const Word& keyword, std::string_view what) {
    const Word* found = next();
    if (found == nullptr)
      complain(keyword.at, std::string(what) + " is missing behind '" + keyword.text + "'");
    return found;
  }

  void complain(Span at, std::string_view message) {
    diagnostics_.push_back(error_in(typed_.source, at, message));
  }

  void refuse(const Word& word, const Problem& problem) {
    complain(within(word, problem.offset, problem.length), problem.message);
  }

  // Several joined by commas.
  void read_prefixes(const Word& word, std::vector<Prefix>& into) {
    for (std::size_t begin = 0; begin <= word.text.size();) {
      const std::size_t end = std::min(word.text.find(',', begin), word.text.size());
      const auto at = within(word, begin, end - begin);
      const auto range =
          parse_address_range(std::string_view(word.text).substr(begin, end - begin));
      if (!range) {
        complain(within(word, begin + range.error().offset, range.error().length),
                 range.error().message);
      } else if (const auto prefix = as_prefix(*range)) {
        if (seen_.insert(*prefix).second) into.push_back(*prefix);
      } else {
        complain(at, "a ban is of an address or a prefix, as 192.0.2.7 or 192.0.2.0/24");
      }
      begin = end + 1;
    }
  }

  void read_comment(const Word& keyword, std::string& into) {
    const Word* comment = argument(keyword, "a text");
    if (comment == nullptr) return;
    if (const auto why = not_a_comment(comment->text)) complain(comment->at, *why);
    into = comment->text;
  }

  void require_addresses(bool there) {
    if (!there && !failed()) complain(typed_.whole, "say which addresses");
  }

 private:
  const Command& typed_;
  Diagnostics& diagnostics_;
  std::size_t before_;
  std::size_t next_ = 1;  // behind the command
  std::unordered_set<Prefix> seen_;
};

Command placed(std::string_view command, const std::vector<std::string>& words) {
  std::vector<std::string> all{std::string(command)};
  all.insert(all.end(), words.begin(), words.end());
  return place(all);
}

void read_end(Reader& reader, const Word& keyword, Time now, Banning& out) {
  if (out.lasting) return reader.complain(keyword.at, "a ban ends once: one of 'for' and 'until'");
  const bool lasting = keyword.text == "for";
  const Word* word = reader.argument(keyword, lasting ? "how long, as 2h," : "a time in UTC");
  if (word == nullptr) return;
  if (lasting) {
    const auto span = parse_lasting(word->text);
    if (!span) return reader.refuse(*word, span.error());
    out.lasting = *span;
    return;
  }
  const auto until = parse_until(word->text);
  if (!until) return reader.refuse(*word, until.error());
  if (*until <= now) return reader.complain(word->at, "that is over: it is " + time_text(now));
  out.lasting = *until - now;
}

}  // namespace

std::optional<Banning> parse_ban(const std::vector<std::string>& words, Time now,
                                 Diagnostics& diagnostics) {
  const Command typed = placed("ban", words);
  Reader reader(typed, diagnostics);
  Banning out;
  while (const Word* word = reader.next()) {
    if (word->text == "for" || word->text == "until")
      read_end(reader, *word, now, out);
    else if (word->text == "comment")
      reader.read_comment(*word, out.comment);
    else
      reader.read_prefixes(*word, out.prefixes);
  }
  reader.require_addresses(!out.prefixes.empty());
  if (reader.failed()) return {};
  return out;
}

std::optional<Lifting> parse_unban(const std::vector<std::string>& words,
                                   Diagnostics& diagnostics) {
  const Command typed = placed("unban", words);
  Reader reader(typed, diagnostics);
  Lifting out;
  bool all = false;
  while (const Word* word = reader.next()) {
    if (word->text == "all")
      all = true;
    else if (word->text == "comment")
      reader.read_comment(*word, out.comment.emplace());
    else
      reader.read_prefixes(*word, out.prefixes);
  }
  if (all && !out.prefixes.empty())
    reader.complain(typed.whole, "either all bans, or those of some addresses");
  reader.require_addresses(all || out.comment || !out.prefixes.empty());
  if (reader.failed()) return {};
  return out;
}

std::optional<std::string> not_bannable(const Prefix& prefix) {
  if (prefix.length == 0)
    return prefix.text() +
           " is every address: 'fwctl default deny incoming' refuses what no rule "
           "allows";
  const auto range = prefix.range();
  for (const auto& loopback :
       {fwctl::prefix(*Address::parse("127.0.0.0"), 8), fwctl::prefix(*Address::parse("::1"), 128)})
    if (range.overlaps(loopback))
      return prefix.text() + " has loopback addresses, over which this host talks to itself";
  for (const auto& multicast : {fwctl::prefix(*Address::parse("224.0.0.0"), 4),
                                fwctl::prefix(*Address::parse("ff00::"), 8)})
    if (range.overlaps(multicast))
      return prefix.text() + " has multicast addresses, which nothing comes from";
  if (range.contains(Address(prefix.family(), {})))
    return prefix.text() + " has the address of hosts that have none yet";
  return {};
}

}  // namespace fwctl::policy
