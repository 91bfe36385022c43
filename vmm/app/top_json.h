// A snapshot for programs: `carrel top --once --json`.
#pragma once

#include <string>

#include "vmm/app/top_snapshot.h"

namespace carrel::app {

// Null for what isn't measured. Shares are of one CPU, memory is in bytes, rates are in bytes a second.
std::string to_json(const TopSnapshot& top);

}  // namespace carrel::app
