// Words as they are typed, where they stand, and what every reader of a command does with them.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "rules/diagnostic.h"
#include "rules/policy/items.h"

namespace fwctl::policy {

struct Word {
  std::string text;
  Span at;  // in the source
  // Bytes there before the text begins: the quote it stands in.
  std::uint32_t quote = 0;
};

// Where `length` bytes of the word `whole` stand in its source, `offset` behind its beginning.
Span within(const Word& whole, std::size_t offset, std::size_t length);

// Words as a shell splits them, placed in one line: joined by one blank each, file "command".
struct Command {
  Source source;
  Span whole;
  std::vector<Word> words;
};
Command place(const std::vector<std::string>& words);

constexpr std::string_view command_source = "command";

// `words` as one line that a shell splits into the same words.
std::string join(const std::vector<std::string>& words);

// Walks along words and complains at the right place. What is handed in must outlive it.
class WordReader {
 protected:
  WordReader(const std::vector<Word>& words, const Source& source, Diagnostics& diagnostics)
      : words_(words), source_(source), diagnostics_(diagnostics) {}

  bool at_end() const { return next_ >= words_.size(); }
  const Word& word() const { return words_[next_]; }
  const Word& next() { return words_[next_++]; }
  // Goes on when the next word is that.
  bool take(std::string_view expected);
  // In capitals too, as ufw takes some of its words.
  bool take_any_case(std::string_view expected);
  // The word after `keyword`, which has just been taken; nullptr after saying that it is missing.
  const Word* argument(std::string_view keyword, std::string_view what);

  void complain(Span at, std::string_view message);
  bool failed() const { return failed_; }

  // What was parsed from `from`, its items at their places there; nullopt after complaining.
  template <typename T>
  std::optional<T> accept(const Word& from, Parsed<T> parsed) {
    if (!parsed) {
      complain(within(from, parsed.error().offset, parsed.error().length), parsed.error().message);
      return {};
    }
    if constexpr (requires { parsed->front().at; })
      for (auto& item : *parsed) item.at = within(from, item.at.column - 1, item.at.length);
    return *std::move(parsed);
  }
  template <typename T>
  bool accept(const Word& from, Parsed<T> parsed, T& into) {
    auto value = accept(from, std::move(parsed));
    if (!value) return false;
    into = *std::move(value);
    return true;
  }

 private:
  const std::vector<Word>& words_;
  const Source& source_;
  Diagnostics& diagnostics_;
  std::size_t next_ = 0;
  bool failed_ = false;
};

}  // namespace fwctl::policy
