#include "daemon/packet_trace.h"

#include <gtest/gtest.h>

#include <utility>

namespace fwctl {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;

const std::string header =
    "\x45\x00\x00\x3c\x00\x00\x40\x00\x40\x06\x00\x00\xc0\x00\x02\x02\xc0\x00\x02\x01"s;
const std::string other_header =
    "\x45\x00\x00\x3c\x00\x00\x40\x00\x40\x06\x00\x00\xc0\x00\x02\x03\xc0\x00\x02\x01"s;
const std::string translated =
    "\x45\x00\x00\x3c\x00\x00\x40\x00\x3f\x06\x00\x00\xc0\x00\x02\x02\x0a\x00\x00\x05"s;
const std::string syn =
    "\x9c\x40\x0b\xb8\x00\x00\x00\x01\x00\x00\x00\x00\xa0\x02\xfa\xf0\x00\x00\x00\x00"s;

class TraceAssemblerTest : public testing::Test {
 protected:
  TraceStep step(const std::string& chain, const std::string& verdict, std::uint32_t packet = 1) {
    return {.packet = packet,
            .family = "inet",
            .table = "fwctl",
            .chain = chain,
            .handle = 7,
            .verdict = verdict};
  }
  static TraceStep with(TraceStep step, const std::string& bytes) {
    step.header = bytes;
    step.transport = syn;
    step.in = "eth0";
    return step;
  }
  void mark(const std::string& chain = "trace-1", std::uint32_t packet = 1,
            const std::string& bytes = header) {
    assembler_.add(with(step(chain, "continue", packet), bytes), now_);
  }
  void add(const std::string& chain, const std::string& verdict, std::uint32_t packet = 1) {
    assembler_.add(step(chain, verdict, packet), now_);
  }

  // "trace-1: input jump, incoming drop", of what was done since the last call.
  std::string done() {
    std::string out;
    for (const auto& trace : std::exchange(done_, {})) {
      for (const auto& chain : trace.chains) out += chain + " ";
      out += ":";
      for (const auto& traced : trace.steps)
        out += " " + traced.step.chain + " " + traced.step.verdict;
      out += trace.cut ? " ...\n" : "\n";
    }
    return out;
  }

  PacketTrace::Time now_{1000s};
  std::vector<PacketTrace> done_;
  TraceAssembler assembler_{
      [](TraceStep step, const PacketTrace&) { return TracedStep{.step = std::move(step)}; },
      [this](const PacketTrace& trace) { done_.push_back(trace); }};
};

TEST_F(TraceAssemblerTest, ADropEndsATrace) {
  mark();
  add("input", "jump");
  add("incoming", "continue");
  EXPECT_EQ(done(), "");
  add("incoming", "drop");
  EXPECT_EQ(done(), "trace-1 : input jump incoming continue incoming drop\n");
}

TEST_F(TraceAssemblerTest, SilenceEndsATrace) {
  mark();
  now_ += 10ms;
  add("incoming", "accept");
  assembler_.settle(now_ + TraceAssembler::patience - 1ns);
  EXPECT_EQ(done(), "");
  assembler_.settle(now_ + TraceAssembler::patience);
  EXPECT_EQ(done(), "trace-1 : incoming accept\n");
}

TEST_F(TraceAssemblerTest, ANumberComesAgain) {
  mark();
  add("incoming", "accept");
  mark();
  EXPECT_EQ(done(), "trace-1 : incoming accept\n");
  add("incoming", "drop");
  EXPECT_EQ(done(), "trace-1 : incoming drop\n");
  mark();
  mark("trace-2", 1, other_header);
  EXPECT_EQ(done(), "trace-1 :\n") << "from elsewhere, though nothing else was seen of the first";
}

TEST_F(TraceAssemblerTest, SeveralMayMarkOnePacket) {
  mark();
  add("trace-1", "continue");
  mark("trace-2");
  add("forwards", "accept");
  mark("trace-3", 1, translated);
  add("routed", "drop");
  EXPECT_EQ(done(), "trace-1 trace-2 trace-3 : forwards accept routed drop\n");
}

TEST_F(TraceAssemblerTest, KnowsAPacketAsItCameAndAsItIs) {
  mark();
  assembler_.add(with(step("forward", "jump"), translated), now_);
  add("routed", "drop");
  ASSERT_EQ(done_.size(), 1U);
  const auto& packet = *done_.front().packet;
  EXPECT_EQ(packet.sent.to, Address::parse("192.0.2.1"));
  EXPECT_EQ(packet.headers.to, Address::parse("10.0.0.5"));
  EXPECT_EQ(packet.sent.to_port, 3000);
  EXPECT_EQ(packet.in, "eth0");
}

TEST_F(TraceAssemblerTest, WhatAnotherProgramMarkedIsNotOurs) {
  add("incoming", "drop");
  TraceStep foreign = with(step("trace-1", "continue"), header);
  foreign.table = "other";
  assembler_.add(foreign, now_);
  assembler_.settle(now_ + 1h);
  EXPECT_EQ(done(), "");
}

TEST_F(TraceAssemblerTest, IsBounded) {
  for (std::uint32_t packet = 0; packet <= TraceAssembler::packets_at_once; ++packet)
    mark("trace-1", packet);
  EXPECT_EQ(done(), "trace-1 :\n") << "the oldest gives way";
  for (std::size_t count = 0; count <= TraceAssembler::most_steps; ++count) add("long", "continue");
  add("long", "drop");
  ASSERT_EQ(done_.size(), 1U);
  EXPECT_EQ(done_.front().steps.size(), TraceAssembler::most_steps);
  EXPECT_TRUE(done_.front().cut);
  EXPECT_EQ(assembler_.leave_out(), TraceAssembler::packets_at_once - 1);
  assembler_.settle(now_ + 1h);
  EXPECT_EQ(done_.size(), 1U);
}

TEST(TraceVerdict, IsTheLastWord) {
  const auto verdict = [](const std::vector<std::pair<Effect, std::string>>& effects) {
    PacketTrace trace;
    for (const auto& [effect, rule] : effects)
      trace.steps.push_back({.step = {}, .rule = rule, .effect = effect});
    const auto out = verdict_of(trace);
    return std::pair(out.effect, out.decider != nullptr ? out.decider->rule : "nobody");
  };
  using Said = std::pair<Effect, std::string>;
  EXPECT_EQ(verdict({}), Said(Effect::none, "nobody"));
  EXPECT_EQ(verdict({{Effect::translate, "f1"}, {Effect::log, "r1"}}),
            Said(Effect::none, "nobody"));
  EXPECT_EQ(verdict({{Effect::log, "r1"}, {Effect::allow, "r2"}, {Effect::translate, "m1"}}),
            Said(Effect::allow, "r2"));
  EXPECT_EQ(verdict({{Effect::reject, "r1"}, {Effect::reject, ""}}), Said(Effect::reject, "r1"));
  EXPECT_EQ(verdict({{Effect::allow, "r1"}, {Effect::deny, ""}}), Said(Effect::deny, ""))
      << "another program's";
}

}  // namespace
}  // namespace fwctl
