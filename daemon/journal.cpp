#include "daemon/journal.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/sinks/systemd_sink.h>
#include <spdlog/spdlog.h>

#include <cstdlib>
#include <memory>

namespace fwctl {

void open_journal() {
  // systemd sets JOURNAL_STREAM for services whose output is the journal.
  const bool journal = std::getenv("JOURNAL_STREAM") != nullptr;
  std::shared_ptr<spdlog::sinks::sink> sink;
  if (journal)
    sink = std::make_shared<spdlog::sinks::systemd_sink_st>("fwctld");
  else
    sink = std::make_shared<spdlog::sinks::stderr_sink_st>();
  auto logger = std::make_shared<spdlog::logger>("fwctld", std::move(sink));
  logger->set_pattern(journal ? "%v" : "fwctld: %l: %v");
  spdlog::set_default_logger(std::move(logger));
}

}  // namespace fwctl
