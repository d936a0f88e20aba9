// Many intervals of values of one width, or many single values, in little memory.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace fwctl {

// The first and the last value of each, in network order. Copies share them.
class Intervals {
 public:
  // None of them.
  Intervals() = default;
  // `width`: bytes of a value.
  explicit Intervals(std::size_t width) : width_(width) {}
  // `bytes`: first and last of each, one after the other.
  Intervals(std::size_t width, std::string bytes);
  // Of single values, one after the other: each is its own first and last, and takes half as much.
  static Intervals of_values(std::size_t width, std::string bytes);

  std::size_t width() const { return width_; }
  bool empty() const { return bytes().empty(); }
  std::size_t size() const { return bytes().size() / each_; }
  std::string_view first(std::size_t index) const { return bytes().substr(index * each_, width_); }
  std::string_view last(std::size_t index) const {
    return bytes().substr((index + 1) * each_ - width_, width_);
  }
  // All that is kept of it.
  std::string_view operator[](std::size_t index) const {
    return bytes().substr(index * each_, each_);
  }

  // Behind all others, as operator[] gives it.
  void push_back(std::string_view one) { writable().append(one); }
  // Before the one at `index`; and that one goes. Others that share what is here do not see it.
  void insert(std::size_t index, std::string_view first, std::string_view last);
  void erase(std::size_t index);

  // As they are, sorted. Shares what is here where it is so already.
  Intervals sorted() const;
  // Sorted, each once. Shares what is here where that is so already. Of single values.
  Intervals distinct() const;
  // Sorted, and one where they overlap or touch. Shares what is here where that is so already. Not
  // of single values.
  Intervals merged() const;

  // All that they are in memory; nullptr: none.
  std::shared_ptr<const std::string> shared() const { return bytes_; }

  bool operator==(const Intervals& other) const {
    return bytes_ == other.bytes_ ||
           (bytes() == other.bytes() && (empty() || each_ == other.each_));
  }

 private:
  std::string_view bytes() const { return bytes_ == nullptr ? std::string_view() : *bytes_; }
  std::string& writable();
  // Whether interval `index + 1` begins behind `index`, with a value between them.
  bool apart(std::size_t index) const;

  std::size_t width_ = 1;
  std::size_t each_ = 2 * width_;       // bytes that one takes
  std::shared_ptr<std::string> bytes_;  // changed only while nobody shares it
};

}  // namespace fwctl
