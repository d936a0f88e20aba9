#include "daemon/service.h"

#include <gtest/gtest.h>

#include <string>

namespace fwctl {
namespace {

using protocol::Call;
using protocol::Json;
using protocol::Reply;

const Peer root{0, 0, 1, {}};
const Peer guest{1000, 1000, 1, {}};

Json outcome() {
  return {{"changed", true},
          {"generation", 1},
          {"enabled", true},
          {"notes", Json::array()},
          {"difference", Json::array()},
          {"warnings", Json::array()}};
}

class ServiceTest : public testing::Test {
 protected:
  // A full name, or one of org.fwctl.Firewall.
  Reply ask(const Peer& peer, const std::string& method, Json parameters = Json::object()) {
    Call call;
    call.method = method.find('.') == std::string::npos ? "org.fwctl.Firewall." + method : method;
    call.parameters = std::move(parameters);
    return service_.answer(peer, call).reply;
  }

  // "ok", or the error and its parameters.
  std::string verdict(const Peer& peer, const std::string& method,
                      Json parameters = Json::object()) {
    const Reply reply = ask(peer, method, std::move(parameters));
    return reply.error.empty() ? "ok" : reply.error + " " + reply.parameters.dump();
  }

  Json seen_;  // by Add
  Service service_{Access{.users = {{1001, Role::look}}, .groups = {}},
                   {{"Add",
                     [this](const Peer&, const Json& parameters) {
                       seen_ = parameters;
                       return Reply{{{"outcome", outcome()}}, {}, false};
                     }},
                    {"Show", [](const Peer&, const Json&) {
                       return Reply{{{"text", "table inet fwctl"}}, {}, false};
                     }}}};
};

std::string invalid(const std::string& parameter) {
  return R"(org.varlink.service.InvalidParameter {"parameter":")" + parameter + "\"}";
}

TEST_F(ServiceTest, HandsParametersOn) {
  EXPECT_EQ(verdict(root, "Add", {{"rule", {"allow", "22/tcp"}}, {"position", 3}}), "ok");
  EXPECT_EQ(seen_, Json({{"rule", {"allow", "22/tcp"}}, {"position", 3}}));
}

TEST_F(ServiceTest, LeavesNullOut) {
  EXPECT_EQ(verdict(root, "Add", {{"rule", {"allow"}}, {"position", nullptr}}), "ok");
  EXPECT_EQ(seen_, Json({{"rule", {"allow"}}}));
}

TEST_F(ServiceTest, ChecksParametersFirst) {
  EXPECT_EQ(verdict(root, "Add"), invalid("rule"));
  EXPECT_EQ(verdict(root, "Add", {{"rule", "allow"}}), invalid("rule"));
  EXPECT_EQ(verdict(root, "Add", {{"rule", {"allow", 22}}}), invalid("rule[1]"));
  EXPECT_EQ(verdict(root, "Add", {{"rule", nullptr}}), invalid("rule"));
  EXPECT_EQ(verdict(root, "Add", {{"rule", {"allow"}}, {"position", "1"}}), invalid("position"));
  EXPECT_EQ(verdict(root, "Add", {{"rule", {"allow"}}, {"dryrun", true}}), invalid("dryrun"));
  EXPECT_TRUE(seen_.is_null());
}

TEST_F(ServiceTest, SaysWhatIsNotThere) {
  EXPECT_EQ(verdict(root, "Nothing"),
            R"(org.varlink.service.MethodNotFound {"method":"org.fwctl.Firewall.Nothing"})");
  EXPECT_EQ(verdict(guest, "Nothing"),
            R"(org.varlink.service.MethodNotFound {"method":"org.fwctl.Firewall.Nothing"})");
  EXPECT_EQ(verdict(root, "io.example.Do"),
            R"(org.varlink.service.InterfaceNotFound {"interface":"io.example"})");
  EXPECT_EQ(verdict(root, "Status"),
            R"(org.varlink.service.MethodNotImplemented {"method":"org.fwctl.Firewall.Status"})");
  EXPECT_EQ(verdict(root, ".Status"), R"(org.varlink.service.InterfaceNotFound {"interface":""})");
  Call undotted;
  undotted.method = "Status";
  EXPECT_EQ(service_.answer(root, undotted).reply.error, "org.varlink.service.InvalidParameter");
}

TEST_F(ServiceTest, StreamsAreToldWhetherThePeerWantsMore) {
  bool wanted = false;
  const Service service{{}, {}, {{"Show", [&](const Peer&, const Json&, bool more) -> Answer {
                                    wanted = more;
                                    const Json first{{"text", "one"}};
                                    if (more) return {first, std::make_shared<Stream>()};
                                    return Reply{.parameters = first};
                                  }}}};
  Call call{.method = "org.fwctl.Firewall.Show", .parameters = {{"what", "policy"}}};
  const Answer only = service.answer(root, call);
  EXPECT_FALSE(wanted || only.stream || only.reply.continues);
  call.more = true;
  const Answer first = service.answer(root, call);
  EXPECT_TRUE(wanted && first.stream && first.reply.continues);
  EXPECT_EQ(service.answer(guest, call).reply.error, "org.fwctl.Firewall.PermissionDenied");
}

TEST_F(ServiceTest, CutsAndEscapesNames) {
  EXPECT_EQ(
      verdict(root, std::string(100000, 'x') + ".\n"),
      "org.varlink.service.InterfaceNotFound {\"interface\":\"" + std::string(64, 'x') + "...\"}");
}

TEST_F(ServiceTest, DeniesBeforeItLooksAtParameters) {
  const std::string denied = "org.fwctl.Firewall.PermissionDenied ";
  EXPECT_EQ(verdict(guest, "Add", {{"bad", 1}}),
            denied + R"({"method":"org.fwctl.Firewall.Add","role":"change"})");
  EXPECT_EQ(verdict(guest, "Show", {{"what", "policy"}}),
            denied + R"({"method":"org.fwctl.Firewall.Show","role":"look"})");
  const Peer looker{1001, 1000, 1, {}};
  EXPECT_EQ(verdict(looker, "Show", {{"what", "policy"}}), "ok");
  EXPECT_EQ(verdict(looker, "Add", {{"rule", {"allow"}}}),
            denied + R"({"method":"org.fwctl.Firewall.Add","role":"change"})");
  EXPECT_TRUE(seen_.is_null());
}

TEST_F(ServiceTest, TellsAnyoneWhatItIs) {
  const Reply reply = ask(guest, "org.varlink.service.GetInfo");
  EXPECT_EQ(reply.error, "");
  EXPECT_EQ(reply.parameters["vendor"], "fwctl");
  EXPECT_EQ(reply.parameters["version"], FWCTL_VERSION);
  EXPECT_EQ(reply.parameters["interfaces"], Json({"org.varlink.service", "org.fwctl.Firewall"}));
}

TEST_F(ServiceTest, DescribesItsInterfaces) {
  const std::string method = "org.varlink.service.GetInterfaceDescription";
  EXPECT_EQ(ask(guest, method, {{"interface", "org.fwctl.Firewall"}}).parameters["description"],
            protocol::interface_description());
  EXPECT_EQ(ask(guest, method, {{"interface", "org.varlink.service"}}).parameters["description"],
            protocol::service_description());
  EXPECT_EQ(verdict(guest, method, {{"interface", "io.example"}}),
            R"(org.varlink.service.InterfaceNotFound {"interface":"io.example"})");
  EXPECT_EQ(verdict(guest, method), invalid("interface"));
}

TEST_F(ServiceTest, OwnErrorsAreDescribed) {
  const auto firewall = protocol::parse_interface(protocol::interface_description()).value();
  const auto service = protocol::parse_interface(protocol::service_description()).value();
  const auto conforms = [&](const Reply& reply) {
    EXPECT_NE(reply.error, "");
    EXPECT_EQ(protocol::mismatch(firewall, "Add", reply), std::nullopt);
    EXPECT_EQ(protocol::mismatch(service, "GetInfo", reply), std::nullopt);
  };
  conforms(ask(guest, "Add"));
  conforms(ask(root, "Add"));
  conforms(ask(root, "Status"));
  conforms(ask(root, "Nothing"));
  conforms(ask(root, "io.example.Do"));
}

TEST(ServiceDeathTest, AMethodNobodyDescribedIsOurBug) {
#ifdef NDEBUG
  GTEST_SKIP() << "assertions are off";
#endif
  EXPECT_DEATH(Service(Access{}, {{"Nothing", {}}}), "contains");
}

}  // namespace
}  // namespace fwctl
