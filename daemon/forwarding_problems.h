// What of a policy does nothing because the kernel passes no packets on.
#pragma once

#include <string>
#include <vector>

#include "daemon/forwarding.h"
#include "daemon/result.h"
#include "rules/policy/check.h"

namespace fwctl {

// What of `policy` is about packets that go on to other machines, for each family that the kernel
// passes none on of: a sentence each, with what to set. Something for no family in particular is
// taken for IPv4. What is allowed to containers counts where one of their networks is there. Where
// the kernel could not be asked, that is the sentence.
std::vector<std::string> forwarding_problems(const policy::CheckedPolicy& policy,
                                             const Result<Forwarding>& kernel);

}  // namespace fwctl
