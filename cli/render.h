// Replies as text for people: the only place that formats output.
#pragma once

#include <map>
#include <string>

#include "cli/processes.h"
#include "cli/style.h"
#include "daemon/protocol/message.h"

namespace fwctl::cli {

// All of them end with a newline, or are empty.
std::string render_status(const protocol::Json& status, bool verbose, const Style& style);
std::string render_ports(const protocol::Json& reply, const Processes& processes,
                         const Style& style);
std::string render_explanations(const protocol::Json& reply, const Style& style);
// A reply of Log: a line an entry.
std::string render_log(const protocol::Json& reply, const Style& style);
// A reply of Trace: a block a packet.
std::string render_trace(const protocol::Json& reply, const Style& style);
// Replies of Services: as a table, and at length.
std::string render_service_list(const protocol::Json& reply, const Style& style);
std::string render_services(const protocol::Json& reply);
// Replies of Sets: as a table, and one by one as a file of addresses.
std::string render_set_list(const protocol::Json& reply, const Style& style);
std::string render_sets(const protocol::Json& reply);
// A reply of Bans, and what became of Ban or Unban.
std::string render_bans(const protocol::Json& reply, const Style& style);
std::string render_ban_outcome(const protocol::Json& outcome, bool dry_run, const Style& style);
// A reply of History: as a table, or one generation and what it changed.
std::string render_history(const protocol::Json& reply, const Style& style);
// "2026-11-22T10:00:00Z" → "2026-11-22 10:00:00 UTC"
// The reply of Cut.
std::string render_cut(const protocol::Json& reply, bool dry_run);
std::string readable_time(std::string time);
// `dry_run`: what would be.
// `cut`: connections that could not begin any more were ended.
std::string render_outcome(const protocol::Json& outcome, bool dry_run, const Style& style,
                           bool cut = false);
std::string render_difference(const protocol::Json& outcome, const Style& style);
// Of an error reply; goes to stderr.
std::string render_error(const protocol::Reply& reply);

}  // namespace fwctl::cli
