// Many intervals of one field in little memory.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace fwctl::nft {

// Sorted, disjoint, and nothing but intervals: two keys each, as Element has them, of which the
// second is the first for a single value. Copies share them.
class Intervals {
 public:
  Intervals() = default;
  // `bytes`: first and last of each, one after the other, `width` bytes each; nullptr: none.
  Intervals(std::size_t width, std::shared_ptr<const std::string> bytes)
      : width_(width), bytes_(std::move(bytes)) {}
  Intervals(std::size_t width, std::string bytes)
      : Intervals(width, std::make_shared<const std::string>(std::move(bytes))) {}

  bool empty() const { return bytes().empty(); }
  std::size_t size() const { return empty() ? 0 : bytes().size() / (2 * width_); }
  std::string_view first(std::size_t index) const {
    return bytes().substr(index * 2 * width_, width_);
  }
  std::string_view last(std::size_t index) const {
    return bytes().substr((index * 2 + 1) * width_, width_);
  }
  // Both.
  std::string_view operator[](std::size_t index) const {
    return bytes().substr(index * 2 * width_, 2 * width_);
  }
  // Of one key.
  std::size_t width() const { return width_; }

  bool operator==(const Intervals& other) const {
    return bytes_ == other.bytes_ || bytes() == other.bytes();
  }

 private:
  std::string_view bytes() const { return bytes_ == nullptr ? std::string_view() : *bytes_; }

  std::size_t width_ = 1;
  std::shared_ptr<const std::string> bytes_;
};

}  // namespace fwctl::nft
