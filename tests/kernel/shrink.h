// From a policy that fails to a smallest one that still does.
#pragma once

#include <functional>

#include "rules/policy/model.h"

namespace fwctl::testing {

// Takes rules away, then what is in them and in sets and services, for as long as `fails` stays
// true; of what comes back nothing more can go. `fails` must be true of `policy`; it is asked of
// policies that check() may refuse.
policy::Policy shrink(policy::Policy policy,
                      const std::function<bool(const policy::Policy&)>& fails);

}  // namespace fwctl::testing
