#include "daemon/journal.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/sinks/systemd_sink.h>
#include <spdlog/spdlog.h>
#define SD_JOURNAL_SUPPRESS_LOCATION  // each line would name the same place in this file
#include <sys/uio.h>
#include <syslog.h>
#include <systemd/sd-journal.h>

#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fwctl {

namespace {

// systemd sets JOURNAL_STREAM for services whose output is the journal.
bool has_journal() {
  return std::getenv("JOURNAL_STREAM") != nullptr;
}

// FIELD=value, of what is there.
class Fields {
 public:
  void add(std::string_view name, std::string value) {
    if (!value.empty()) fields_.push_back(std::string(name) + "=" + std::move(value));
  }
  template <typename Number>
  void add(std::string_view name, const std::optional<Number>& number) {
    if (number) add(name, std::to_string(*number));
  }
  void send() {
    std::vector<iovec> parts;
    parts.reserve(fields_.size());
    for (auto& field : fields_)
      parts.push_back({.iov_base = field.data(), .iov_len = field.size()});
    sd_journal_sendv(parts.data(), static_cast<int>(parts.size()));
  }

 private:
  std::vector<std::string> fields_;
};

}  // namespace

void open_journal() {
  const bool journal = has_journal();
  std::shared_ptr<spdlog::sinks::sink> sink;
  if (journal)
    sink = std::make_shared<spdlog::sinks::systemd_sink_st>("fwctld");
  else
    sink = std::make_shared<spdlog::sinks::stderr_sink_st>();
  auto logger = std::make_shared<spdlog::logger>("fwctld", std::move(sink));
  logger->set_pattern(journal ? "%v" : "fwctld: %l: %v");
  spdlog::set_default_logger(std::move(logger));
}

namespace journal {

void info(std::string_view line) {
  spdlog::default_logger_raw()->info(line);
}

void warn(std::string_view line) {
  spdlog::default_logger_raw()->warn(line);
}

void error(std::string_view line) {
  spdlog::default_logger_raw()->error(line);
}

void critical(std::string_view line) {
  spdlog::default_logger_raw()->critical(line);
}

}  // namespace journal

void write_to_journal(const LogEntry& entry) {
  if (!has_journal()) {
    journal::info(log_line(entry));
    return;
  }
  const PacketHeaders& packet = entry.packet;
  Fields fields;
  fields.add("MESSAGE", log_line(entry));
  fields.add("PRIORITY", std::to_string(LOG_INFO));
  fields.add("SYSLOG_IDENTIFIER", "fwctl");
  fields.add("FWCTL_VERDICT", entry.verdict);
  fields.add("FWCTL_RULE", entry.rule);
  fields.add("FWCTL_TRAFFIC", entry.traffic);
  fields.add("FWCTL_IN", entry.in);
  fields.add("FWCTL_OUT", entry.out);
  fields.add("FWCTL_MAC", entry.mac);
  fields.add("FWCTL_SRC", packet.from.text());
  fields.add("FWCTL_DST", packet.to.text());
  fields.add("FWCTL_PROTO", packet.protocol.text());
  fields.add("FWCTL_SPT", packet.from_port);
  fields.add("FWCTL_DPT", packet.to_port);
  fields.add("FWCTL_ICMP_TYPE", packet.icmp_type);
  fields.add("FWCTL_COUNT", std::to_string(entry.count));
  fields.send();
}

}  // namespace fwctl
