// Port ranges claimed by rules in order, cut so that they are disjoint and the first claim wins.
#pragma once

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <map>
#include <vector>

#include "rules/port.h"

namespace fwctl::compile {

template <typename Owner>
class PortMap {
 public:
  struct Segment {
    Protocol protocol;
    PortRange ports;
    Owner owner;
  };

  // What of `ports` nobody holds yet becomes `owner`'s.
  void claim(Protocol protocol, PortRange ports, const Owner& owner) {
    auto& held = held_[protocol];
    std::uint32_t next = ports.first;
    auto segment = held.upper_bound(ports.first);
    if (segment != held.begin()) {
      const auto before = std::prev(segment);
      if (before->second.last >= next) next = before->second.last + 1U;
    }
    while (next <= ports.last) {
      const std::uint32_t end = segment == held.end()
                                    ? ports.last
                                    : std::min<std::uint32_t>(ports.last, segment->first - 1U);
      if (next <= end) held.emplace(next, Held{end, owner});
      if (segment == held.end()) return;
      next = segment->second.last + 1U;
      ++segment;
    }
  }

  // Sorted by protocol, then port.
  std::vector<Segment> segments() const {
    std::vector<Segment> out;
    for (const auto& [protocol, held] : held_)
      for (const auto& [first, rest] : held)
        out.push_back({protocol,
                       {static_cast<std::uint16_t>(first), static_cast<std::uint16_t>(rest.last)},
                       rest.owner});
    return out;
  }

  bool empty() const { return held_.empty(); }

 private:
  struct Held {
    std::uint32_t last;
    Owner owner;
  };
  std::map<Protocol, std::map<std::uint32_t, Held>> held_;
};

}  // namespace fwctl::compile
