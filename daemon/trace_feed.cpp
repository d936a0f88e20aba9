#include "daemon/trace_feed.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "daemon/render.h"
#include "daemon/render_trace.h"
#include "rules/nft/plan.h"
#include "rules/question.h"
#include "rules/trace.h"

namespace fwctl {
namespace {

using protocol::Json;

// How often it is looked whether a packet's way, or a trace, has come to its end.
constexpr std::chrono::milliseconds pace{100};

PacketTrace::Time now() {
  return PacketTrace::Time::clock::now();
}

protocol::Reply refuse(std::string message) {
  return to_reply(Refused{std::move(message)});
}

template <typename Statement>
bool has(const nft::Rule& rule) {
  return std::ranges::any_of(rule.statements, [](const nft::Statement& statement) {
    return std::holds_alternative<Statement>(statement);
  });
}

bool is_ours(const TraceStep& step) {
  return step.family == "inet" && step.table == nft::table_name;
}

bool translates(const nft::Rule& rule) {
  return has<nft::Dnat>(rule) || has<nft::Redirect>(rule) || has<nft::Masquerade>(rule);
}

// `id`: of the policy's rule, where it is known.
Effect effect_of(const TraceStep& step, const nft::Rule& rule, const std::string& id) {
  if (step.verdict == "drop") return has<nft::Reject>(rule) ? Effect::reject : Effect::deny;
  // To the chain that answers for rules that reject. No other has a way there by goto.
  if (step.verdict == "goto" && (!id.empty() || has<nft::MapLookup>(rule))) return Effect::reject;
  if (step.verdict == "accept") return translates(rule) ? Effect::translate : Effect::allow;
  return has<nft::Log>(rule) ? Effect::log : Effect::none;
}

bool is_nat(const std::optional<nft::Ruleset>& ruleset, const std::string& name) {
  const auto* chain = ruleset ? ruleset->find_chain(name) : nullptr;
  return chain != nullptr && chain->hook && chain->hook->type == nft::ChainType::nat;
}

// Why it cannot be asked of the kernel where packets are marked.
std::string not_known(const std::vector<Asked>& asked) {
  const auto& packets = asked.front().packets;
  if (packets.mark && packets.traffic == policy::Traffic::incoming)
    return "a packet that comes in has no mark yet where it is picked for a trace: leave it out";
  return {};
}

}  // namespace

TraceFeed::TraceFeed(Firewall& firewall)
    : firewall_(firewall),
      assembler_([this](TraceStep step,
                        const PacketTrace& packet) { return explain(std::move(step), packet); },
                 [this](const PacketTrace& packet) { tell(packet); }) {}

Result<void> TraceFeed::start(sd_event* event) {
  event_ = event;
  const auto on_time = [](sd_event_source*, std::uint64_t, void* feed) noexcept {
    static_cast<TraceFeed*>(feed)->tick();
    return 0;
  };
  auto timer = make_timer(event, on_time, this);
  if (!timer) return tl::unexpected(timer.error());
  timer_ = std::move(*timer);
  return {};
}

Result<void> TraceFeed::listen() {
  if (reader_) return {};
  auto reader = NftraceReader::open();
  if (!reader) return tl::unexpected(reader.error());
  const auto on_steps = [](sd_event_source*, int, std::uint32_t, void* feed) noexcept {
    static_cast<TraceFeed*>(feed)->catch_up();
    return 0;
  };
  auto io = watch_input(event_, reader->descriptor(), on_steps, this, "the trace");
  if (!io) return tl::unexpected(io.error());
  io_ = std::move(*io);
  reader_ = std::move(*reader);
  return {};
}

void TraceFeed::stop_listening() {
  io_.reset();
  reader_.reset();
  rules_.clear();
  assembler_.leave_out();
}

Answer TraceFeed::answer(const Json& parameters, bool more) {
  if (!more) return refuse("a trace is a stream: call it with more");
  const auto words = parameters.value("question", std::vector<std::string>());
  const std::chrono::seconds span(
      parameters.value("seconds", static_cast<std::int64_t>(usual.count())));
  if (span < std::chrono::seconds(1) || span > longest)
    return refuse("a trace lasts 1 to " + std::to_string(longest.count()) + " seconds");
  std::optional<std::int64_t> count;
  if (parameters.contains("count")) count = parameters.at("count").get<std::int64_t>();
  if (count && *count < 1) return refuse("a count is 1 or more");
  Diagnostics diagnostics;
  const auto asked = parse_open_question(words, firewall_.services_in_force(),
                                         firewall_.surroundings(names(words)),
                                         firewall_.units(unit_names(words)), diagnostics);
  if (!asked) return invalid_question(diagnostics);
  if (auto why = not_known(*asked); !why.empty()) return refuse(std::move(why));
  if (traces_.size() == at_once)
    return refuse("there may be " + std::to_string(at_once) + " traces at once");

  if (const auto listening = listen(); !listening) return to_reply(listening.error());
  const auto chain = trace_chain(std::string(trace_prefix) + std::to_string(++numbered_), *asked,
                                 parameters.value("connections", false));
  if (const auto begun = firewall_.begin_trace(chain); !begun) {
    if (traces_.empty()) stop_listening();
    return to_reply(begun.error());
  }
  auto stream = std::make_shared<Stream>([this, name = chain.name] { forget(name); });
  traces_.push_back({.chain = chain.name, .stream = stream, .left = count, .until = now() + span});
  tick_later();
  return {Json{{"seconds", span.count()}}, std::move(stream)};
}

void TraceFeed::catch_up() {
  if (!reader_) return;
  std::vector<TraceStep> steps;  // first: who gets the last packet he asked for may end the reading
  const auto got = reader_->read([&](TraceStep step) { steps.push_back(std::move(step)); });
  for (auto& step : steps) assembler_.add(std::move(step), now());
  if (got) return;
  if (got.error().code == ENOBUFS) return tell_lost(assembler_.leave_out());
  const auto traces = traces_;  // ending one takes it away
  for (const auto& trace : traces) end(trace.chain, got.error().message());
}

void TraceFeed::tick() {
  assembler_.settle(now());
  const auto traces = traces_;
  for (const auto& trace : traces) {
    if (!firewall_.tracing(trace.chain))
      end(trace.chain, firewall_.enabled() ? "another program changed table inet fwctl"
                                           : "the firewall is no longer in force");
    else if (trace.until <= now())
      end(trace.chain, "the time is over");
  }
  tick_later();
}

void TraceFeed::tick_later() {
  if (!traces_.empty()) arm(timer_.get(), pace);
}

TracedStep TraceFeed::explain(TraceStep step, const PacketTrace& packet) {
  TracedStep out{.step = std::move(step), .rule = {}, .effect = Effect::none};
  if (!is_ours(out.step) || out.step.kind != TraceStep::Kind::rule) {
    if (out.step.verdict == "drop") out.effect = Effect::deny;
    return out;
  }
  const nft::Rule& rule = rule_at(out.step.handle);
  out.rule = rule_id(rule, packet);
  // That a packet may pass is nothing these have to say.
  if (!is_nat(firewall_.loaded(), out.step.chain)) out.effect = effect_of(out.step, rule, out.rule);
  return out;
}

// Empty when it cannot be read. What a change retires stays in the kernel for a while, and here for
// as long as there are traces.
const nft::Rule& TraceFeed::rule_at(std::uint64_t handle) {
  if (!rules_.contains(handle))
    if (auto rules = rules_by_handle()) rules_.merge(*rules);
  return rules_[handle];
}

// A rule that looks into a map has no name: the element that the packet finds there has.
std::string TraceFeed::rule_id(const nft::Rule& rule, const PacketTrace& packet) const {
  if (!rule.comment.empty() || !packet.packet || !firewall_.loaded()) return rule.comment;
  for (const auto& statement : rule.statements) {
    const auto* lookup = std::get_if<nft::MapLookup>(&statement);
    const auto* map = lookup != nullptr ? firewall_.loaded()->find_set(lookup->map) : nullptr;
    if (map == nullptr) continue;
    const auto* found = find_element(*map, lookup->key, *packet.packet);
    if (found != nullptr) return found->comment;
  }
  return {};
}

void TraceFeed::tell(const PacketTrace& packet) {
  const auto ago =
      std::chrono::duration_cast<std::chrono::system_clock::duration>(now() - packet.began);
  const Json news{{"trace", to_json(packet, std::chrono::system_clock::now() - ago, firewall_)}};
  for (const auto& chain : packet.chains) {
    const auto trace = std::ranges::find(traces_, chain, &Trace::chain);
    if (trace == traces_.end()) continue;
    if (const auto stream = trace->stream.lock()) stream->push(news);
    if (trace->left && --*trace->left == 0) end(chain, "all packets that were asked for came");
  }
}

void TraceFeed::tell_lost(std::size_t packets) {
  if (packets == 0) return;
  for (const auto& trace : traces_)
    if (const auto stream = trace.stream.lock()) stream->push({{"lost", packets}});
}

// The stream calls forget().
void TraceFeed::end(const std::string& chain, const std::string& why) {
  const auto trace = std::ranges::find(traces_, chain, &Trace::chain);
  if (trace == traces_.end()) return;
  if (const auto stream = trace->stream.lock()) stream->end({{"ended", why}});
}

void TraceFeed::forget(const std::string& chain) {
  firewall_.end_trace(chain);
  std::erase_if(traces_, [&](const Trace& trace) { return trace.chain == chain; });
  if (traces_.empty()) stop_listening();
}

}  // namespace fwctl
