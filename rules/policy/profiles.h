// ufw's application profiles: files that packages install to say which ports they use.
#pragma once

#include <string_view>
#include <vector>

#include "rules/diagnostic.h"
#include "rules/policy/services.h"

namespace fwctl::policy {

// Whether a file of that name is read: not hidden, not what a package manager or an editor left.
bool is_profile_file(std::string_view name);

// What the files define, in their order; a profile that stands twice comes twice. A bad profile,
// and one whose name `etc_services` (the text of /etc/services) has, is left out with a warning; a
// name given twice in one folder is warned of, too.
std::vector<Definition> parse_profiles(const std::vector<Source>& files,
                                       std::string_view etc_services, Diagnostics& warnings);

}  // namespace fwctl::policy
