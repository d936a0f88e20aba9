// Panic as other parts of the program say it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "daemon/store.h"
#include "rules/compile/panic.h"

namespace fwctl {

std::vector<compile::Spared> spared(const Panic& panic);

// As Outcome::difference.
std::vector<std::string> difference(const std::optional<Panic>& before,
                                    const std::optional<Panic>& after);

}  // namespace fwctl
