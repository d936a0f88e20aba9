#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "daemon/protocol/message.h"
#include "daemon/protocol/message_buffer.h"

namespace fwctl::protocol {
namespace {

using testing::HasSubstr;
using namespace std::string_literals;

std::string refusal(std::string_view text) {
  const auto call = decode_call(text);
  return call ? "accepted" : call.error();
}

std::string nested(int depth) {
  return std::string(static_cast<std::size_t>(depth), '[') +
         std::string(static_cast<std::size_t>(depth), ']');
}

TEST(Encode, EndsWithOneNul) {
  const Call call{.method = "a.B", .parameters = {{"c", 1}}, .more = false, .oneway = false};
  EXPECT_EQ(encode(call), "{\"method\":\"a.B\",\"parameters\":{\"c\":1}}\0"s);
}

TEST(Encode, LeavesOutWhatIsNotSet) {
  EXPECT_EQ(encode(Reply{}), "{\"parameters\":{}}\0"s);
}

TEST(Encode, CallsComeBack) {
  const Call call{
      .method = "a.B", .parameters = {{"c", {1, "\0\n\""}}}, .more = true, .oneway = true};
  std::string text = encode(call);
  ASSERT_EQ(text.find('\0'), text.size() - 1);
  text.pop_back();
  const auto back = decode_call(text);
  ASSERT_TRUE(back) << back.error();
  EXPECT_EQ(back->method, call.method);
  EXPECT_EQ(back->parameters, call.parameters);
  EXPECT_TRUE(back->more);
  EXPECT_TRUE(back->oneway);
}

TEST(Encode, RepliesComeBack) {
  const Reply reply{.parameters = {{"message", "no"}}, .error = "a.No", .continues = true};
  std::string text = encode(reply);
  text.pop_back();
  const auto back = decode_reply(text);
  ASSERT_TRUE(back) << back.error();
  EXPECT_EQ(back->parameters, reply.parameters);
  EXPECT_EQ(back->error, "a.No");
  EXPECT_TRUE(back->continues);
}

TEST(Encode, ReplacesWhatIsNotUtf8) {
  const Reply reply{.parameters = {{"text",
                                    "a\xff"
                                    "b\xc3"}},
                    .error = "a.\xff",
                    .continues = false};
  std::string text = encode(reply);
  text.pop_back();
  const auto back = decode_reply(text);
  ASSERT_TRUE(back) << back.error();
  EXPECT_EQ(back->parameters["text"], "a\ufffdb\ufffd");
}

TEST(Decode, TakesTheSmallestCall) {
  const auto call = decode_call(R"({"method": "a.B"})");
  ASSERT_TRUE(call) << call.error();
  EXPECT_EQ(call->parameters, Json::object());
  EXPECT_FALSE(call->more);
  EXPECT_FALSE(call->oneway);
}

// As the Go library sends a call without any.
TEST(Decode, TakesNullForNoParameters) {
  const auto call = decode_call(R"({"method": "a.B", "parameters": null})");
  ASSERT_TRUE(call);
  EXPECT_EQ(call->parameters, Json::object());
}

TEST(Decode, IgnoresMembersItDoesNotKnow) {
  EXPECT_TRUE(decode_call(R"({"method": "a.B", "sender": [1], "upgrade": false})"));
}

TEST(Decode, RefusesOtherShapes) {
  EXPECT_EQ(refusal("[]"), "the message is not an object");
  EXPECT_EQ(refusal("7"), "the message is not an object");
  EXPECT_EQ(refusal("{}"), "'method' is missing");
  EXPECT_EQ(refusal(R"({"method": ""})"), "'method' is missing");
  EXPECT_EQ(refusal(R"({"method": 1})"), "'method' is not a string");
  EXPECT_EQ(refusal(R"({"method": "a.B", "parameters": []})"), "'parameters' is not an object");
  EXPECT_EQ(refusal(R"({"method": "a.B", "parameters": 5})"), "'parameters' is not an object");
  EXPECT_EQ(refusal(R"({"method": "a.B", "more": 1})"), "'more' is not true or false");
  EXPECT_EQ(refusal(R"({"method": "a.B", "oneway": "yes"})"), "'oneway' is not true or false");
  EXPECT_EQ(refusal(R"({"method": "a.B", "upgrade": true})"), "'upgrade' is not supported");
}

TEST(Decode, RefusesRepliesOfOtherShapes) {
  EXPECT_EQ(decode_reply(R"({"error": 1})").error(), "'error' is not a string");
  EXPECT_EQ(decode_reply(R"({"error": ""})").error(), "'error' is empty");
  EXPECT_EQ(decode_reply(R"({"continues": 1})").error(), "'continues' is not true or false");
  EXPECT_EQ(decode_reply(R"({"parameters": 1})").error(), "'parameters' is not an object");
}

TEST(Decode, RefusesWhatIsNotJson) {
  EXPECT_EQ(refusal(""), "the message is not JSON (byte 1)");
  EXPECT_EQ(refusal("{"), "the message is not JSON (byte 2)");
  EXPECT_THAT(refusal(R"({"method": "a.B"} x)"), HasSubstr("not JSON (byte 19)"));
  EXPECT_THAT(refusal("{\"method\": \"a\xff\"}"), HasSubstr("not JSON"));
  EXPECT_THAT(refusal("{\"method\": \"a\n\"}"), HasSubstr("not JSON"));
  EXPECT_THAT(refusal("{\"method\": \"\\ud800\"}"), HasSubstr("not JSON"));
  EXPECT_THAT(refusal("\x00\x01\xfe\xff garbage"s), HasSubstr("not JSON"));
}

TEST(Decode, DoesNotQuoteThePeer) {
  EXPECT_EQ(refusal("{\"\x1b[2Jevil\": oops"), "the message is not JSON (byte 3)");
  EXPECT_EQ(refusal("evil"), "the message is not JSON (byte 1)");
}

TEST(Decode, SurvivesHugeNumbers) {
  EXPECT_EQ(refusal(R"({"method": "a.B", "parameters": {"n": 1e999}})"),
            "the message has a number that is too large");
  EXPECT_EQ(refusal(R"({"method": "a.B", "parameters": {"n": )" + std::string(100000, '9') + "}}"),
            "the message has a number that is too large");
}

TEST(Depth, CountsToTheLimit) {
  EXPECT_FALSE(nested_too_deep(nested(max_depth)));
  EXPECT_TRUE(nested_too_deep(nested(max_depth + 1)));
  EXPECT_FALSE(nested_too_deep("[[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[]]"));
}

TEST(Depth, IgnoresStrings) {
  EXPECT_FALSE(nested_too_deep("\"" + nested(100) + "\""));
  EXPECT_FALSE(nested_too_deep("\"\\\"" + nested(100) + "\""));
  EXPECT_TRUE(nested_too_deep("\"\\\\\"" + nested(100)));
}

TEST(Depth, TenThousandLevelsAreRefused) {
  EXPECT_EQ(refusal(R"({"method": "a.B", "parameters": {"x": )" + nested(10000) + "}}"),
            "the message is nested deeper than 16 levels");
}

TEST(Printable, EscapesAndCuts) {
  EXPECT_EQ(printable("a.B"), "a.B");
  EXPECT_EQ(printable("\x1b[2J\n\\\xc3\xa4"), "\\x1b[2J\\x0a\\x5c\\xc3\\xa4");
  EXPECT_EQ(printable(std::string(64, 'x')), std::string(64, 'x'));
  EXPECT_EQ(printable(std::string(65, 'x')), std::string(64, 'x') + "...");
}

using State = MessageBuffer::State;

TEST(MessageBuffer, CutsAtNul) {
  MessageBuffer buffer(100);
  EXPECT_EQ(buffer.state(), State::empty);
  buffer.append("one\0two\0thr"s);
  ASSERT_EQ(buffer.state(), State::complete);
  EXPECT_EQ(buffer.take(), "one");
  ASSERT_EQ(buffer.state(), State::complete);
  EXPECT_EQ(buffer.take(), "two");
  EXPECT_EQ(buffer.state(), State::partial);
  buffer.append("ee\0"s);
  ASSERT_EQ(buffer.state(), State::complete);
  EXPECT_EQ(buffer.take(), "three");
  EXPECT_EQ(buffer.state(), State::empty);
}

TEST(MessageBuffer, TakesBytesOneByOne) {
  MessageBuffer buffer(100);
  for (const char c : "one\0\0two\0"s) {
    EXPECT_NE(buffer.state(), State::complete);
    buffer.append({&c, 1});
    if (c == '\0') buffer.take();
  }
  EXPECT_EQ(buffer.state(), State::empty);
}

TEST(MessageBuffer, HasALimit) {
  MessageBuffer buffer(3);
  buffer.append("abc");
  EXPECT_EQ(buffer.state(), State::partial);
  buffer.append("\0"s);
  ASSERT_EQ(buffer.state(), State::complete);
  EXPECT_EQ(buffer.take(), "abc");
  buffer.append("abcd");
  EXPECT_EQ(buffer.state(), State::overlong);
  buffer.append("\0x\0"s);
  EXPECT_EQ(buffer.state(), State::overlong);
}

TEST(MessageBuffer, HoldsWhatFollowsALongOne) {
  MessageBuffer buffer(100000);
  buffer.append(std::string(100000, 'a') + '\0' + "b");
  EXPECT_EQ(buffer.take().size(), 100000);
  buffer.append("c\0"s);
  EXPECT_EQ(buffer.take(), "bc");
}

// Quadratic work here would take minutes.
TEST(MessageBuffer, IsLinear) {
  MessageBuffer large(64UL << 20);
  for (int i = 0; i < (32 << 20) / 16; ++i) large.append("0123456789abcdef");
  EXPECT_EQ(large.state(), State::partial);

  MessageBuffer many(64UL << 20);
  std::string small;
  for (int i = 0; i < 2'000'000; ++i) small += "ab\0"s;
  many.append(small);
  int taken = 0;
  for (; many.state() == State::complete; ++taken) many.take();
  EXPECT_EQ(taken, 2'000'000);
}

}  // namespace
}  // namespace fwctl::protocol
