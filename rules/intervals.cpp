#include "rules/intervals.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>
#include <numeric>
#include <utility>
#include <vector>

namespace fwctl {
namespace {

// Whether there is a value between the two, which have at most 16 bytes.
bool leaves_a_gap(std::string_view last, std::string_view first) {
  std::array<char, 16> next{};
  std::memcpy(next.data(), last.data(), last.size());
  for (std::size_t at = last.size(); at-- != 0;) {
    next[at] = static_cast<char>(static_cast<unsigned char>(next[at]) + 1);
    if (next[at] != 0) return std::string_view(next.data(), last.size()) < first;
  }
  return false;  // nothing comes after the last
}

// Sorts what stands there, `Each` bytes long, byte by byte from the last on: every pass leaves
// those with the same byte in the order of the passes before. Of many several times faster than by
// comparisons.
template <std::size_t Each>
std::string in_order(std::string_view bytes) {
  const std::size_t count = bytes.size() / Each;
  std::string from(bytes);
  std::string to(bytes.size(), '\0');
  for (std::size_t at = Each; at-- != 0;) {
    const auto byte_of = [&](std::size_t index) {
      return static_cast<unsigned char>(from[index * Each + at]);
    };
    std::array<std::size_t, 256> places{};
    for (std::size_t index = 0; index < count; ++index) ++places[byte_of(index)];
    if (places[byte_of(0)] == count) continue;
    std::exclusive_scan(places.begin(), places.end(), places.begin(), std::size_t{0});
    for (std::size_t index = 0; index < count; ++index)
      std::memcpy(&to[places[byte_of(index)]++ * Each], &from[index * Each], Each);
    from.swap(to);
  }
  return from;
}

// Of ranges and pairs of both families, and of addresses.
std::string in_order(std::string_view bytes, std::size_t each) {
  switch (each) {
    case 4:
      return in_order<4>(bytes);
    case 7:
      return in_order<7>(bytes);
    case 8:
      return in_order<8>(bytes);
    case 16:
      return in_order<16>(bytes);
    case 19:
      return in_order<19>(bytes);
    default:
      assert(each == 32);
      return in_order<32>(bytes);
  }
}

}  // namespace

Intervals::Intervals(std::size_t width, std::string bytes)
    : width_(width), bytes_(std::make_shared<std::string>(std::move(bytes))) {}

Intervals Intervals::of_values(std::size_t width, std::string bytes) {
  Intervals out(width);
  out.each_ = width;
  if (!bytes.empty()) out.bytes_ = std::make_shared<std::string>(std::move(bytes));
  return out;
}

std::string& Intervals::writable() {
  if (bytes_ == nullptr)
    bytes_ = std::make_shared<std::string>();
  else if (bytes_.use_count() > 1)
    bytes_ = std::make_shared<std::string>(*bytes_);
  return *bytes_;
}

void Intervals::insert(std::size_t index, std::string_view first, std::string_view last) {
  auto& bytes = writable();
  const std::size_t at = index * each_;
  if (at == bytes.size()) {
    bytes.append(first);
    if (each_ != width_) bytes.append(last);
    return;
  }
  bytes.insert(at, first);
  if (each_ != width_) bytes.insert(at + width_, last);
}

void Intervals::erase(std::size_t index) {
  writable().erase(index * each_, each_);
}

bool Intervals::apart(std::size_t index) const {
  return leaves_a_gap(last(index), first(index + 1));
}

Intervals Intervals::sorted() const {
  const std::size_t count = size();
  std::size_t sound = 0;
  while (sound + 1 < count && (*this)[sound] <= (*this)[sound + 1]) ++sound;
  if (sound + 1 >= count) return *this;
  std::string out = in_order(bytes(), each_);
  return each_ == width_ ? of_values(width_, std::move(out)) : Intervals(width_, std::move(out));
}

Intervals Intervals::distinct() const {
  assert(each_ == width_);
  const std::size_t count = size();
  std::size_t sound = 0;
  while (sound + 1 < count && (*this)[sound] < (*this)[sound + 1]) ++sound;
  if (sound + 1 >= count) return *this;
  Intervals all = sorted();
  std::size_t twice = 0;
  for (std::size_t index = 1; index < count; ++index) twice += all[index - 1] == all[index] ? 1 : 0;
  if (twice == 0) return all;
  std::string out;
  out.reserve(bytes().size() - twice * each_);
  for (std::size_t index = 0; index < count; ++index)
    if (index == 0 || all[index - 1] != all[index]) out.append(all[index]);
  return of_values(width_, std::move(out));
}

Intervals Intervals::merged() const {
  assert(each_ != width_);
  const std::size_t count = size();
  std::size_t sound = 0;
  while (sound + 1 < count && apart(sound)) ++sound;
  if (sound + 1 >= count) return *this;
  const Intervals all = sorted();
  std::string out;
  for (std::size_t index = 0; index < count; ++index) {
    const std::size_t end = out.size() - std::min(out.size(), width_);
    if (out.empty() || leaves_a_gap(std::string_view(out).substr(end), all.first(index)))
      out.append(all[index]);
    else if (std::string_view(out).substr(end) < all.last(index))
      out.replace(end, width_, all.last(index));
  }
  return {width_, std::move(out)};
}

}  // namespace fwctl
