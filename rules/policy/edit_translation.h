// As edit.h, for forwards and masquerades.
#pragma once

#include "rules/policy/edit.h"
#include "rules/policy/translation.h"

namespace fwctl::policy {

// Goes to the end of its list. One that says the same is there already: nothing changes, but a new
// comment where fwctl itself added it. A forward goes behind others of the same ports.
EditResult add(const CheckedPolicy& policy, const Sources& sources, const Added& added,
               const Translation& translation);

// One that is not there changes nothing and is noted. One of a file that people own is not deleted
// but pointed at.
EditResult remove(const CheckedPolicy& policy, const Sources& sources, const Added& added,
                  const Translation& translation);

}  // namespace fwctl::policy
