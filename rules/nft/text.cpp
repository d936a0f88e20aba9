#include "rules/nft/text.h"

#include "rules/nft/value_text.h"

namespace fwctl::nft {
namespace {

std::string key_text(const Set& set, const Element& element) {
  std::string all;
  std::size_t from = 0;
  for (const Field field : set.key) {
    const std::size_t length = width(field);
    if (from != 0) all += " . ";
    const std::string_view low = std::string_view(element.key).substr(from, length);
    const std::string_view high =
        element.key_end.empty() ? low : std::string_view(element.key_end).substr(from, length);
    all += range_text(field, low, high);
    from += length;
  }
  return all;
}

// Of days and seconds: nft takes no larger number of seconds than of a signed 32-bit integer.
std::string timeout_text(std::chrono::seconds left) {
  const auto days = std::chrono::duration_cast<std::chrono::days>(left);
  const std::string rest = std::to_string((left - days).count()) + "s";
  return days.count() == 0 ? rest : std::to_string(days.count()) + "d" + rest;
}

std::string element_text(const Set& set, const Element& element, std::optional<Time> now = {}) {
  std::string all = key_text(set, element);
  if (element.until != no_end) {
    if (now) all += " timeout " + timeout_text(element.until - *now);
    all += " comment \"" + end_comment(element.until) + '"';
  }
  if (set.counters && (element.counter.packets != 0 || element.counter.bytes != 0))
    all += " counter packets " + std::to_string(element.counter.packets) + " bytes " +
           std::to_string(element.counter.bytes);
  if (!element.comment.empty()) all += " comment \"" + element.comment + '"';
  if (element.verdict) all += " : " + text(*element.verdict);
  return all;
}

// "type inet_proto . inet_service : verdict"
std::string type_text(const Set& set) {
  std::string all = "type ";
  for (std::size_t i = 0; i < set.key.size(); ++i) {
    if (i != 0) all += " . ";
    all += type_name(set.key[i]);
  }
  if (set.map) all += " : verdict";
  return all;
}

std::string_view kind(const Set& set) {
  return set.map ? "map " : "set ";
}

std::string flags_text(const Set& set) {
  std::string out = set.interval ? "interval" : "";
  if (set.ends) out += out.empty() ? "timeout" : ",timeout";
  return out;
}

void print(std::string& out, const Set& set, std::optional<Time> now) {
  out += "\t" + std::string(kind(set)) + set.name + " {\n\t\t" + type_text(set) + '\n';
  if (set.sized()) out += "\t\tsize " + std::to_string(set.size) + '\n';
  if (set.interval || set.ends) out += "\t\tflags " + flags_text(set) + '\n';
  if (set.dynamic())
    out += "\t\tflags dynamic,timeout\n\t\ttimeout " + std::to_string(set.timeout_seconds) +
           "s\n\t\tsize " + std::to_string(set.size) + '\n';
  if (set.counters) out += "\t\tcounter\n";
  if (!set.empty()) {
    out += "\t\telements = {\n";
    for (const Element& element : all_elements(set))
      out += "\t\t\t" + element_text(set, element, now) + ",\n";
    out += "\t\t}\n";
  }
  out += "\t}\n";
}

std::string_view hook_name(HookPoint point) {
  switch (point) {
    case HookPoint::prerouting:
      return "prerouting";
    case HookPoint::input:
      return "input";
    case HookPoint::forward:
      return "forward";
    case HookPoint::output:
      return "output";
    case HookPoint::postrouting:
      return "postrouting";
  }
  return {};
}

std::string hook_text(const Hook& hook) {
  return (hook.type == ChainType::nat ? "type nat hook " : "type filter hook ") +
         std::string(hook_name(hook.point)) + " priority " + std::to_string(hook.priority) +
         "; policy " + (hook.policy_drop ? "drop" : "accept") + ';';
}

void print(std::string& out, const Chain& chain) {
  out += "\tchain " + chain.name + " {\n";
  if (!chain.comment.empty()) out += "\t\tcomment \"" + chain.comment + "\"\n";
  if (chain.hook) out += "\t\t" + hook_text(*chain.hook) + '\n';
  for (const Rule& rule : chain.rules) out += "\t\t" + text(rule) + '\n';
  out += "\t}\n";
}

struct ChangeText {
  static std::string dynamic(const Set& set) {
    if (!set.dynamic()) return {};
    return " flags dynamic,timeout; timeout " + std::to_string(set.timeout_seconds) + "s; size " +
           std::to_string(set.size) + ';';
  }

  static std::string elements(std::string_view verb, const Set& set) {
    std::string all = std::string(verb) + " element inet fwctl " + set.name + " {";
    for (const Element& element : all_elements(set)) all += ' ' + element_text(set, element) + ',';
    if (!set.empty()) all.back() = ' ';
    return all + '}';
  }

  // Whose it is goes unsaid: nft knows one of the two flags only from 1.1 on.
  std::string operator()(const AddTable& /*change*/) const { return "add table inet fwctl"; }
  std::string operator()(const DeleteTable& /*change*/) const { return "delete table inet fwctl"; }
  std::string operator()(const AddChain& change) const {
    const Chain& chain = change.chain;
    return "add chain inet fwctl " + chain.name +
           (chain.hook ? " { " + hook_text(*chain.hook) + " }" : std::string());
  }
  std::string operator()(const FlushChain& change) const {
    return "flush chain inet fwctl " + change.chain;
  }
  std::string operator()(const DeleteChain& change) const {
    return "delete chain inet fwctl " + change.chain;
  }
  std::string operator()(const AddRule& change) const {
    return "add rule inet fwctl " + change.chain + ' ' + text(change.rule);
  }
  std::string operator()(const AddSet& change) const {
    const Set& set = change.set;
    return "add " + std::string(kind(set)) + "inet fwctl " + set.name + " { " + type_text(set) +
           ';' + (set.sized() ? " size " + std::to_string(set.size) + ";" : "") +
           (set.interval || set.ends ? " flags " + flags_text(set) + ";" : "") +
           (set.counters ? " counter;" : "") + dynamic(set) + " }";
  }
  std::string operator()(const DeleteSet& change) const {
    return "delete set inet fwctl " + change.set;
  }
  std::string operator()(const AddElements& change) const { return elements("add", change.set); }
  std::string operator()(const DeleteElements& change) const {
    return elements("delete", change.set);
  }
  std::string operator()(const FlushSet& change) const {
    return "flush set inet fwctl " + change.set;
  }
};

}  // namespace

std::string text(const Ruleset& ruleset, std::optional<Time> now) {
  std::string out = "table inet " + std::string(table_name) + " {\n";
  for (const Set& set : ruleset.sets) print(out, set, now);
  for (const Chain& chain : ruleset.chains) print(out, chain);
  return out + "}\n";
}

std::string text(const Changes& changes) {
  std::string out;
  for (const Change& change : changes) out += std::visit(ChangeText{}, change) + '\n';
  return out;
}

}  // namespace fwctl::nft
