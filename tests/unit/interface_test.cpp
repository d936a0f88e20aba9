#include "daemon/protocol/interface.h"

#include <gtest/gtest.h>

#include <string>

namespace fwctl::protocol {
namespace {

using Kind = Type::Kind;

Interface parsed(const std::string& members) {
  return parse_interface("interface a.b\n" + members).value();
}

std::string refusal(const std::string& members) {
  const auto result = parse_interface("interface a.b\n" + members);
  return result ? "accepted" : result.error();
}

// The path of the mismatch, "fits" when there is none. `type` is a type as one writes it.
std::string judge(const std::string& type, const Json& value) {
  const Interface interface = parsed(
      "type Colour (red, blue)\ntype Point (x: int, label: ?string)\ntype T (v: " + type + ")");
  return mismatch(interface, interface.types.at("T"), Json{{"v", value}}).value_or("fits");
}

TEST(ParseInterface, ReadsMembers) {
  const Interface interface = parsed(
      "# a comment (with: things)\n"
      "type Point (x: int, y: ?[]float) # another\n"
      "method Move(to: Point, how: (fast, slow)) -> (at: [string]Point)\n"
      "error Stuck ()\n");
  EXPECT_EQ(interface.name, "a.b");
  ASSERT_TRUE(interface.types.contains("Point"));
  const Type& point = interface.types.at("Point");
  ASSERT_EQ(point.fields.size(), 2);
  EXPECT_EQ(point.fields[0].name, "x");
  EXPECT_EQ(point.fields[0].type.kind, Kind::integer);
  ASSERT_EQ(point.fields[1].type.kind, Kind::optional);
  ASSERT_EQ(point.fields[1].type.element[0].kind, Kind::array);
  EXPECT_EQ(point.fields[1].type.element[0].element[0].kind, Kind::number);
  const Method& move = interface.methods.at("Move");
  EXPECT_EQ(move.parameters.fields[0].type.name, "Point");
  EXPECT_EQ(move.parameters.fields[1].type.kind, Kind::enumeration);
  EXPECT_EQ(move.parameters.fields[1].type.values, (std::vector<std::string>{"fast", "slow"}));
  EXPECT_EQ(move.reply.fields[0].type.kind, Kind::map);
  EXPECT_TRUE(interface.errors.contains("Stuck"));
}

TEST(ParseInterface, SaysWhatIsWrongAndWhere) {
  EXPECT_EQ(parse_interface("").error(), "line 1: a name expected");
  EXPECT_EQ(parse_interface("method A() -> ()").error(), "line 1: 'interface' expected");
  EXPECT_EQ(refusal("metod A() -> ()"), "line 2: 'type', 'method' or 'error' expected");
  EXPECT_EQ(refusal("method A() ()"), "line 2: '->' expected");
  EXPECT_EQ(refusal("method A() -> (x: int"), "line 2: ')' expected");
  EXPECT_EQ(refusal("method A() -> (x: )"), "line 2: a name expected");
  EXPECT_EQ(refusal("method A() -> (x: int,)"), "line 2: a name expected");
  EXPECT_EQ(refusal("method A() -> (x)"), "line 2: fields expected");
  EXPECT_EQ(refusal("type A (x: int, y)"), "line 2: fields and values are mixed");
  EXPECT_EQ(refusal("type A (x: int, x: int)"), "line 2: x is there already");
  EXPECT_EQ(refusal("type A (x, x)"), "line 2: x is there already");
  EXPECT_EQ(refusal("\ntype A ()\ntype A ()"), "line 4: A is there already");
  EXPECT_EQ(refusal("type A (\nx: B\n)\n\n"), "line 3: type B is not defined");
  EXPECT_EQ(refusal("type A (x: ??int)"), "line 2: '?' stands twice");
  EXPECT_EQ(refusal("type 1 ()"), "line 2: a name expected");
  EXPECT_EQ(refusal("type A.B ()"), "line 2: 'A.B' is not a name");
}

TEST(ParseInterface, StaysOnItsFeetWhereverItIsCut) {
  const std::string_view whole = interface_description();
  int complete = 0;
  for (std::size_t length = 0; length <= whole.size(); length += 5)
    if (parse_interface(whole.substr(0, length))) ++complete;
  EXPECT_GT(complete, 0);
}

TEST(Descriptions, Parse) {
  for (const std::string_view text : {interface_description(), service_description()}) {
    const auto interface = parse_interface(text);
    EXPECT_TRUE(interface) << interface.error();
  }
  EXPECT_EQ(parse_interface(interface_description())->name, interface_name);
  EXPECT_EQ(parse_interface(service_description())->name, service_interface_name);
}

TEST(Mismatch, JudgesPlainTypes) {
  EXPECT_EQ(judge("bool", true), "fits");
  EXPECT_EQ(judge("bool", 1), "v");
  EXPECT_EQ(judge("string", "x"), "fits");
  EXPECT_EQ(judge("string", nullptr), "v");
  EXPECT_EQ(judge("float", 1.5), "fits");
  EXPECT_EQ(judge("float", 1), "fits");
  EXPECT_EQ(judge("float", "1"), "v");
  EXPECT_EQ(judge("object", Json::object()), "fits");
  EXPECT_EQ(judge("object", Json::array()), "v");
}

TEST(Mismatch, IntegersFit64BitsWithASign) {
  EXPECT_EQ(judge("int", -1), "fits");
  EXPECT_EQ(judge("int", Json::parse("9223372036854775807")), "fits");
  EXPECT_EQ(judge("int", Json::parse("9223372036854775808")), "v");
  EXPECT_EQ(judge("int", Json::parse("99999999999999999999")), "v");
  EXPECT_EQ(judge("int", 1.0), "v");
  EXPECT_EQ(judge("int", "1"), "v");
}

TEST(Mismatch, JudgesEnumerations) {
  EXPECT_EQ(judge("Colour", "red"), "fits");
  EXPECT_EQ(judge("Colour", "green"), "v");
  EXPECT_EQ(judge("(in, out)", "out"), "fits");
  EXPECT_EQ(judge("(in, out)", 0), "v");
}

TEST(Mismatch, JudgesOptionals) {
  EXPECT_EQ(judge("?int", nullptr), "fits");
  EXPECT_EQ(judge("?int", 1), "fits");
  EXPECT_EQ(judge("?int", "1"), "v");
}

TEST(Mismatch, NamesThePlace) {
  EXPECT_EQ(judge("[]string", Json::array({"a", "b"})), "fits");
  EXPECT_EQ(judge("[]string", Json::array({"a", 2})), "v[1]");
  EXPECT_EQ(judge("[]string", "a"), "v");
  EXPECT_EQ(judge("Point", {{"x", 1}}), "fits");
  EXPECT_EQ(judge("Point", Json::object()), "v.x");
  EXPECT_EQ(judge("Point", {{"x", 1}, {"z", 1}}), "v.z");
  EXPECT_EQ(judge("Point", {{"x", 1}, {"label", 1}}), "v.label");
  EXPECT_EQ(judge("Point", 1), "v");
  EXPECT_EQ(judge("[]Point", Json::array({{{"x", 1}}, {{"x", "1"}}})), "v[1].x");
  EXPECT_EQ(judge("[string]int", {{"a", 1}}), "fits");
  EXPECT_EQ(judge("[string]int", {{"a", "1"}}), "v[a]");
  EXPECT_EQ(judge("[string]int", 1), "v");
}

TEST(Mismatch, EscapesWhatThePeerWrote) {
  EXPECT_EQ(judge("Point", {{"x", 1}, {"\n", 1}}), "v.\\x0a");
}

TEST(Mismatch, JudgesReplies) {
  const Interface interface = parsed("method A() -> (x: int)\nerror E (y: int)");
  const auto verdict = [&](std::string_view method, const std::string& error, Json parameters) {
    const Reply reply{.parameters = std::move(parameters), .error = error, .continues = false};
    return mismatch(interface, method, reply).value_or("fits");
  };
  EXPECT_EQ(verdict("A", "", {{"x", 1}}), "fits");
  EXPECT_EQ(verdict("A", "", {{"y", 1}}), "A: 'x' is not as described");
  EXPECT_EQ(verdict("B", "", Json::object()), "B is not described");
  EXPECT_EQ(verdict("A", "a.b.E", {{"y", 1}}), "fits");
  EXPECT_EQ(verdict("A", "a.b.E", {{"x", 1}}), "E: 'y' is not as described");
  EXPECT_EQ(verdict("A", "a.b.F", Json::object()), "a.b.F is not described");
  EXPECT_EQ(verdict("A", "org.varlink.service.MethodNotFound", Json::object()), "fits");
}

}  // namespace
}  // namespace fwctl::protocol
