#include "rules/compile/cells.h"

#include <gtest/gtest.h>

#include <random>
#include "tests/unit/rounds.h"

namespace fwctl::testing {
namespace {

using compile::Box;
using compile::Cells;
using nft::Bytes;
using nft::Field;

const std::vector<Field> port{Field::th_dport};
const std::vector<Field> address_and_port{Field::ip_saddr, Field::th_dport};

Bytes number(unsigned value, std::size_t width) {
  Bytes out;
  while (width-- > 0) out += static_cast<char>(value >> (8 * width) & 0xff);
  return out;
}

Box ports(unsigned first, unsigned last) {
  return {number(first, 2), number(last, 2)};
}

Box box(unsigned from, unsigned to, unsigned first, unsigned last) {
  return {number(from, 4) + number(first, 2), number(to, 4) + number(last, 2)};
}

// Rules are only told apart here.
class Owners {
 public:
  Cells::Owner operator[](std::size_t index) const { return &rules_[index]; }
  std::size_t index(Cells::Owner owner) const {
    return static_cast<std::size_t>(owner - rules_.data());
  }

 private:
  std::vector<policy::CheckedRule> rules_ = std::vector<policy::CheckedRule>(200);
};

const Owners owners;

unsigned read(const Bytes& bytes, std::size_t from, std::size_t width) {
  unsigned value = 0;
  for (std::size_t i = 0; i < width; ++i)
    value = value << 8 | static_cast<unsigned char>(bytes[from + i]);
  return value;
}

std::string text(const Cells::Map& map) {
  std::string out;
  for (const auto& [first, cell] : map)
    out += std::to_string(read(first, 0, 2)) + "-" + std::to_string(read(cell.last, 0, 2)) + "=" +
           std::to_string(owners.index(cell.owner)) + " ";
  return out;
}

TEST(Cells, TheFirstClaimWins) {
  Cells cells(port);
  EXPECT_TRUE(cells.claim(ports(10, 20), owners[1]));
  EXPECT_TRUE(cells.claim(ports(15, 30), owners[2]));
  EXPECT_TRUE(cells.claim(ports(5, 12), owners[3]));
  EXPECT_EQ(text(cells.boxes()), "5-9=3 10-20=1 21-30=2 ");
  EXPECT_EQ(cells.size(), 3U);
}

TEST(Cells, APointIsHeldApart) {
  Cells cells(port);
  EXPECT_TRUE(cells.claim(ports(80, 80), owners[1]));
  EXPECT_TRUE(cells.claim(ports(1, 100), owners[2]));
  EXPECT_TRUE(cells.claim(ports(80, 80), owners[3]));
  EXPECT_TRUE(cells.claim(ports(90, 90), owners[4])) << "hidden by 2";
  EXPECT_TRUE(cells.claim(ports(0, 65535), owners[5]));
  EXPECT_TRUE(cells.claim(ports(0, 65535), owners[6]));
  EXPECT_EQ(text(cells.points()), "0-0=5 80-80=1 ");
  EXPECT_EQ(text(cells.boxes()), "1-100=2 101-65535=5 ");
}

TEST(Cells, WhatWouldBeNoFewBoxesIsRefusedAndChangesNothing) {
  Cells cells(address_and_port);
  EXPECT_TRUE(cells.claim(box(10, 20, 10, 20), owners[1]));
  EXPECT_FALSE(cells.claim(box(15, 30, 15, 30), owners[2])) << "what is left of it has a corner";
  EXPECT_EQ(cells.size(), 1U);
  EXPECT_TRUE(cells.claim(box(10, 20, 15, 30), owners[3])) << "cut in one direction";
  EXPECT_TRUE(cells.claim(box(12, 13, 14, 16), owners[4])) << "hidden";
  EXPECT_EQ(cells.size(), 2U);
}

TEST(Cells, ManyPiecesAreRefused) {
  Cells cells(port);
  for (unsigned first = 0; first < 1000; first += 10)
    ASSERT_TRUE(cells.claim(ports(first, first + 1), owners[first / 10]));
  EXPECT_FALSE(cells.claim(ports(0, 65535), owners[150]));
  EXPECT_TRUE(cells.claim(ports(0, 99), owners[150]));
  EXPECT_EQ(cells.size(), 110U);
}

// Who holds a value when points are looked up first, and boxes then.
Cells::Owner holder(const Cells& cells, unsigned address, unsigned number_of_port) {
  const auto wanted = box(address, address, number_of_port, number_of_port);
  const auto& points = cells.points();
  if (const auto point = points.find(wanted.first); point != points.end())
    return point->second.owner;
  Cells::Owner found = nullptr;
  for (const auto& [first, cell] : cells.boxes()) {
    const bool here = read(first, 0, 4) <= address && address <= read(cell.last, 0, 4) &&
                      read(first, 4, 2) <= number_of_port &&
                      number_of_port <= read(cell.last, 4, 2);
    if (!here) continue;
    EXPECT_EQ(found, nullptr) << "boxes overlap";
    found = cell.owner;
  }
  return found;
}

TEST(Cells, AnyClaimsAtAllLeaveEachValueToTheFirst) {
  std::mt19937 random(7);  // NOLINT(bugprone-random-generator-seed): the same each time
  const auto below = [&](unsigned limit) { return static_cast<unsigned>(random() % limit); };
  constexpr unsigned size = 12;
  int refused = 0;
  for (int round = 0; round < rounds(300); ++round) {
    Cells cells(address_and_port);
    std::vector<std::pair<Box, std::size_t>> claims;
    for (std::size_t owner = 0; owner < 15; ++owner) {
      const auto range = [&] {
        const unsigned first = below(size);
        return std::pair(first, below(2) == 0 ? first : first + below(size - first));
      };
      const auto [from, to] = range();
      const auto [first, last] = range();
      const auto claim = box(from, to, first, last);
      if (cells.claim(claim, owners[owner]))
        claims.emplace_back(claim, owner);
      else
        ++refused;
    }
    for (unsigned address = 0; address < size; ++address)
      for (unsigned port_number = 0; port_number < size; ++port_number) {
        Cells::Owner meant = nullptr;
        for (const auto& [claim, owner] : claims)
          if (meant == nullptr && read(claim.first, 0, 4) <= address &&
              address <= read(claim.last, 0, 4) && read(claim.first, 4, 2) <= port_number &&
              port_number <= read(claim.last, 4, 2))
            meant = owners[owner];
        ASSERT_EQ(holder(cells, address, port_number), meant) << address << " " << port_number;
      }
  }
  EXPECT_GT(refused, 0);
}

}  // namespace
}  // namespace fwctl::testing
